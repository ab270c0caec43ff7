"""The checks' codes, titles and pages: what each looks for, what its verdicts mean, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pfps_ml.core import Message, sentence
from pfps_ml.domain import ONSET, SUCCESS

PAGE = "docs/CHECKS.md"


class CheckVerdict(StrEnum):
    """What came of a check."""

    PASS = "pass"  # noqa: S105 (no password)
    WARN = "warn"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Topic:
    """What a check looks for, when it warns or fails, and what to do then; its title stands in the catalogue."""

    looks: str
    limits: str
    remedy: str


@dataclass(frozen=True)
class Check:
    """A check as it came out.

    Attributes
    ----------
    code
        `C01` to `C11`, a key of `TOPICS`.
    reasons
        Why, as messages; they hold counts and names of columns, never a value or an id of a person.
    """

    code: str
    verdict: CheckVerdict
    reasons: tuple[Message, ...]

    @property
    def why(self) -> str:
        """The sentences of the reasons."""
        return "; ".join(reason.text for reason in self.reasons)

    @property
    def title(self) -> str:
        """What it is about, as a heading."""
        return title_of(self.code)

    @property
    def page(self) -> str:
        """Where it is explained."""
        return f"{PAGE}#{self.code.lower()}"


TOPICS = {
    "C01": Topic(
        "Whether cases were cases already when the predictors were measured: by the days of both (`--measured-on`, "
        "`--happened-on`), by knee pain at the start, and by any single field, or the arm, that tells cases from "
        "others as no measurement of the time before could.",
        "Fails if an outcome is dated on or before the screening, if more than a fifth of the cases had knee pain at "
        "the start, or if one field, or the arm, alone has an AUROC of 0.9 or more.",
        "Use the last screening before the outcome, and leave out who was a case then. A frame in which predictors and "
        "outcome are of the same day is cross-sectional: no validation of onset follows from it.",
    ),
    "C02": Topic(
        "Whether runners without an episode, and all patients, were followed over the whole horizon (`--follow-up`, or "
        f"the column follow_up_months): {ONSET.at()}, and {SUCCESS.at()}.",
        "Fails if more than a tenth of them were lost before it; warns if any were. They are set aside, which makes "
        "the outcome look more frequent than it is, and success as frequent as among those who stayed. Fails, too, if "
        "a case is dated after the horizon (`--measured-on`, `--happened-on`): within it the runner had none.",
        "Follow for longer, or predict over the shorter time with a bundle of that horizon.",
    ),
    "C03": Topic(
        "Whether rows of one person can fall into different folds, so that a model is judged on somebody it has seen. "
        "Clubs are kept whole, so a person may come twice within a club. Rows that are alike in outcome and every "
        "known field (at least 8) under other ids are taken to be one person's.",
        "Fails if a person has rows in more than one club, or in a file without clubs. Warns of rows that are alike.",
        "Keep one row a person, or give every person one club.",
    ),
    "C04": Topic(
        "Whether period (`--period`) or club alone tells the outcome, on rows that its rates were not taken from; and "
        "whether a field is little else than the period or the club.",
        "Fails if the period alone has an AUROC of 0.6 or more (p below 0.001), or half the variance of a field lies "
        "between periods or clubs while they tell the outcome. Warns if the club alone has 0.65 or more.",
        "Find out how runners came to be in the file: cases and others may have been collected in different years. "
        "Compare within a year, and leave out fields that were measured in another way.",
    ),
    "C05": Topic(
        "Whether a field was recorded more often in cases than in others of the same club, or less often.",
        "Fails if recording alone has an AUROC of 0.55 or more (0.45 or less) and is no chance (p below 0.01, over all "
        "fields); warns if it is no chance but smaller.",
        "Leave out what was recorded because somebody fell ill. What a club cannot measure is missing for everybody "
        "in it and does no harm.",
    ),
    "C06": Topic(
        "The number of runners that a model of these fields needs (Riley and others, BMJ 2020;368:m441): little "
        "overfitting (shrinkage 0.9), little optimism (0.05 of Nagelkerke's R2), and the mean risk to 0.05. The R2 "
        "expected is 15 % of the largest possible. In patients, every field counts for success under usual care and "
        "for what each other arm adds.",
        "Fails with fewer than 10 events; warns below the number needed.",
        "Do not train from nothing: start at the reference bundle, which local data then move as far as they can "
        "bear, or only recalibrate it.",
    ),
    "C07": Topic(
        "Whether patients who may have an arm had a real chance of it, as far as what is recorded tells (propensities "
        "from patients of other folds).",
        "Warns if 2 % of the chances are below the floor that effects are weighted with, fails at 10 %; and fails if "
        "all had one arm, or nobody had usual care, and warns if fewer than 20 had.",
        "Where nobody had an alternative nothing can be compared: leave those patients out, and say so. A column of "
        "arms (`arm`, or `--arm`) makes a file one of patients.",
    ),
    "C08": Topic(
        "Rows of one person and period that contradict each other, rows that are alike in every field and differ in "
        "the outcome, and a second column that says who is a case (`--second`).",
        "Fails if the second column contradicts the outcome in 2 % of the rows, or one person contradicts themselves; "
        "warns at fewer contradictions, and if rows alike in at least 8 fields differ.",
        "Settle who was a case with whoever recorded it, blind to the predictions.",
    ),
    "C09": Topic(
        "Whether outcomes are missing more often under one arm than under another.",
        "Warns if the shares of two arms differ by 5 points or more, fails from 10 points on; both only if chance "
        "seldom does it (p below 0.01).",
        "Find out who left and why. `pfps evaluate` weighs those who stayed by the inverse of their chance to stay, "
        "and shows what the missing outcomes could change at worst: read that range first.",
    ),
    "C10": Topic(
        "How many rows are set aside for a fault in a field, and which fields have most faults.",
        "Warns from 2 % of the rows on, fails from 10 % on: who is left may be another kind of people.",
        "Correct the cells, or map the column (its unit, its levels, its codes for missing).",
    ),
    "C11": Topic(
        "Whether some cells of a field are in another unit: cells outside the limits that another unit explains, and "
        "values in two humps that lie as far apart as two units do (2.54 for inches, 2.2 for pounds).",
        "Fails if 2 % of the cells (at least 5) are so.",
        "Give every row its unit (two columns, or one corrected column) and map it.",
    ),
}


def title_of(code: str) -> str:
    """Return what a check is about, as a heading."""
    title = sentence(f"check.{code}")
    return title[0].upper() + title[1:]


def passed(code: str, *reasons: Message) -> Check:
    """Return a check that passed."""
    return Check(code, CheckVerdict.PASS, reasons)


def warned(code: str, *reasons: Message) -> Check:
    """Return a check that warns."""
    return Check(code, CheckVerdict.WARN, reasons)


def failed(code: str, *reasons: Message) -> Check:
    """Return a check that failed."""
    return Check(code, CheckVerdict.FAIL, reasons)


def not_applicable(code: str, *reasons: Message) -> Check:
    """Return a check that the file says too little for."""
    return Check(code, CheckVerdict.NOT_APPLICABLE, reasons)


def judged(code: str, failures: Sequence[Message], warnings: Sequence[Message], *otherwise: Message) -> Check:
    """Return a check that failed or warns of something, or else passed."""
    if failures:
        return failed(code, *failures, *warnings)
    return warned(code, *warnings) if warnings else passed(code, *otherwise)


def guide_page() -> str:
    """Return the page that explains every check, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("# The checks before training", "")
    yield "`pfps audit COHORT` runs them; so do `pfps evaluate` and training on a real cohort. A check passes, warns,"
    yield "fails, or is not applicable because the file does not say what it needs. This page is written from the code."
    yield ""
    yield "An AUROC says how often, of a case and another runner, the case has the higher value: 0.5 is by chance, 1 is"
    yield "always."
    for code, topic in TOPICS.items():
        yield from ("", f'<a id="{code.lower()}"></a>', "", f"## {code}: {title_of(code)}", "")
        yield from (f"**Looks at.** {topic.looks}", "", f"**Verdict.** {topic.limits}", "", f"**Do.** {topic.remedy}")


__all__ = [
    "PAGE",
    "TOPICS",
    "Check",
    "CheckVerdict",
    "Topic",
    "failed",
    "guide_page",
    "judged",
    "not_applicable",
    "passed",
    "title_of",
    "warned",
]
