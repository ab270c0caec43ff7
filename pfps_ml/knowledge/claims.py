"""What patients are told about runner's knee, and where the evidence conflicts: the S-rows of the ledger by subject.

The ledger says what is claimed and how the literature judges it; `claims.toml` says which figures bear on a claim and
which scenario parameters take a stand on it.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pfps_ml.errors import FactError
from pfps_ml.knowledge.evidence import ledger

ShownAs = Literal["number", "percent", "ratio"]
# the verdict stands at the start of the note of every S-row
VERDICTS = {
    "Supported": "published figures say the same",
    "Partly supported": "part of it is published, or it holds only with a restriction",
    "Weak": "no source, or evidence that does not carry it",
    "Contradicted": "published figures say otherwise",
    "Not checkable": "a description, an anecdote or a rule for which no figure was found",
}
_HOME = files("pfps_ml.knowledge") / "claims.toml"


@dataclass(frozen=True)
class Claim:
    """One thing that patients are told.

    Attributes
    ----------
    id
        Its row in the ledger.
    said
        The claim, in plain words.
    verdict, why
        How the literature judges it (one of `VERDICTS`), and the reason.
    rows
        The ledger rows that bear on it; empty where nothing was found.
    parameters
        The scenario parameters that take a stand on it, as `part.name`; empty where the simulated world is silent.
    """

    id: str
    said: str
    verdict: str
    why: str
    rows: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """The claims on one subject."""

    title: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Conflict:
    """Figures of the ledger that do not agree, and what they say."""

    title: str
    rows: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Shown:
    """How a parameter is named and shown to a reader: as a number with its unit, a percentage, or exp(value)."""

    label: str
    shown_as: ShownAs


@cache
def groups() -> tuple[Group, ...]:
    """Return all claims by subject.

    Raises
    ------
    FactError
        If a claim is no row of the ledger, or its note does not begin with a verdict.
    """
    return tuple(
        Group(group["title"], tuple(_claim(row, facts) for row, facts in group["claims"].items()))
        for group in _content()["group"]
    )


@cache
def conflicts() -> tuple[Conflict, ...]:
    """Return where the rows of the ledger do not agree."""
    return tuple(Conflict(each["title"], tuple(each["rows"]), each["says"]) for each in _content()["conflict"])


@cache
def shown() -> dict[str, Shown]:
    """Return how the parameters that claims name are shown, by `part.name`."""
    return {name: Shown(facts["label"], facts["as"]) for name, facts in _content()["shown"].items()}


def _content() -> dict[str, Any]:
    return tomllib.loads(_HOME.read_text(encoding="utf-8"))


def _claim(row: str, facts: dict[str, Any]) -> Claim:
    if row not in ledger():
        raise FactError(f"expected claims.toml to name rows of the ledger, got {row!r}; add the row or correct the id")
    verdict, _, why = ledger()[row].note.partition(": ")
    if verdict not in VERDICTS:
        raise FactError(f"expected the note of {row} to begin with a verdict ({', '.join(VERDICTS)}) and a colon")
    rows, parameters = tuple(facts["rows"]), tuple(facts.get("parameters", ()))
    return Claim(row, ledger()[row].quantity, verdict, why, rows, parameters)


__all__ = ["VERDICTS", "Claim", "Conflict", "Group", "Shown", "conflicts", "groups", "shown"]
