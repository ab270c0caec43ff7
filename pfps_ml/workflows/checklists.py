"""The items of a guideline: read from their declarations, and filled with what a bundle and its validation say."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from pfps_ml.core import FactError, Message

HERE = Path(__file__).parent
DONE = ("done", "partly", "not done", "not applicable")
ANSWERS = ("yes", "probably yes", "probably no", "no", "no information", "not applicable")
CONCERNS = ("low", "unclear", "high")
BAD = {"no", "probably no", "high"}
UNSURE = {"no information", "unclear"}
CASES = ("validated", "updated")  # in which another answer may stand; of two that apply, the first
_ASK = "Only those who collected the cohort can say; nothing in the bundle tells."
_UNJUDGED = "It has not been evaluated since it was updated."
Answer = tuple[str, str]
Part = Literal["development", "evaluation"]


@dataclass(frozen=True)
class Item:
    """A question of a guideline, and what is answered.

    Attributes
    ----------
    place
        The section or domain that it stands in.
    name, asks
        Its number and short title, and what it asks for, in our own words.
    answer, why
        One of the guideline's answers, and the reason.
    part
        Whether it is about the development of a model or its evaluation; None where a guideline does not say.
    of_simulation
        Whether the answer holds only because the data are simulated.
    otherwise
        Answer and reason where the bundle was validated on a cohort from outside, or updated.
    """

    place: str
    name: str
    asks: str
    answer: str
    why: str
    part: Part | None = None
    of_simulation: bool = False
    otherwise: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What can be said of a bundle.

    Attributes
    ----------
    figures
        By the name that answers quote them with.
    simulated
        Whether it was trained on simulated data.
    updated, validated
        Whether it was updated on a cohort since, and validated on another.
    """

    figures: Mapping[str, str]
    simulated: bool = True
    updated: bool = False
    validated: bool = False

    def case_of(self, item: Item) -> str | None:
        """Return the case in which the item's other answer stands, if one applies."""
        applies = {"validated": self.validated, "updated": self.updated}
        return next((case for case in CASES if applies[case] and case in item.otherwise), None)

    def has_people(self, part: Part | None) -> bool:
        """Return whether people, and not only simulated runners, stand behind a part of a guideline."""
        developed = self.updated or not self.simulated
        if part == "development":
            return developed
        return developed or self.validated

    def is_unjudged(self, part: Part | None) -> bool:
        """Return whether a part is about an evaluation that there is none of."""
        return part == "evaluation" and self.updated and not self.validated


def read_items(name: str, kind: str, answers: Sequence[str]) -> list[Item]:
    """Return the declared items of a kind.

    Parameters
    ----------
    name
        Of the TOML file, without its ending.
    kind
        Of the tables in it.
    answers
        Those that the guideline allows.

    Raises
    ------
    FactError
        If an answer is none of these, or has no reason.
    """
    items = []
    for row in tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))[kind]:
        label = " ".join(filter(None, (row.get("id"), row.get("title"))))
        otherwise = {case: _answer(row[case]) for case in CASES if case in row}
        item = Item(row.get("section") or row["domain"], label, row.get("asks", ""), *_answer(row),
                    row.get("part"), row.get("of_simulation", False), otherwise)  # fmt: skip
        for answer, why in ((item.answer, item.why), *otherwise.values()):
            if (answer not in answers and "{" not in answer) or not why.strip():
                about = {"answers": list(answers), "file": f"{name}.toml", "item": item.name}
                raise FactError(Message("answer_not_allowed", about))
        items.append(item)
    return items


def filled(items: Iterable[Item], known: Known, open_answer: str) -> list[Item]:
    """Return the items with the figures of a bundle; where they are not known, the open answer and why.

    Parameters
    ----------
    items
        As declared.
    known
        What can be said of the bundle.
    open_answer
        What the guideline calls an item that is not answered.
    """
    return [replace(item, answer=answer, why=why) for item in items
            for answer, why in [_filled(item, known, open_answer)]]  # fmt: skip


def worst(items: Iterable[Item]) -> str:
    """Return the judgement that answers lead to, read strictly: high with one no, else unclear with one unknown."""
    answers = {item.answer for item in items}
    return "high" if answers & BAD else "unclear" if answers & UNSURE else "low"


def _filled(item: Item, known: Known, open_answer: str) -> Answer:
    case = known.case_of(item)
    if known.is_unjudged(item.part):
        return open_answer, _UNJUDGED
    if case is None and item.of_simulation and known.has_people(item.part):
        return open_answer, _ASK
    answer, why = item.otherwise[case] if case else (item.answer, item.why)
    quoted = {name for text in (answer, why) for _, name, _, _ in Formatter().parse(text) if name}
    if lacking := sorted(quoted - set(known.figures)):
        return open_answer, f"The bundle does not say: {', '.join(lacking)}."
    return answer.format_map(known.figures), why.format_map(known.figures)


def _answer(row: Mapping[str, Any]) -> Answer:
    return row.get("verdict") or row["answer"], row["why"]


__all__ = [
    "ANSWERS", "BAD", "CASES", "CONCERNS", "DONE", "HERE", "UNSURE", "Answer", "Item", "Known", "filled", "read_items",
    "worst",
]  # fmt: skip
