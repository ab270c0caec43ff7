"""The columns that scoring adds to rows: the account, and the assessment. Rows with the same text share it."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pfps_ml.errors import Fault
from pfps_ml.files.plans import ACCOUNT
from pfps_ml.knowledge.checker import Checked

if TYPE_CHECKING:
    from pfps_ml.bundle import Bundle

CHUNK = 16_384  # rows assessed at once: texts that they share are written once


@dataclass(frozen=True)
class Summary:
    """How many rows came in, were scored and were rejected; `problems` counts the rejected rows by field.

    A row that does not fit the header counts under `row`; one with two faults counts under both.
    """

    rows: int
    scored: int
    rejected: int
    problems: dict[str, int]


def scored_columns(bundle: "Bundle", checked: Checked, visit: bool, chunk: int = CHUNK) -> dict[str, Any]:
    """Return the columns that scoring adds to a roster, as Arrow arrays; see `score_rows`."""
    return {**_account(checked), **_assessed(checked, bundle, visit, chunk)}


def score_rows(bundle: "Bundle", checked: Checked, visit: bool) -> pd.DataFrame:
    """Score checked rows: `status`, `problems`, `problem_codes`, then the assessment, in the rows' order.

    Parameters
    ----------
    bundle
        The released model.
    checked
        Coded rows and their faults; a row with any fault is rejected: it has problems, and no numbers.
    visit
        Whether the columns of a visit are wanted.
    """
    columns = scored_columns(bundle, checked, visit)
    return pd.DataFrame({name: plain(column).to_pandas() for name, column in columns.items()})


def plain(column: Any) -> Any:
    """Return one of our columns as it is written: text as text, not as places in a list of texts."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def summary_of(checked: Checked) -> Summary:
    """Return the account of some rows."""
    rejected = int(checked.rejected.sum())
    seen = dict.fromkeys((fault.row, fault.field or "row") for fault in checked.faults)
    problems = dict(Counter(field for _, field in seen).most_common())
    return Summary(len(checked.values), len(checked.values) - rejected, rejected, problems)


def _account(checked: Checked) -> dict[str, Any]:
    """Return the status of each row, its problems as text, and their codes in the same order."""
    faults: dict[int, list[Fault]] = {}
    for fault in checked.faults:
        if fault.row is not None:
            faults.setdefault(fault.row, []).append(fault)
    problems, codes = (np.full(len(checked.values), "", dtype=object) for _ in range(2))
    for row, wrong in faults.items():
        problems[row] = "; ".join(fault.line for fault in wrong)
        codes[row] = ", ".join(fault.code for fault in wrong)
    status = pa.DictionaryArray.from_arrays(
        pa.array(checked.rejected.astype(np.int32)), pa.array(["scored", "rejected"], pa.string())
    )
    texts = (pa.array(texts, pa.string()).dictionary_encode() for texts in (problems, codes))
    return dict(zip(ACCOUNT, (status, *texts), strict=True))


def _assessed(checked: Checked, bundle: "Bundle", visit: bool, chunk: int) -> dict[str, Any]:
    """Return the columns of the assessment; rejected rows have none."""
    from pfps_ml.assess import assess

    good = np.flatnonzero(~checked.rejected)
    tables = []
    for start in range(0, max(len(good), 1), chunk):
        values = checked.values.iloc[good[start : start + chunk]].reset_index(drop=True)
        scored = assess(bundle, values).table(visit)
        tables.append(pa.table({str(name): _array(scored[name]) for name in scored}))
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    columns = {name: _one(table.column(name)) for name in table.column_names}
    if len(good) == len(checked.values):
        return columns
    places = np.zeros(len(checked.values), np.int64)
    places[good] = np.arange(len(good))
    rows = pa.array(places, mask=checked.rejected)
    return {name: column.take(rows) for name, column in columns.items()}


def _one(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _array(column: pd.Series) -> Any:
    """Keep numbers as numbers, and text as places in a list of texts: nearly all of it is said of many rows."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy(np.int32)
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=codes < 0), pa.array(column.cat.categories, pa.string(), from_pandas=True)
        )
    return pa.array(column, from_pandas=True)


__all__ = ["CHUNK", "Summary", "plain", "score_rows", "scored_columns", "summary_of"]
