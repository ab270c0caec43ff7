"""What counts as "the published figure came back": its interval where there is one, else one tolerance for its kind.

Numbers are read from the ledger and never written here. No tolerance belongs to one row: each kind of figure has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, sqrt, tanh

from pfps_ml.domain import Z95, evidence, ledger
from pfps_ml.simulation.study_figures import Sample

MEAN, SPREAD, SHARE, SKEWED, NULL, UNRELATED, AUROC = 0.25, 0.10, 2.0, 0.25, 0.1, 0.05, 0.05
TOLERANCES = (
    f"a mean: {MEAN} of the published SD",
    f"an SD: {SPREAD:.0%}",
    f"a share: {SHARE:g} percentage points",
    f"a mean of a skewed quantity without SD: {SKEWED:.0%}",
    f"an odds ratio per SD published as no association: {1 - NULL:g} to {1 + NULL:g}",
    f"a correlation published as none: {UNRELATED:g} either way",
    f"an AUROC: {AUROC:g}",
)


@dataclass(frozen=True)
class Target:
    """A published figure and the values that count as the same.

    Attributes
    ----------
    published
        As a reader of the study would quote it.
    low, high
        What is accepted, in the unit of the study.
    basis
        Where the limits come from.
    """

    published: str
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Row:
    """One published figure and how it is read off the simulated people.

    Attributes
    ----------
    rows
        The ledger rows of the figure.
    of
        The figure, from a sample of `scenario`, in the unit of the study.
    held_out
        Whether nothing was set from this figure. If a parameter cites one of `rows` all the same, `note` says what
        it took from there instead.
    why
        Why the figure does not come back, where it does not.
    """

    what: str
    rows: tuple[str, ...]
    target: Target
    of: Callable[[Sample], float]
    held_out: bool = False
    note: str = ""
    why: str = ""
    scenario: str = "reference"


def numbers(row: str) -> list[float]:
    """Return the numbers in the estimate of a ledger row, in order; a range gives two."""
    return evidence.numbers(ledger()[row].estimate)


def interval(row: str) -> Target:
    """Return the published 95 % interval."""
    entry = ledger()[row]
    quoted = f"{entry.estimate} ({entry.ci_low} to {entry.ci_high}) {entry.unit}"
    return Target(quoted, float(entry.ci_low), float(entry.ci_high), "interval in the ledger")


def counted(row: str, published: float | None = None) -> Target:
    """Return the Wilson interval of a percentage whose number of people was published."""
    entry = ledger()[row]
    share = (numbers(row)[0] if published is None else published) / 100
    n = float(entry.n)
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    return Target(f"{100 * share:g} %", 100 * (middle - half), 100 * (middle + half), f"Wilson interval, n = {entry.n}")


def explained_by(row: str, share: float | None = None) -> Target:
    """Return the interval of an explained variance (Fisher's z of its root)."""
    entry, published = ledger()[row], numbers(row)[0] if share is None else share
    low, high = (tanh(atanh(sqrt(published)) + side * Z95 / sqrt(float(entry.n) - 3)) ** 2 for side in (-1, 1))
    return Target(f"{published} {entry.unit}", low, high, f"Fisher interval, n = {entry.n}")


def mean(row: str, value: float | None = None, sd: float | None = None) -> Target:
    """Accept a mean within a quarter of the SD; `value` and `sd` where they stand in the row's note."""
    entry = ledger()[row]
    at, spread_ = value or numbers(row)[0], sd or float(entry.sd)
    return Target(f"{at:g} (SD {spread_:g})", at - MEAN * spread_, at + MEAN * spread_, f"{MEAN} SD")


def spread(row: str, sd: float | None = None) -> Target:
    """Accept an SD within a tenth."""
    at = sd or float(ledger()[row].sd)
    return Target(f"SD {at:g}", at * (1 - SPREAD), at * (1 + SPREAD), f"{SPREAD:.0%}")


def skewed(row: str) -> Target:
    """Accept the mean of a skewed quantity, whose SD was not published, within a quarter."""
    at = numbers(row)[0]
    return Target(_quoted(row), at * (1 - SKEWED), at * (1 + SKEWED), f"{SKEWED:.0%}")


def share(row: str, part: int = 0, published: float | None = None) -> Target:
    """Accept a percentage within two points; `part` counts within an estimate that lists several."""
    at = numbers(row)[part] if published is None else published
    return Target(f"{at:g} %", max(0, at - SHARE), at + SHARE, f"{SHARE:g} points")


def span(*rows: str) -> Target:
    """Accept whatever lies between the smallest and the largest published number."""
    values = [number for row in rows for number in numbers(row)]
    return Target(
        " / ".join(ledger()[row].estimate for row in rows), min(values), max(values), "between the published figures"
    )


def null(row: str) -> Target:
    """Accept an odds ratio per SD near 1."""
    return Target(ledger()[row].estimate, 1 - NULL, 1 + NULL, "no association")


def unrelated(published: str) -> Target:
    """Accept a correlation near 0."""
    return Target(published, -UNRELATED, UNRELATED, "no correlation")


def area(*rows: str) -> Target:
    """Accept an AUROC between the published ones, and a little beyond."""
    limits = span(*rows)
    return Target(limits.published, limits.low - AUROC, limits.high + AUROC, f"{AUROC} beyond")


def stated(published: str, low: float, high: float, basis: str) -> Target:
    """Accept a range that stands in the text of the evidence, or that the design demands."""
    return Target(published, low, high, basis)


def _quoted(row: str) -> str:
    return f"{ledger()[row].estimate} {ledger()[row].unit}"


__all__ = [
    "TOLERANCES",
    "Row",
    "Target",
    "area",
    "counted",
    "explained_by",
    "interval",
    "mean",
    "null",
    "numbers",
    "share",
    "skewed",
    "span",
    "spread",
    "stated",
    "unrelated",
]
