"""The evidence ledger, and the scenarios: named sets of parameters that cite it.

One row of the ledger is one published figure, with its value, interval, source and grade.

A parameter is one number of the simulated world: where it comes from, what it may be, and how it is drawn. It cites
rows of the ledger or says that it is an assumption. Where its value is read off a row, `reads` says how, and the value
must lie inside the interval of that row; where it cites a row with an interval and is not read off it, `reads` is {}.

A scenario file holds only what differs from its parent. Evidence draws sample every parameter from its interval.
"""

import csv
import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import exp, inf, isfinite, log, nan
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

from pfps_ml.core import FactError, Message, normal_quantile, uniforms

Z95 = normal_quantile(0.95)  # standard errors from an estimate to either end of its 95 % interval
_HOME = files("pfps_ml.domain")


@dataclass(frozen=True)
class Evidence:
    """One published figure."""

    id: str
    quantity: str
    population: str
    comparison: str
    horizon: str
    estimate: str
    unit: str
    ci_low: str
    ci_high: str
    sd: str
    n: str
    study: str
    doi: str
    grade: str
    note: str


@cache
def ledger() -> dict[str, Evidence]:
    """Return the ledger by row id."""
    lines = (_HOME / "evidence.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [Evidence(**row) for row in csv.DictReader(lines)]
    if len({row.id for row in rows}) != len(rows):
        raise FactError(Message("ledger_id_twice"))
    return {row.id: row for row in rows}


def ledger_fingerprint() -> str:
    """Return the digest of the ledger: which state of the evidence a bundle was made from."""
    return hashlib.sha256((_HOME / "evidence.csv").read_bytes()).hexdigest()


def numbers(text: str) -> list[float]:
    """Return the numbers in an estimate as it is printed, in order; a range gives two."""
    return [float(number_text) for number_text in re.findall(r"(?<![\d.])[-+]?\d+(?:\.\d+)?", text)]


def studies_of(rows: Iterable[str]) -> frozenset[str]:
    """Return the studies behind some rows of the ledger, so that rows of one study share a name.

    A study goes by its DOI, by its first author and year, and by the name of its cohort if it stands in brackets. A
    row derived from others is of their studies. Reports of one trial by different authors or years count as
    different studies.
    """
    return frozenset(name for row in rows for name in _names_of(ledger()[row]))


def _names_of(row: Evidence) -> set[str]:
    if row.grade == "derived from cited rows" and (
        named := re.findall(r"\bG\d-\d\d\b|\bC-\d{3}\b", row.study + row.quantity)
    ):
        return set(studies_of(named))
    return {
        row.doi,
        re.split(r",| as |\(", row.study)[0].strip(),
        *re.findall(r"\(([A-Z][A-Za-z]*[- ]?[A-Z]{3,})\)", row.study),
    } - {""}


Scale = Literal["linear", "log", "logit"]
_KEYS = {"value", "interval", "unit", "rows", "how", "reads", "assumption", "marginal"}
_ROUNDING = 1e-9
# how a number of the ledger becomes one in the parameter's unit; "sd" reads the spread of the row and not its estimate
READINGS: dict[str, Callable[[float], float]] = {
    "as is": lambda x: x,
    "negative": lambda x: -x,
    "percent": lambda x: x / 100,
    "log": lambda x: log(x) if x > 0 else nan,
    "-log": lambda x: -log(x) if x > 0 else nan,
    "sd": lambda x: x,
}
# what a name says of its values, in words and as a test; the first that fits
RANGES: tuple[tuple[str, str, Callable[[float], bool]], ...] = (
    (r"onset_base_rate|success_(usual_care|hip|orthotic)|failed_care_share|.*_(sensitivity|specificity)|.*_pain",
     "a chance above 0 and below 1", lambda x: 0 < x < 1),
    # who is there may be everybody or nobody
    (r".*_share|prior_.*|bilateral_.*|effusion_none|inhibition_most|keeps_log|club_(field_tests|dynamometer)"
     r"|skipped_answer|missed_test", "a share from 0 to 1", lambda x: 0 <= x <= 1),
    (r".*_correlation|shared_strength", "a correlation above -1 and below 1", lambda x: -1 < x < 1),
    (r"(?!.*_per_).*_(sd|width|median|months)|longest_run_factor|km_per_session", "a number above 0", lambda x: x > 0),
    (r"error_.*", "a retest error of 0 or more", lambda x: x >= 0),
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One number of the simulated world.

    Attributes
    ----------
    value
        The point value, in `unit`.
    low, high
        The 95 % interval that evidence draws are taken from; equal to `value` where it is not drawn.
    rows
        The ledger rows that it rests on; empty only for an assumption.
    how
        The arithmetic from the rows to the value, or the reason of the assumption.
    reads
        The rows that the value is read off, each with its reading (one of `READINGS`); given, if only as empty,
        wherever a row with an interval is cited as evidence.
    marginal
        Whether it is an effect published for its predictor alone: the coefficients are then solved jointly.
    origin
        The scenario that it was written in.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    rows: tuple[str, ...]
    how: str
    reads: dict[str, str] = field(default_factory=dict)
    assumption: bool = False
    marginal: bool = False
    origin: str = ""

    @property
    def scale(self) -> Scale:
        """The scale on which the interval is most nearly symmetric around the value.

        Where the whole interval lies between 0 and 1, a scale is out if it leads beyond: no share can be above 1, and
        no base rate below 0.
        """
        skewness: dict[Scale, float] = {"linear": _skew(self.low, self.value, self.high)}
        if self.low > 0:
            skewness["log"] = _skew(*map(log, (self.low, self.value, self.high)))
            if self.high < 1:
                skewness["logit"] = _skew(*map(_logit, (self.low, self.value, self.high)))
                four_sd = self.high - self.low  # a 95 % interval is nearly four standard deviations wide
                if not four_sd < self.value < 1 - four_sd:
                    del skewness["linear"]
                if self.value > 0.5:
                    del skewness["log"]
        return min(skewness, key=lambda scale: skewness[scale])

    def at(self, quantile: float) -> float:
        """Return the value at a quantile of what the evidence leaves open.

        Normal on `scale`, each half with the width of its own side: half of the draws lie below the value, and 95 % of
        them inside the interval even where no scale makes it symmetric.
        """
        if self.low == self.high:
            return self.value
        to, back = SCALES[self.scale]
        z = NormalDist().inv_cdf(quantile) / Z95
        middle, end = to(self.value), to(self.low if z < 0 else self.high)
        return back(middle + abs(z) * (end - middle))


def parse_parameter(name: str, raw: dict[str, Any], origin: str, faults: list[str]) -> Parameter:
    """Build a parameter from its TOML entry; whatever is wrong with it is added to `faults`, by `name`."""
    value, low, high = _numbers(name, raw, faults)
    rows, reads = raw.get("rows", []), raw.get("reads")
    parameter = Parameter(
        name=name.split(".", 1)[1],
        value=value,
        low=low,
        high=high,
        unit=raw.get("unit", ""),
        rows=tuple(rows) if _texts(rows) else (),
        how=raw.get("how", ""),
        reads=reads if isinstance(reads, dict) else {},
        assumption=bool(raw.get("assumption", False)),
        marginal=bool(raw.get("marginal", False)),
        origin=origin,
    )
    faults += [f"{name}: {fault}" for fault in _unsourced(parameter)]
    faults += [f"{name}: unknown key {key!r}" for key in sorted(set(raw) - _KEYS)]
    faults += [f"{name}: {fault}" for fault in (*_out_of_range(parameter), *_misread(parameter, reads))]
    return parameter


def _unsourced(parameter: Parameter) -> Iterator[str]:
    known = [ledger()[row] for row in parameter.rows if row in ledger()]
    if not parameter.rows and not parameter.assumption:
        yield "expected `rows` of the ledger or `assumption = true`, got neither"
    elif known and not parameter.assumption and not any(row.estimate for row in known):
        yield "expected a row that holds a figure or `assumption = true`, got only claims or rows that were not found"
    if not parameter.how:
        yield "expected `how` (the arithmetic, or the reason of the assumption), got nothing"
    yield from (f"row {row!r} is not in the ledger" for row in parameter.rows if row not in ledger())


def _numbers(name: str, raw: dict[str, Any], faults: list[str]) -> tuple[float, float, float]:
    value = raw.get("value")
    flags = (raw.get(flag, False) for flag in ("assumption", "marginal"))
    if not (_texts(raw.get("rows", [])) and isinstance(raw.get("how", ""), str) and not isinstance(value, bool)
            and all(isinstance(flag, bool) for flag in flags)):  # fmt: skip
        faults.append(f"{name}: expected `value` as a number, `rows` as a list and `how` as text, "
                      "`assumption` and `marginal` as true or false, got another type")  # fmt: skip
        return (float("nan"),) * 3
    try:
        low, high = raw.get("interval", (value, value))
        numbers = _number(value), _number(low), _number(high)
    except (TypeError, ValueError):
        faults.append(f"{name}: expected `value = number` and, if known, `interval = [low, high]`, got {raw}")
        return (float("nan"),) * 3
    if numbers[1] > numbers[2]:
        faults.append(f"{name}: expected an interval from low to high, got {raw.get('interval')}")
    elif not numbers[1] <= numbers[0] <= numbers[2] or not all(map(isfinite, numbers)):
        faults.append(f"{name}: expected a value inside its interval, got {value} and {raw.get('interval')}")
    return numbers


def _number(content: Any) -> float:
    if isinstance(content, str | bool):
        raise TypeError
    return float(content)


def _texts(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, str) for row in rows)


def _out_of_range(parameter: Parameter) -> Iterator[str]:
    for names, words, fits in RANGES:
        if re.fullmatch(names, parameter.name):
            outside = {x: None for x in (parameter.value, parameter.low, parameter.high) if isfinite(x) and not fits(x)}
            yield from (f"expected {words}, got {x:g}" for x in outside)
            return


def _misread(parameter: Parameter, reads: Any) -> Iterator[str]:
    """Yield what speaks against reading the value off the rows as it says."""
    ways = ", ".join(READINGS)
    spans = [row for row in parameter.rows if row in ledger() and ledger()[row].ci_low]
    if reads is None and spans and not parameter.assumption:
        yield (f"expected `reads`: how the value is read off {' or '.join(spans)}, with the interval there, "
               "or {} if it follows otherwise, as `how` then says; got nothing")  # fmt: skip
    if not isinstance(reads, dict | None) or not all(reading in [*READINGS] for reading in parameter.reads.values()):
        yield f"expected `reads = {{ row = reading }}` with a reading of {ways}, got {reads!r}"
        return
    for row, reading in parameter.reads.items():
        span = published_interval(row, reading) if row in parameter.rows and row in ledger() else None
        if span is None:
            yield f"expected `reads` to name rows of `rows` that hold such a number, got {row!r} ({reading})"
        elif not span[0] - _ROUNDING <= parameter.value <= span[1] + _ROUNDING:
            entry = ledger()[row]
            printed = f"{entry.ci_low} to {entry.ci_high}" if entry.ci_low else entry.estimate
            yield (f"expected a value inside the interval of {row} ({printed} {entry.unit}, read {reading!r}: "
                   f"{span[0]:.4g} to {span[1]:.4g}), got {parameter.value:g}")  # fmt: skip


def published_interval(row: str, reading: str) -> tuple[float, float] | None:
    """Return what a ledger row leaves open, in the unit of a parameter that reads it; None where it has no number.

    That is its 95 % interval; else the range of its estimates; else its estimate alone, or with "sd" its SD.
    """
    entry = ledger()[row]
    text = [entry.sd] if reading == "sd" else [entry.ci_low, entry.ci_high] if entry.ci_low else [entry.estimate]
    bounds = [READINGS[reading](number) for cell in text for number in numbers(cell)]
    return (min(bounds), max(bounds)) if bounds else None


def _skew(low: float, value: float, high: float) -> float:
    return abs(high + low - 2 * value) / (high - low) if high > low else 0.0


def _logit(p: float) -> float:
    return log(p / (1 - p))


SCALES: dict[Scale, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "linear": (lambda x: x, lambda x: x),
    "log": (log, exp),
    "logit": (_logit, lambda x: 1 / (1 + exp(-x))),
}


PARTS = ("runners", "patients")
HOME = Path(str(files("pfps_ml.domain") / "scenarios"))
_HEAD = {"title", "parent", "horizon_months"}


@dataclass(frozen=True)
class Scenario:
    """A named set of parameters: `runners` for the screening frame, `patients` replaces some of them for the visits."""

    name: str
    title: str
    parent: str | None
    horizon_months: float
    runners: dict[str, Parameter]
    patients: dict[str, Parameter]

    def values(self, seed: int = 0, draw: int = 0) -> dict[str, dict[str, float]]:
        """Return the numbers of one draw, by part and name; draw 0 is the point values.

        A parameter's draw depends on the seed, its name and the number of the draw alone.
        """
        return {part: {p.name: _drawn(p, part, seed, draw) for p in getattr(self, part).values()} for part in PARTS}


def scenario_names(home: Path = HOME) -> list[str]:
    """Return the names of the scenarios in a folder; those that come with the product if none is given."""
    return sorted(path.stem for path in home.glob("*.toml"))


@cache
def load_scenario(name: str, home: Path = HOME) -> Scenario:
    """Read one scenario with its parents from a folder, and hold every parameter to its source.

    Raises
    ------
    FactError
        If there is no such scenario, its file is not TOML, its parents go in a circle, or any of its parameters is
        not usable (see `parse_scenario`); all faults at once.
    """
    return _load(name, home, ())


def parse_scenario(name: str, content: dict[str, Any], parent: Scenario | None = None) -> Scenario:
    """Build a scenario from parsed TOML.

    Raises
    ------
    FactError
        If a parameter has no source, cites a row that the ledger does not have, lies outside its own interval or that
        of a row that it reads, cannot have such a value by its name, or is unknown to the parent; all faults at once.
    """
    faults = [f"{key}: not a part of a scenario ({', '.join(sorted({*_HEAD, *PARTS}))})"
              for key in sorted(set(content) - {*_HEAD, *PARTS})]  # fmt: skip
    sections = {part: dict(getattr(parent, part)) if parent else {} for part in PARTS}
    for part in PARTS:
        for key, raw in _section(part, content, faults):
            if parent and key not in _replaceable(parent, part):
                faults.append(f"{part}.{key}: unknown to its parent {parent.name!r} there; expected one of its {part}")
            sections[part][key] = parse_parameter(f"{part}.{key}", raw, name, faults)
    horizon = content.get("horizon_months", parent.horizon_months if parent else None)
    lasts = isinstance(horizon, int | float) and not isinstance(horizon, bool) and 0 < horizon < inf
    if not (isinstance(content.get("title"), str) and content["title"] and lasts):
        faults.append("expected `title` (text) and `horizon_months` (a number above 0) at the top of the file")
    if faults:
        raise FactError(f"scenario {name!r} is not usable:\n  " + "\n  ".join(faults))
    return Scenario(name, content["title"], parent.name if parent else None, float(horizon or 0), **sections)


def _replaceable(parent: Scenario, part: str) -> set[str]:
    """Return what a child may write in one part: a value that nobody reads would do nothing, and say nothing."""
    if part == "runners":
        return set(parent.runners)
    of_onset = {name for name in parent.runners if name.startswith("onset_") or name in ("club_log_sd", "spike_months")}
    return {*parent.patients, *parent.runners} - of_onset


def differences(first: Scenario, second: Scenario) -> list[tuple[str, Parameter | None, Parameter | None]]:
    """Return where two scenarios differ: `part.name` and both parameters."""
    changed: list[tuple[str, Parameter | None, Parameter | None]] = []
    for part in PARTS:
        one, two = getattr(first, part), getattr(second, part)
        for name in sorted({*one, *two}):
            pair = one.get(name), two.get(name)
            if _numbers_of(pair[0]) != _numbers_of(pair[1]):
                changed.append((f"{part}.{name}", *pair))
    return changed


def _load(name: str, home: Path, children: tuple[str, ...]) -> Scenario:
    if name in children:
        raise FactError(Message("scenario_parents_in_circle", {"names": " -> ".join((*children, name))}))
    if name not in scenario_names(home):
        child_note = f", the parent of {children[-1]!r}" if children else ""
        raise FactError(
            Message("scenario_unknown", {"scenarios": [*scenario_names(home)], "name": name, "child_note": child_note})
        )
    try:
        content = tomllib.loads((home / f"{name}.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FactError(Message("scenario_not_toml", {"name": name, "reason": str(error)})) from error
    parent = content.get("parent")
    return parse_scenario(name, content, _load(parent, home, (*children, name)) if parent else None)


def _section(part: str, content: dict[str, Any], faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    section = content.get(part, {})
    if not isinstance(section, dict):
        faults.append(f"{part}: expected a table of parameters, got {section!r}")
        return
    for key, raw in section.items():
        if isinstance(raw, dict):
            yield key, raw
        else:
            faults.append(f"{part}.{key}: expected {{ value = ..., rows = [...], how = ... }}, got {raw!r}")


def _drawn(parameter: Parameter, part: str, seed: int, draw: int) -> float:
    if draw == 0:
        return parameter.value
    return parameter.at(float(uniforms(seed, f"draw/{part}.{parameter.name}", draw, draw + 1)[0]))


def _numbers_of(parameter: Parameter | None) -> tuple[float, float, float] | None:
    return None if parameter is None else (parameter.value, parameter.low, parameter.high)


__all__ = [
    "HOME",
    "PARTS",
    "RANGES",
    "READINGS",
    "Z95",
    "Evidence",
    "Parameter",
    "Scenario",
    "differences",
    "ledger",
    "ledger_fingerprint",
    "load_scenario",
    "numbers",
    "parse_parameter",
    "parse_scenario",
    "published_interval",
    "scenario_names",
    "studies_of",
]
