"""The columns that scoring adds to a roster, and how an earlier scoring is recognised by them."""

import re
from collections.abc import Sequence

from pfps_ml.domain.outcomes import Horizon

ACCOUNT = ("status", "problems", "problem_codes")
REASONS = 3  # in a roster; the JSON names every field
_RISK = re.compile(r"risk_\d+(\.\d+)?[a-z]")
_ENDS = ("", "_low", "_high")


def risk_column(horizon: Horizon) -> str:
    """Return the column of the risk over a horizon: `risk_12m`."""
    return f"risk_{horizon.suffix}"


def risk_columns(horizon: Horizon) -> tuple[str, str, str]:
    """Return the columns of the risk over a horizon and of the ends of its interval."""
    return (risk_column(horizon), "risk_low", "risk_high")


def roster_columns(horizon: Horizon) -> tuple[str, ...]:
    """Return the columns of every scored roster, behind its account, for a bundle over a horizon."""
    reasons = (f"reason_{rank + 1}" for rank in range(REASONS))
    cautions = ("cautions", "caution_codes")
    return ("withheld", *risk_columns(horizon), "risk_band", *reasons, "measure_next", *cautions, "bundle")


def visit_columns(arms: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a roster with visit fields, for a bundle with some arms, the reference first."""
    chances = (f"p_{name}" for name in arms)
    effects = (f"effect_{name}{end}" for name in arms[1:] for end in _ENDS)
    return (*chances, *effects, "acceptable_pathways", "preferred_pathway")


def risk_columns_in(header: Sequence[str]) -> list[str]:
    """Return the columns of a header that hold a risk, over whatever horizon."""
    return [name for name in header if _RISK.fullmatch(name)]


def scored_before(header: Sequence[str]) -> bool:
    """Return whether a header is that of a scored roster, by a bundle of any horizon."""
    return "status" in header and bool(risk_columns_in(header))


def added_by_scoring(header: Sequence[str], arms: Sequence[str]) -> frozenset[str]:
    """Return which columns of a header scoring adds: by any bundle whose arms are among these."""
    any_horizon = Horizon(1, "months")
    ours = {*roster_columns(any_horizon), *visit_columns(arms)} - {risk_column(any_horizon)}
    return frozenset({*ACCOUNT, *risk_columns_in(header), *ours}.intersection(header))


__all__ = [
    "ACCOUNT", "REASONS", "added_by_scoring", "risk_column", "risk_columns", "risk_columns_in", "roster_columns",
    "scored_before", "visit_columns",
]  # fmt: skip
