"""Clinical rules across fields: red flags, doubts, contradictions, units that look alike, and who may have an arm.

The rules are data (`rules.toml`); this module reads them strictly and says for which rows each of them fires. What
follows from a rule (numbers that are withheld, a caution, an arm that is not open) is the assessment's work.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pfps_ml.core import Bools, FactError, Floats
from pfps_ml.domain.dictionary import ARMS, BY_NAME
from pfps_ml.domain.evidence import ledger

Kind = Literal["red_flag", "doubt", "contradiction", "unit", "eligibility"]
Effect = Literal["withhold", "set_aside", "ineligible", "caution"]
Op = Literal["ge", "le", "gt", "lt", "eq", "missing"]

_EFFECTS: Mapping[str, tuple[str, ...]] = {
    "red_flag": ("withhold", "caution"),
    "doubt": ("caution",),
    "contradiction": ("set_aside",),
    "unit": ("caution",),
    "eligibility": ("ineligible",),
}
_PARTS = ("risk", "pathways")  # what can be withheld from an answer
_COMPARE = {"ge": np.greater_equal, "le": np.less_equal, "gt": np.greater, "lt": np.less, "eq": np.equal}
_HOME = files("pfps_ml.domain")


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Condition(_Declared):
    """One comparison: a field against a value, or against `times` another field `plus` a number.

    Attributes
    ----------
    field, other_field
        Names of fields.
    op
        `ge` (at least), `le` (at most), `gt` (more than), `lt` (less than), `eq` (equal) or `missing`.
    value
        A number in the field's unit, or a level of a choice.
    """

    field: str
    op: Op
    value: float | str | None = None
    other_field: str | None = None
    times: float = 1.0
    plus: float = 0.0

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for name in filter(None, (self.field, self.other_field)):
            _require(name in BY_NAME and BY_NAME[name].kind != "text", f"a field with numbers or levels, got {name!r}")
        sides = (self.value is not None) + (self.other_field is not None)
        _require(sides == (self.op != "missing"), f"one of value and other_field beside op {self.op!r}, got {sides}")
        _require(bool(self.other_field) or (self.times, self.plus) == (1, 0), "times and plus beside other_field only")
        field = BY_NAME[self.field]
        if self.value is not None:
            known = self.value in field.levels if field.levels else not isinstance(self.value, str)
            _require(known, f"{field.limits} for {self.field}, got {self.value!r}")
        return self

    def holds(self, columns: Mapping[str, Floats], rows: int) -> Bools:
        """Return for which coded rows the condition is true; a missing field makes only `missing` true."""
        left = _column(columns, self.field, rows)
        if self.op == "missing":
            return np.isnan(left)
        return np.asarray(_COMPARE[self.op](left, self._right(columns, rows)))

    def _right(self, columns: Mapping[str, Floats], rows: int) -> Floats | float:
        if self.other_field is not None:
            return _column(columns, self.other_field, rows) * self.times + self.plus
        if isinstance(self.value, str):
            return float(BY_NAME[self.field].levels.index(self.value))
        return float(self.value or 0.0)


class Rule(_Declared):
    """One rule: the conditions under which it fires, and what follows.

    Attributes
    ----------
    code
        The code of its sentence in the catalogue of messages.
    all, any
        The conditions; one of the two is empty. Every one must be true, or at least one.
    what
        The parts of an answer that are withheld (`risk`, `pathways`), or the fields that are set aside.
    arm
        The arm that is not open; empty for other effects.
    sources
        Rows of the evidence ledger.
    """

    code: str
    kind: Kind
    all: list[Condition] = Field(default_factory=list)
    any: list[Condition] = Field(default_factory=list)
    effect: Effect
    what: list[str] = Field(default_factory=list)
    arm: str = ""
    sources: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _require(bool(self.all) != bool(self.any), f"conditions under either all or any in rule {self.code!r}")
        _require(self.effect in _EFFECTS[self.kind], f"effect {' or '.join(_EFFECTS[self.kind])} in rule {self.code!r}")
        _require((self.effect == "ineligible") == bool(self.arm), f"arm with effect ineligible only, in {self.code!r}")
        _require(not self.arm or self.arm in [arm.name for arm in ARMS], f"an arm of the dictionary, got {self.arm!r}")
        _require(self._knows_what, f"what = {self._choices} in rule {self.code!r}, got {self.what}")
        unknown = [name for name in self.sources if name not in ledger()]
        _require(not unknown, f"rows of the evidence ledger as sources of {self.code!r}, got {unknown}")
        cited = bool(self.sources) or self.kind in ("contradiction", "unit")
        _require(cited, f"at least one source in rule {self.code!r}, got none")
        return self

    @property
    def conditions(self) -> list[Condition]:
        """The conditions, whether all or any of them must be true."""
        return self.all or self.any

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the rule reads, in the order of its conditions."""
        pairs = ((condition.field, condition.other_field) for condition in self.conditions)
        return tuple(dict.fromkeys(name for pair in pairs for name in pair if name))

    def fires(self, columns: Mapping[str, Floats]) -> Bools:
        """Return for which coded rows the rule fires, shape (rows,).

        Parameters
        ----------
        columns
            Coded rows as the column checker returns them: numbers and level codes, NaN where missing. A column that
            is not there is missing in every row.
        """
        rows = max((len(column) for column in columns.values()), default=0)
        held = [condition.holds(columns, rows) for condition in self.conditions]
        return np.asarray(np.logical_and.reduce(held) if self.all else np.logical_or.reduce(held))

    @property
    def _choices(self) -> str:
        if self.effect == "set_aside":
            return "optional fields that the rule reads, never age or sex"
        return f"one or more of {list(_PARTS)}" if self.effect == "withhold" else "[]"

    @property
    def _knows_what(self) -> bool:
        if self.effect == "set_aside":
            known = all(name in self.fields and not BY_NAME[name].required for name in self.what)
            return bool(self.what) and known
        if self.effect == "withhold":
            return bool(self.what) and set(self.what) <= set(_PARTS)
        return not self.what


