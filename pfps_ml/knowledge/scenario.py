"""The scenarios: named sets of parameters, each of which cites the ledger or says that it is an assumption.

A scenario file holds only what differs from its parent. Evidence draws sample every parameter from its interval.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf
from pathlib import Path
from typing import Any

from pfps_ml.errors import FactError
from pfps_ml.knowledge.parameter import Parameter, parse_parameter
from pfps_ml.randomness import uniforms

PARTS = ("runners", "patients")
HOME = Path(str(files("pfps_ml.knowledge") / "scenarios"))
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
    found: list[tuple[str, Parameter | None, Parameter | None]] = []
    for part in PARTS:
        one, two = getattr(first, part), getattr(second, part)
        for name in sorted({*one, *two}):
            pair = one.get(name), two.get(name)
            if _numbers_of(pair[0]) != _numbers_of(pair[1]):
                found.append((f"{part}.{name}", *pair))
    return found


def _load(name: str, home: Path, children: tuple[str, ...]) -> Scenario:
    if name in children:
        raise FactError(f"expected a parent that ends the line, got a circle: {' -> '.join((*children, name))}")
    if name not in scenario_names(home):
        asked = f", the parent of {children[-1]!r}" if children else ""
        raise FactError(f"expected a scenario ({', '.join(scenario_names(home))}), got {name!r}{asked}")
    try:
        content = tomllib.loads((home / f"{name}.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FactError(f"expected TOML in the scenario {name!r}, got: {error}") from error
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
    "Scenario",
    "differences",
    "load_scenario",
    "parse_scenario",
    "scenario_names",
]
