"""Does every row come back: 1,000 rosters made as people make them, in any format, scored whole and in every other way.

`python -m benchmarks.accounting` (`--quick`: 50 rosters). For each: rows out = rows in, in order, each with its id and
its own cells; the account adds up; and the scores of a row are the same bits alone, in 64, in 5,000, shuffled, and with
1 or 2 workers.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import typer

from pfps_ml.batch.rosters import DEFAULT_OPTIONS, score_roster
from pfps_ml.batch.stream import RunOptions
from pfps_ml.core import generator
from pfps_ml.core.console import command, say, table
from pfps_ml.domain import INPUTS, Field
from pfps_ml.io.readers import Size
from pfps_ml.io.roster import Summary
from pfps_ml.io.xlsx_tables import write_book
from pfps_ml.model import Bundle, released_bundle

ROSTERS = 1_000
_YES = ("yes", "Y", "ja", "TRUE", "oui", "sí", "✓", "Yes ")
_NO = ("no", "N", "nein", "FALSE", "non", "No", "✗", "nee")
_SEX = (("female", "F", "w", "weiblich", "femme"), ("male", "M", "Male", "männlich", "uomo"))
_WRONG = ("", "n/a", "?", "1e400", "-", "abc", "99999", "1,234", "#N/A", "=1+1", "#REF!", "''", "inf")
_NAMES = (*(field.name for field in INPUTS), "notes")
_SCORES = ("risk_12m", "risk_low", "risk_high")


@dataclass(frozen=True)
class Kind:
    """How a roster is written; what is no CSV reads its text as CSV with commas does."""

    ending: str
    delimiter: str = ","


KINDS = (Kind(".csv"), Kind(".xlsx"), Kind(".parquet"), Kind(".csv", ";"), Kind(".csv", "\t"))


@dataclass(frozen=True)
class Account:
    """What became of some rosters: how many, their rows, and how often something did not hold, by what it was."""

    rosters: int
    rows: int
    partly: int
    rejected: int
    broken: Counter[str]


def accounting(rosters: int, bundle: Bundle, folder: Path) -> Account:
    """Score fuzzed rosters, each in every way, and count what does not hold.

    Parameters
    ----------
    rosters
        How many.
    bundle
        The model that scores them.
    folder
        Where they are written.
    """
    partly, rejected, broken, kept = 0, 0, Counter[str](), list[pd.DataFrame]()
    for number in range(rosters):
        cells, kind = roster(number), KINDS[number % len(KINDS)]
        summary = score_roster(_written(cells, folder, kind), folder / "out.parquet", bundle)
        out = pd.read_parquet(folder / "out.parquet")
        partly, rejected = partly + summary.partly, rejected + summary.rejected
        broken.update(_accounts(cells, out, summary))
        ids = [f"{number}/{row}" for row in range(len(cells))]  # of their own, in whatever company
        kept.append(cells.assign(runner_id=ids, comma=kind.delimiter, **{f"own {name}": out[name] for name in _SCORES}))
        kept[-1]["scored"] = out["status"] != "rejected"
    every = pd.concat(kept, ignore_index=True).fillna(dict.fromkeys(_NAMES, ""))
    broken.update(_other_bits(every[every["scored"]], bundle, folder))
    return Account(rosters, len(every), partly, rejected, broken)


def roster(number: int) -> pd.DataFrame:
    """Return a roster as text: some of the fields, spelt as people spell them, with some cells wrong."""
    chance = generator(number, "a fuzzed roster")
    count = int(chance.integers(1, 40))
    fields = [field for field in INPUTS if field.required or chance.random() < 0.5]
    wrong, comma = chance.random() * 0.1, chance.random() < 0.3
    columns = {
        field.name: _column(field, count, wrong, comma, chance) for field in chance.permutation(np.array(fields))
    }
    columns["notes"] = [
        str(chance.choice(["", "late", "=)", 'says "ow"', "a, b; c", "Zoë", "two\nlines"])) for _ in range(count)
    ]
    return pd.DataFrame(columns)


def _column(field: Field, count: int, wrong: float, comma: bool, chance: Any) -> list[str]:
    cells = [_cell(field, row, chance) for row in range(count)]
    if comma and field.kind == "number":
        cells = [cell.replace(".", ",") for cell in cells]
    return [str(chance.choice(_WRONG)) if chance.random() < wrong else cell for cell in cells]


def _cell(field: Field, row: int, chance: Any) -> str:
    if field.kind == "text":
        return f"R-{row}" if field.name == "runner_id" else "first team"
    if not field.required and chance.random() < 0.3:
        return ""
    if field.kind == "choice":
        return str(chance.choice(_SEX[chance.integers(2)] if field.name == "sex" else (_YES, _NO)[chance.integers(2)]))
    value = chance.uniform(field.low, field.high)
    return f"{value:.0f}" if field.kind == "whole" or chance.random() < 0.5 else f"{value:.1f}"


def _accounts(cells: pd.DataFrame, out: pd.DataFrame, summary: Summary) -> Iterator[str]:
    """Yield what of the account does not hold."""
    rejected, wrong = out["status"] == "rejected", out["status"] != "scored"
    if not len(out) == summary.rows == len(cells):
        yield "rows out = rows in"
    elif [_plain(cell) for cell in out["runner_id"]] != [_plain(cell) for cell in cells["runner_id"]]:
        yield "ids in order"
    elif any([_plain(a) for a in out[name]] != [_plain(b) for b in cells[name]] for name in cells):
        yield "own cells"
    counted = (int((out["status"] == "partly").sum()), int(rejected.sum()))
    if not summary.balances or counted != (summary.partly, summary.rejected):
        yield "totals"
    if (wrong != (out["problems"] != "")).any() or sum(summary.problems.values()) < int(wrong.sum()):
        yield "a reason for each row that is not wholly scored, and for no other"
    if out.loc[rejected, list(_SCORES)].notna().any(axis=None):
        yield "no score for a rejected row"


def _plain(cell: Any) -> str:
    """Return a cell as it is compared: a workbook keeps 30 as a number, whatever it was written like."""
    if cell is None or cell != cell:  # noqa: PLR0124 (not a number)
        return ""
    if isinstance(cell, bool | np.bool_):
        return str(cell).lower()
    try:
        return f"{float(cell) + 0:.12g}"  # and -0 is 0
    except (TypeError, ValueError):
        return str(cell).strip().lower()


def _other_bits(every: pd.DataFrame, bundle: Bundle, folder: Path) -> Iterator[str]:
    """Yield in which company a row gets other scores than in its own roster."""
    small = RunOptions(2, 7, Size(512, 50_000))
    for comma, rows in every.groupby(every["comma"] == ","):
        order = generator(len(rows), "another order").permutation(len(rows))
        first = [rows.iloc[[at]] for at in np.flatnonzero(~rows["runner_id"].str.split("/").str[0].duplicated())]
        ways = {
            "alone": first,
            "in 64": _cut(rows, 64),
            "in 5,000": _cut(rows, 5_000),
            "shuffled": _cut(rows.iloc[order], 5_000),
            "2 workers, in pieces": [rows],
        }
        for name, parts in ways.items():
            options = small if parts[0] is rows else DEFAULT_OPTIONS
            for part in parts:
                if not _same(part, "," if comma else ";", bundle, folder, options):
                    yield f"the same bits {name}"


def _cut(rows: pd.DataFrame, size: int) -> list[pd.DataFrame]:
    return [rows.iloc[start : start + size] for start in range(0, len(rows), size)]


def _same(rows: pd.DataFrame, delimiter: str, bundle: Bundle, folder: Path, options: RunOptions) -> bool:
    cells = rows[[name for name in rows.columns if name in _NAMES]]
    source = _written(cells, folder, Kind(".csv", delimiter))
    score_roster(source, folder / "again.parquet", bundle, options=options)
    found = pd.read_parquet(folder / "again.parquet", columns=list(_SCORES)).to_numpy(dtype=float)
    own = rows[[f"own {name}" for name in _SCORES]].to_numpy(dtype=float)
    return np.array_equal(found, own, equal_nan=True)


def _written(cells: pd.DataFrame, folder: Path, kind: Kind) -> Path:
    path = folder / f"roster{kind.ending}"
    if kind.ending == ".parquet":
        cells.to_parquet(path, index=False)
    elif kind.ending == ".csv":
        cells.to_csv(path, index=False, sep=kind.delimiter)
    else:
        with path.open("wb") as file:
            write_book(file, [pa.Table.from_pandas(cells, preserve_index=False)])
    return path


def main(quick: Annotated[bool, typer.Option("--quick", help="50 rosters.")] = False) -> None:
    """Print how many rosters, rows and rejected rows there were, and what did not hold."""
    with tempfile.TemporaryDirectory() as folder:
        found = accounting(50 if quick else ROSTERS, released_bundle(), Path(folder))
    rows = [(name, f"{count:,}") for name, count in found.broken.items()] or [("nothing", "0")]
    table(
        f"{found.rosters:,} rosters, {found.rows:,} rows, {found.partly:,} partly, {found.rejected:,} rejected",
        ("what did not hold", "rosters"),
        rows,
    )
    say("Formats: CSV (comma, semicolon, tab), Excel, Parquet. Each whole, in pieces, alone, in 64, shuffled.")


if __name__ == "__main__":
    command(main)

__all__ = ["KINDS", "ROSTERS", "Account", "Kind", "accounting", "main", "roster"]
