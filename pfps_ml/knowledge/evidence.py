"""The evidence ledger and the scenarios that cite it.

A ledger row is one published figure: value, interval, source, grade. A scenario's parameter is a number that
cites ledger rows and says how it was computed from them, or says `assumption = true` and why.
"""

import csv
import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pfps_ml.errors import FactError

_HOME = files("pfps_ml.knowledge")


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


@dataclass(frozen=True)
class Parameter:
    """One number of the simulated world.

    Attributes
    ----------
    value
        The point value, in `unit`.
    low, high
        The 95 % interval that evidence draws will be taken from; equal to `value` where nothing is known of it.
    rows
        The ledger rows that it rests on; empty only for an assumption.
    how
        The arithmetic from the rows to the value, or the reason of the assumption.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    rows: tuple[str, ...]
    how: str
    assumption: bool = False


@dataclass(frozen=True)
class Scenario:
    """A named set of parameters: `runners` for the screening frame, `patients` replaces some of them for the visits."""

    name: str
    title: str
    horizon_months: int
    runners: dict[str, Parameter]
    patients: dict[str, Parameter]


@cache
def ledger() -> dict[str, Evidence]:
    """Return the ledger by row id."""
    lines = (_HOME / "evidence.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [Evidence(**row) for row in csv.DictReader(lines)]
    if len({row.id for row in rows}) != len(rows):
        raise FactError("the ledger (knowledge/evidence.csv) has a row id twice; ids must be unique")
    return {row.id: row for row in rows}


def ledger_fingerprint() -> str:
    """Return the digest of the ledger: which state of the evidence a bundle was made from."""
    return hashlib.sha256((_HOME / "evidence.csv").read_bytes()).hexdigest()


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the product."""
    return sorted(Path(entry.name).stem for entry in (_HOME / "scenarios").iterdir() if entry.name.endswith(".toml"))


def load_scenario(name: str) -> Scenario:
    """Read one scenario and hold every parameter to its source.

    Raises
    ------
    FactError
        If there is no such scenario, or any of its parameters has no source, cites an unknown row, or lies
        outside its own interval; all faults at once.
    """
    if name not in scenario_names():
        raise FactError(f"expected a scenario ({', '.join(scenario_names())}), got {name!r}")
    return parse_scenario(name, tomllib.loads((_HOME / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")))


def parse_scenario(name: str, content: dict[str, Any]) -> Scenario:
    """Build a scenario from parsed TOML; see `load_scenario`."""
    faults: list[str] = []
    sections = {
        part: {key: _parameter(f"{part}.{key}", raw, faults) for key, raw in content.get(part, {}).items()}
        for part in ("runners", "patients")
    }
    unknown = set(content) - {"title", "horizon_months", "runners", "patients"}
    faults += [f"{key}: not a part of a scenario (title, horizon_months, runners, patients)" for key in sorted(unknown)]
    if not content.get("title") or not isinstance(content.get("horizon_months"), int):
        faults.append("expected `title` (text) and `horizon_months` (a whole number) at the top of the file")
    if faults:
        raise FactError(f"scenario {name!r} is not usable:\n  " + "\n  ".join(faults))
    return Scenario(name, content["title"], content["horizon_months"], **sections)


def _parameter(name: str, raw: dict[str, Any], faults: list[str]) -> Parameter:
    value, low, high = _numbers(name, raw, faults)
    parameter = Parameter(
        name=name.split(".", 1)[1],
        value=value,
        low=low,
        high=high,
        unit=raw.get("unit", ""),
        rows=tuple(raw.get("rows", ())),
        how=raw.get("how", ""),
        assumption=bool(raw.get("assumption", False)),
    )
    if not parameter.rows and not parameter.assumption:
        faults.append(f"{name}: expected `rows` of the ledger or `assumption = true`, got neither")
    if not parameter.how:
        faults.append(f"{name}: expected `how` (the arithmetic, or the reason of the assumption), got nothing")
    faults += [f"{name}: row {row!r} is not in the ledger" for row in parameter.rows if row not in ledger()]
    unknown = set(raw) - {"value", "interval", "unit", "rows", "how", "assumption"}
    faults += [f"{name}: unknown key {key!r}" for key in sorted(unknown)]
    return parameter


def _numbers(name: str, raw: dict[str, Any], faults: list[str]) -> tuple[float, float, float]:
    value = raw.get("value")
    try:
        low, high = raw.get("interval", (value, value))
        numbers = float(value), float(low), float(high)  # type: ignore[arg-type]  # anything can stand in a file
    except (TypeError, ValueError):
        faults.append(f"{name}: expected `value = number` and, if known, `interval = [low, high]`, got {raw}")
        return (float("nan"),) * 3
    if not numbers[1] <= numbers[0] <= numbers[2]:
        faults.append(f"{name}: expected a value inside its interval, got {value} and {raw.get('interval')}")
    return numbers


__all__ = [
    "Evidence",
    "Parameter",
    "Scenario",
    "ledger",
    "ledger_fingerprint",
    "load_scenario",
    "parse_scenario",
    "scenario_names",
]
