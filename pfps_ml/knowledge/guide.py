"""MEASURING.md: what to measure and how, for whoever stands beside the runner, from the dictionary and its tests."""

from collections.abc import Iterator

from pfps_ml.core.markdown import markdown_table
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.knowledge.field import TIERS
from pfps_ml.knowledge.measuring import ASSUMPTION
from pfps_ml.knowledge.procedures import PROCEDURES, Procedure

_WHO = {
    "questionnaire": "whoever can ask",
    "log": "whoever has the log",
    "field test": "a physio, or a coach who was shown",
    "dynamometry": "a physio with a dynamometer",
    "visit": "a clinician, of a patient",
}
_ORDER = (*TIERS, "visit")
_INTRO = (
    "Only an id, the age and the sex are needed; each further measurement makes a risk more the runner's own. Begin at "
    "the top: the order is that of cost. The scored roster's column `measure_next` says for each runner what would "
    "change the picture most.",
    "Measure every runner the same way, in the same order, before training, and let one person do one test. What was "
    "not measured stays blank. What was measured in another way stays blank, too: a number that means something else "
    "does more harm than none.",
    "The procedures are the usual clinical forms of these tests. "
    + ASSUMPTION
    + " Numbers such as G3-25 are rows of `pfps_ml/knowledge/evidence.csv`. No "
    "model here was trained on such measurements of real runners, so how well they repeat in your hands is for you to "
    "see: measure ten runners twice.",
)


def guide_page() -> str:
    """Return MEASURING.md as text."""
    lines = ["# Measuring guide", "", NOTICE, "", "Written by `pfps guide`; a test fails when it is stale.", ""]
    for paragraph in _INTRO:
        lines += [paragraph, ""]
    lines += ["## What it takes", "", *_overview(), ""]
    for title, asked in (("Screening", "screening"), ("Knee visit", "visit")):
        lines += [f"## {title}", ""]
        for test in _in_order():
            if test.known[0].asked == asked:
                lines += [*_section(test), ""]
    return "\n".join(lines).rstrip() + "\n"


def _overview() -> Iterator[str]:
    rows = ((test.title, f"{test.minutes:g}", test.device, _WHO[_obtained(test)]) for test in _in_order())
    yield markdown_table(("test", "minutes", "what with", "who"), rows)
    screening = sum(test.minutes for test in PROCEDURES if test.known[0].asked == "screening")
    visit = sum(test.minutes for test in PROCEDURES if test.known[0].asked == "visit")
    yield ""
    yield f"All of a screening: about {screening:g} minutes a runner. All of a knee visit: about {visit:g} more."


def _in_order() -> list[Procedure]:
    """Return the tests by what they cost, as the tiers of the dictionary go; visits last."""
    return sorted(PROCEDURES, key=lambda test: _ORDER.index(_obtained(test)))


def _obtained(test: Procedure) -> str:
    """Return what all of a test takes: a weekly distance can be asked for, a spike needs the log."""
    return max((field.obtained for field in test.known), key=_ORDER.index)


def _section(test: Procedure) -> Iterator[str]:
    yield f"### {test.title} ({test.minutes:g} min)"
    yield ""
    yield f"**With:** {test.device}  "
    yield f"**Position:** {test.position}"
    yield ""
    for at, step in enumerate(test.steps, start=1):
        yield f"{at}. {step}"
    yield ""
    if test.sides:
        yield f"**Side:** {test.sides}  "
    yield f"**Mind:** {test.mind}  "
    yield f"**Source:** {test.source}."
    yield ""
    rows = ((f"`{field.name}`", field.question, field.meaning, field.limits) for field in test.known)
    yield markdown_table(("field", "ask or enter", "what it is", "limits"), rows)


__all__ = ["guide_page"]
