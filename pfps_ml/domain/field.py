"""What a field is: a column of the product, declared once, from which everything else is derived."""

from dataclasses import dataclass, replace
from typing import Literal

from pfps_ml.core.messages import Message

Kind = Literal["text", "number", "whole", "choice"]
Obtained = Literal["identifier", "questionnaire", "log", "field test", "dynamometry", "visit"]
Role = Literal["identifier", "lever", "marker", "test"]
Driver = Literal["hip", "foot", "knee", "load", "history", "body"]
Asked = Literal["screening", "visit"]

DRIVERS: tuple[Driver, ...] = ("hip", "foot", "knee", "load", "history", "body")
TIERS: tuple[Obtained, ...] = ("questionnaire", "log", "field test", "dynamometry")
YES_NO = ("no", "yes")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of a roster, a request, the page's form or a training frame.

    Attributes
    ----------
    name
        The column's name, with its unit as suffix where it has one.
    low, high
        Inclusive limits of a number, in `unit`.
    levels
        The levels of a choice, in the order of their codes (the first is 0).
    label, question, meaning, source
        How a report names it, how a person is asked for it, what it is, and where that definition is from.
    obtained
        Who or what can provide it; the order of `TIERS` is the order of cost.
    role
        A *lever* is causal and changeable, a *marker* is neither claimed to be; a *test* is a provocation test.
    direction
        +1 or -1 where the evidence settles the direction of the risk in every age group served, else 0.
    onset, pathways
        Whether the onset model and the pathway models read it.
    parts
        The fields that it is computed from, if it is derived (body mass index).
    """

    name: str
    kind: Kind
    label: str
    question: str
    meaning: str
    source: str
    group: str
    asked: Asked
    obtained: Obtained
    role: Role
    unit: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    levels: tuple[str, ...] = ()
    driver: Driver | None = None
    direction: int = 0
    decimals: int = 0
    onset: bool = False
    pathways: bool = False
    required: bool = False
    parts: tuple[str, ...] = ()

    @property
    def limits(self) -> str:
        """What a valid value looks like, in words: the one wording that every error and form uses."""
        if self.kind == "text":
            return "text"
        if self.kind == "choice":
            return " or ".join(self.levels)
        kind = "a whole number" if self.kind == "whole" else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"

    def show(self, value: float) -> str:
        """Return a coded value as a person reads it, with its unit."""
        if self.kind == "choice":
            return self.levels[int(value)]
        return f"{value:.{self.decimals}f}{' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True)
class Arm:
    """A treatment pathway, and the patients who may be offered it.

    Attributes
    ----------
    requires
        Fields and the level that each must have.
    why_not
        What is said to a patient who may not have it; None where everybody may.
    """

    name: str
    label: str
    meaning: str
    source: str
    requires: tuple[tuple[str, str], ...] = ()
    why_not: Message | None = None


def section(**shared: object) -> Field:
    """Return a prototype field: what the fields of one section of the dictionary have in common."""
    blank = {"name": "", "kind": "number", "label": "", "question": "", "meaning": "", "source": "",
             "group": "", "asked": "screening", "obtained": "questionnaire", "role": "marker"}  # fmt: skip
    return Field(**{**blank, **shared})  # type: ignore[arg-type]  # checked when each field is declared


def number(like: Field, name: str, low: float, high: float, **facts: object) -> Field:
    """Declare a number with inclusive limits."""
    return replace(like, name=name, low=low, high=high, **facts)  # type: ignore[arg-type]


def text(like: Field, name: str, **facts: object) -> Field:
    """Declare free text: an identifier, never a feature."""
    return replace(like, name=name, kind="text", **facts)  # type: ignore[arg-type]


def choice(like: Field, name: str, levels: tuple[str, ...] = YES_NO, **facts: object) -> Field:
    """Declare a choice between levels; yes or no if none are given."""
    return replace(like, name=name, kind="choice", levels=levels, **facts)  # type: ignore[arg-type]


__all__ = [
    "DRIVERS",
    "TIERS",
    "YES_NO",
    "Arm",
    "Driver",
    "Field",
    "choice",
    "number",
    "section",
    "text",
]