@cache
def rules(kind: Kind | None = None) -> tuple[Rule, ...]:
    """Return the declared rules in their order, or those of one kind.

    Raises
    ------
    FactError
        If the file is no TOML, or a rule is not as `rules.toml` explains; every fault is named.
    """
    every = read_rules((_HOME / "rules.toml").read_text(encoding="utf-8"))
    return tuple(rule for rule in every if kind in (None, rule.kind))


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read rules from the text of a TOML file; see `rules`."""
    try:
        every = _Rules.model_validate(tomllib.loads(text)).rule
    except tomllib.TOMLDecodeError as error:
        raise FactError(f"the clinical rules (rules.toml) are no TOML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise FactError(f"the clinical rules (rules.toml) cannot be used: {faults}") from None
    codes = [rule.code for rule in every]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise FactError(f"the clinical rules (rules.toml): expected codes that are unique, got twice {twice}")
    return tuple(every)


def fired(some: Sequence[Rule], columns: Mapping[str, Floats]) -> Bools:
    """Return which of some rules fire for which coded rows, shape (rules, rows); see `Rule.fires`."""
    rows = max((len(column) for column in columns.values()), default=0)
    return np.array([rule.fires(columns) for rule in some], dtype=bool).reshape(len(some), rows)


class _Rules(_Declared):
    rule: list[Rule]


def _column(columns: Mapping[str, Floats], name: str, rows: int) -> Floats:
    column = columns.get(name)
    return np.full(rows, np.nan) if column is None else np.asarray(column)


def _require(right: bool, expected: str) -> None:
    if not right:
        raise ValueError(f"expected {expected}")


__all__ = ["Condition", "Effect", "Kind", "Rule", "fired", "read_rules", "rules"]
