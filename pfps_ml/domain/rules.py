"""Rules across fields, declared as data: red flags, doubts, contradictions, other units, whom an arm is open to.

`rules.toml` holds the rules and says what its keys mean. A rule is evaluated over coded columns, many rows at once.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np

from pfps_ml.core import Bools, FactError, Floats, Message
from pfps_ml.domain.dictionary import ARMS, BY_NAME
from pfps_ml.domain.scenario import ledger

Kind = Literal["red_flag", "doubt", "contradiction", "unit", "eligibility"]
Effect = Literal["withhold", "caution", "set_aside", "ineligible"]
WITHHELD = ("risk", "pathways")  # what a rule may withhold
_COMPARE: dict[str, Callable[[Floats, Any], Any]] = {
    "ge": np.greater_equal, "le": np.less_equal, "gt": np.greater, "lt": np.less, "eq": np.equal,
}  # fmt: skip
_SIGNS = {"ge": "at least", "le": "at most", "gt": "above", "lt": "below", "eq": "is"}
_NEVER_SET_ASIDE = frozenset({"runner_id", "age_years", "sex"})


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition on one field, in its own unit: against a value, or against another field.

    Attributes
    ----------
    op
        `ge`, `le`, `gt`, `lt`, `eq`, or `missing`.
    value
        A number, or the level of a choice.
    other_field, times, plus
        The field that it is compared with, times a factor, plus a number.
    """

    field: str
    op: str
    value: float | str | None = None
    other_field: str | None = None
    times: float = 1.0
    plus: float = 0.0

    def holds(self, columns: Mapping[str, Floats]) -> Bools:
        """Return for which coded rows it holds; a missing field meets no condition but `missing`."""
        column = columns[self.field]
        if self.op == "missing":
            return np.isnan(column)
        return np.asarray(_COMPARE[self.op](column, self._against(columns)), dtype=bool)

    def _against(self, columns: Mapping[str, Floats]) -> Any:
        if self.other_field is not None:
            return self.times * columns[self.other_field] + self.plus
        return BY_NAME[self.field].levels.index(self.value) if isinstance(self.value, str) else self.value

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return (self.field,) if self.other_field is None else (self.field, self.other_field)

    def __str__(self) -> str:
        if self.op == "missing":
            return f"{self.field} is missing"
        other = str(self.value) if self.other_field is None else self.other_field
        times = f"{self.times:g} * " if self.times != 1 else ""
        plus = f" {'+' if self.plus > 0 else '-'} {abs(self.plus):g}" if self.plus else ""
        return f"{self.field} {_SIGNS[self.op]} {times}{other}{plus}"

    def fault(self) -> str | None:
        """Return what is wrong with its declaration, or None."""
        if unknown := [name for name in self.fields if name not in BY_NAME]:
            return f"no field {unknown[0]!r}"
        if self.op != "missing" and self.op not in _COMPARE:
            return f"no op {self.op!r}"
        if (self.op == "missing") == (self.value is not None or self.other_field is not None):
            return f"{self.field} {self.op} wants a value or a field to compare with, and missing wants none"
        if isinstance(self.value, str) and self.value not in BY_NAME[self.field].levels:
            return f"{self.field} has no level {self.value!r}"
        return None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule across fields; see `rules.toml` for what its parts mean."""

    code: str
    kind: Kind
    effect: Effect
    sources: tuple[str, ...]
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    what: tuple[str, ...] = ()
    arm: str | None = None

    def fires(self, columns: Mapping[str, Floats]) -> Bools:
        """Return in which coded rows the rule fires.

        Parameters
        ----------
        columns
            Numbers and level codes by field, NaN where missing, each of shape (rows,).
        """
        holds = [condition.holds(columns) for condition in self.conditions]
        return np.asarray(np.logical_and.reduce(holds) if self.all else np.logical_or.reduce(holds), dtype=bool)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Its conditions, all of one sort."""
        return self.all or self.any

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads, each once."""
        return tuple(dict.fromkeys(name for condition in self.conditions for name in condition.fields))

    @property
    def message(self) -> Message:
        """What is said where the rule fires."""
        return Message(self.code)

    def fault(self) -> str | None:
        """Return what is wrong with the declaration, or None."""
        if bool(self.all) == bool(self.any):
            return "expected conditions under `all` or under `any`"
        if faults := [fault for condition in self.conditions if (fault := condition.fault())]:
            return faults[0]
        if self.kind not in get_args(Kind) or self.effect not in get_args(Effect):
            return f"no kind {self.kind!r} with the effect {self.effect!r}"
        if unknown := set(self.sources) - set(ledger()):
            return f"no rows {sorted(unknown)} in the ledger"
        return self._fault_of_effect()

    def _fault_of_effect(self) -> str | None:
        allowed = {"withhold": set(WITHHELD), "set_aside": set(self.fields) - _NEVER_SET_ASIDE}.get(self.effect, set())
        if bool(self.what) != bool(allowed) or not set(self.what) <= allowed:
            return f"`what` wants some of {sorted(allowed)}"
        if (self.effect == "ineligible" and self.arm is None) or (self.arm and self.arm not in {a.name for a in ARMS}):
            return f"no arm {self.arm!r}"
        return None


@cache
def clinical_rules() -> tuple[Rule, ...]:
    """Return the rules, in the order in which they are said.

    Raises
    ------
    FactError
        If a rule names a field, level, arm or ledger row that is not there, or has another shape.
    """
    text = files("pfps_ml.domain").joinpath("rules.toml").read_text(encoding="utf-8")
    return rules_of(tomllib.loads(text)["rule"])


def rules_of(tables: list[dict[str, Any]]) -> tuple[Rule, ...]:
    """Return rules from their tables; see `clinical_rules`."""
    declared = []
    for table in tables:
        try:
            conditions = {name: tuple(Condition(**one) for one in table.get(name, ())) for name in ("all", "any")}
            lists = {name: tuple(table.get(name, ())) for name in ("what", "sources")}
            rule = Rule(**{**table, **conditions, **lists})
        except TypeError as error:
            raise FactError(f"domain/rules.toml: {table.get('code')}: {error}") from error
        if fault := rule.fault():
            raise FactError(f"domain/rules.toml: {rule.code}: {fault}")
        declared.append(rule)
    codes = [rule.code for rule in declared]
    if repeated := sorted({code for code in codes if codes.count(code) > 1}):
        fault = "this code stands twice"
        raise FactError(f"domain/rules.toml: {repeated[0]}: {fault}")
    return tuple(declared)


def rules_with(*effects: Effect, kind: Kind | None = None) -> tuple[Rule, ...]:
    """Return the rules that have one of some effects, in the order in which they are said."""
    return tuple(rule for rule in clinical_rules() if rule.effect in effects and kind in (None, rule.kind))


__all__ = ["WITHHELD", "Condition", "Effect", "Kind", "Rule", "clinical_rules", "rules_of", "rules_with"]
