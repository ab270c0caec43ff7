"""What `pfps recalibrate` does to the released bundle in simulated clubs: to its losses, its ratio and its intervals.

A club is a world of its own: one draw over the evidence's intervals, of a seed that training never used. To the
log-odds of its runners' true risk a site term is added and a shift of prevalence, and outcomes are drawn. The update is
made on some of its runners and judged on others of the same club by their true risks, so no chance of an outcome is
left in what is judged. The last table has cohorts of several clubs, judged in these clubs a season later and in others.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from benchmarks.clubs import CLUBS, EXACT, PER_CLUB, SEED, STATED, in_clubs, in_several
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.model import released_bundle

_INSIDE = (0.9, 1.1)  # observed/expected that will do
_NONE = 1e-12


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    """Return by case: means, shares `changed`, `worse` and `inside` (0.9 to 1.1), and the `error` of the mean gain."""
    told = found.assign(
        changed=found["level"] != "none", worse=found["gain"] > _NONE, inside=found["ratio"].between(*_INSIDE),
        inside_before=found["ratio_before"].between(*_INSIDE),
    ).drop(columns=["level", "cases"])  # fmt: skip
    by = told.groupby(["site", "odds", "size"], sort=False)
    return by.mean().assign(error=by["gain"].std() / np.sqrt(by.size())).reset_index()


def show(found: pd.DataFrame) -> None:
    """Print what was found in clubs, a table for each spread of sites, and what it says of what is claimed."""
    told, count = summarise(found), int(found.groupby(["site", "odds", "size"]).size().max())
    header = ("odds", "runners", "changed", "loss, 1e-4", "worse", "O/E", "held", "width")
    for site, rows in told.groupby("site"):
        table(f"{count} clubs, their log-odds with an SD of {site}", header, _rows(rows))
    say("Loss: what the update adds to the excess log loss (its standard error). O/E: share with observed/expected")
    say("inside 0.9 to 1.1. Held: share of risks inside their interval. *: the number of runners that is stated.")
    wrong = told[told["odds"] != EXACT]
    shifted, below = wrong.query("size == @STATED and odds != 1"), wrong[wrong["size"] != STATED]
    most = below.sort_values("gain").to_dict("records")[-1]
    say(f"Prevalence shifted, stated number: O/E inside 0.9 to 1.1 in {shifted['inside'].mean():.1%} of the clubs.")
    above, shown = below["gain"] > 0, below["gain"] > 2 * below["error"]
    say(f"Fewer runners: on average worse than none in {above.sum()} of {len(below)} lines, at most {_loss(most)};")
    say(f"shown to be worse, by twice the standard error, in {shown.sum()}.")


def _rows(told: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for (_, odds), rows in told.groupby(["site", "odds"], sort=False):
        name, lines = "exact" if odds == EXACT else f"x {odds:g}", rows.to_dict("records")
        first = lines[0]
        before = f"{first['inside_before']:.0%}", f"{first['covered_before']:.0%}", f"{first['width_before']:.3f}"
        yield name, "before", "", "", "", *before
        for row in lines:
            runners = f"{row['runners']:,.0f}" + ("*" if row["size"] == STATED else "")
            after = f"{row['worse']:.0%}", f"{row['inside']:.0%}", f"{row['covered']:.0%}", f"{row['width']:.3f}"
            yield name, runners, f"{row['changed']:.0%}", _loss(row), *after


def _loss(row: Mapping[Any, Any]) -> str:
    return f"{1e4 * row['gain']:+.1f} ({1e4 * row['error']:.1f})"


def show_several(found: pd.DataFrame) -> None:
    """Print what was found in cohorts of several clubs."""
    told = found.assign(inside=found["ratio"].between(*_INSIDE), log=np.log(found["ratio"]))
    by = told.groupby(["club", "stated", "where"], sort=False)
    rows = by.agg(runners=("runners", "mean"), inside=("inside", "mean"), sd=("log", "std"), cohorts=("log", "size"))
    table(
        "Cohorts of several clubs: these, and others",
        ("club of", "stated for", "runners", "judged in", "O/E", "SD of its log", "cohorts"),
        [(club, stated, f"{row.runners:,.0f}", where, f"{row.inside:.0%}", f"{row.sd:.3f}",
          row.cohorts) for (club, stated, where), row in zip(rows.index, rows.itertuples(), strict=True)],
    )  # fmt: skip


def main(
    count: Annotated[int, typer.Option("--clubs", help="Clubs; half as many cohorts of several.", min=4)] = CLUBS,
) -> None:
    """Recalibrate the released bundle in simulated clubs."""
    bundle, several = released_bundle(), count // 2
    with steps("clubs", count) as tell:
        found = in_clubs(bundle, SEED, count, tell=tell)
    show(found)
    with steps("cohorts of several clubs", several * len(PER_CLUB)) as tell:
        found = in_several(bundle, SEED, several, tell=tell)
    show_several(found)
    say(f"{bundle.name}, scenario {bundle.manifest['trained_on']['scenario']}; seeds from {SEED:,}.")


if __name__ == "__main__":
    command(main)

__all__ = ["show", "show_several", "summarise"]
