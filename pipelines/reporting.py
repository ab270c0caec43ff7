"""The reports that journals and ethics boards ask for, filled from a bundle; what was not done stands first.

TRIPOD+AI (what a report must say), PROBAST+AI (how far to trust it) and a data protection sheet. Questions and answers
are declared in the TOML files beside this one; the figures in them come from `pipelines.reported`.
"""

import os
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pfps_ml.bundle import Bundle, load_bundle
from pfps_ml.config import ProductConfig
from pfps_ml.core.markdown import markdown_table
from pfps_ml.outputs import write_whole
from pipelines.console import command, say
from pipelines.items import ANSWERS, BAD, CONCERNS, DONE, HERE, UNSURE, Item, filled, read_items, worst
from pipelines.reported import HOUSE, known_of
from pipelines.train import make_folder
from pipelines.validated import Validated, read_validation

DOCS = HOUSE / "docs"
# the bundle that is tracked; models/CURRENT may name one that was trained here since
REFERENCE = HOUSE / "models" / f"pfps-{ProductConfig.version}"
_WRITTEN = "Written by `python -m pipelines.reporting` from `{bundle}`{stale}."
Page = Callable[[Bundle, Validated | None], str]


def tripod_page(bundle: Bundle, validated: Validated | None = None) -> str:
    """Return TRIPOD.md: what a report of a bundle must say, item by item."""
    items = filled(read_items("tripod", "item", DONE), known_of(bundle, validated), "not done")
    counts = Counter(item.answer for item in items)
    answers = ", ".join(f"{counts[answer]} {answer}" for answer in DONE)
    lines = [
        *_head("TRIPOD+AI: what a report of these models must say", bundle),
        "The items are those of TRIPOD+AI (Collins and others, [BMJ 2024;385:e078378]"
        "(https://doi.org/10.1136/bmj-2023-078378)), put in our own words: read the original beside them. The answers "
        "are the project's own; nobody else has checked them.", "",
        f"Of {len(items)} parts of {_numbers(items)} items: {answers}.",
        "", "## Not done", "", *_listed(items, "not done"),
        "", "## Done in part", "", *_listed(items, "partly"),
    ]  # fmt: skip
    return _page([*lines, *_by_place(items, "answer")])


def probast_page(bundle: Bundle, validated: Validated | None = None) -> str:
    """Return PROBAST.md: quality, risk of bias and applicability, question by question."""
    known = known_of(bundle, validated)
    questions = filled(read_items("probast", "question", ANSWERS), known, "no information")
    concerns = filled(read_items("probast", "concern", CONCERNS), known, "unclear")
    lacking = "an assessment" if validated else "an external validation, and an assessment"
    lines = [
        *_head("PROBAST+AI: how far to trust these models", bundle),
        "The questions are those of PROBAST+AI (Moons and others, [BMJ 2025;388:e082505]"
        "(https://doi.org/10.1136/bmj-2024-082505)), put in our own words: read the original beside them. The tool is "
        "meant for assessors from outside; this is the project's judgement of itself. It is read strictly: a domain is "
        "of high concern with one no or probably no, unclear with one unknown, and the whole is its worst domain.", "",
        "## Overall", "", *_overall(questions, concerns), "",
        f"{len(questions)} questions, onset and pathways together. Not done: {lacking} by anybody else.", "",
        "## Domains", "", _domains(questions, concerns),
    ]  # fmt: skip
    return _page([*lines, *_by_place(questions, "answer")])


def data_protection_page(bundle: Bundle, _validated: Validated | None = None) -> str:
    """Return DATA_PROTECTION.md: what is stored where and for how long, and what nobody has seen to."""
    declared = tomllib.loads((HERE / "data_protection.toml").read_text(encoding="utf-8"))
    known = known_of(bundle).figures
    keys = ("where", "holds", "persons", "long", "ours")
    lines = [
        *_head("Data protection: what is stored where, and for how long", bundle),
        "For whoever runs the software on data of people, and for their data protection officer. It says what the "
        "software does; it is no legal advice, and no lawyer has read it. Nothing is sent anywhere but to whoever "
        "asks the service, or to the MLflow server that its user names.", "",
        "## Not done", "", *(f"- **{gap['title']}**: {gap['why']}." for gap in declared["gap"]), "",
        "## Where data are", "",
        markdown_table(("what", "where", "holds", "data of persons", "how long", "what the software does"), (
            (f"**{place['title']}**", *(place[key].format_map(known) for key in keys)) for place in declared["place"]
        )),
    ]  # fmt: skip
    return _page(lines)


PAGES: dict[str, Page] = {
    "TRIPOD.md": tripod_page, "PROBAST.md": probast_page, "DATA_PROTECTION.md": data_protection_page,
}  # fmt: skip


def write_reports(bundle: Bundle, folder: Path, validated: Validated | None = None) -> None:
    """Write all reports into a folder, with links to the documents of this checkout.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    make_folder(folder)
    up = os.path.relpath(HOUSE, folder.resolve())
    for name, page in PAGES.items():
        write_whole(folder / name, page(bundle, validated).replace("](../", f"]({up}/").encode("utf-8"))


def _head(title: str, bundle: Bundle) -> list[str]:
    stale = "; a test fails when it is stale" if bundle.name == REFERENCE.name else ""
    return [f"# {title}", "", f"**{bundle.notice}**", "", _WRITTEN.format(bundle=bundle.name, stale=stale), ""]


def _numbers(items: Iterable[Item]) -> int:
    return len({item.name.split()[0].rstrip("abcdefg") for item in items})


def _listed(items: Iterable[Item], answer: str) -> list[str]:
    return [f"- **{item.name}**: {item.why}" for item in items if item.answer == answer] or ["Nothing."]


def _by_place(items: Sequence[Item], header: str) -> Iterator[str]:
    for place in dict.fromkeys(item.place for item in items):
        yield from ("", f"## {place}", "")
        rows = ((f"**{i.name}**: {i.asks}", _marked(i.answer), i.why) for i in items if i.place == place)
        yield markdown_table(("item", header, "why"), rows)


def _marked(answer: str) -> str:
    return f"**{answer}**" if answer in BAD | UNSURE | {"not done", "partly"} else answer


def _overall(questions: Sequence[Item], concerns: Sequence[Item]) -> Iterator[str]:
    """Yield the four judgements of the tool: each the worst of its domains."""
    for label, part, items, outcome in (
        ("Quality of the development", "development", questions, "concern"),
        ("Risk of bias of the evaluation", "evaluation", questions, "risk of bias"),
        ("Applicability of the development", "development", concerns, "concern"),
        ("Applicability of the evaluation", "evaluation", concerns, "concern"),
    ):
        judged = worst(item for item in items if item.part == part)
        yield f"- {label}: **{judged} {outcome}**."


def _domains(questions: Sequence[Item], concerns: Sequence[Item]) -> str:
    applies = {item.place: item for item in concerns}
    rows = []
    for place in dict.fromkeys(item.place for item in questions):
        about = applies.get(place)
        applied = (_marked(about.answer), about.why) if about else ("not asked", "")
        rows.append((place, _marked(worst(item for item in questions if item.place == place)), *applied))
    return markdown_table(("domain", "concern (quality, risk of bias)", "concern (applicability)", "why"), rows)


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def main(
    bundle: Annotated[Path, typer.Option(help="The bundle to report on.")] = REFERENCE,
    out: Annotated[Path, typer.Option("-o", help="Folder of the reports.")] = DOCS,
    validation: Annotated[Path | None, typer.Option(help="What `pfps evaluate` wrote of this bundle.")] = None,
) -> None:
    """Write TRIPOD.md, PROBAST.md and DATA_PROTECTION.md."""
    subject = load_bundle(bundle)
    write_reports(subject, out, validation and read_validation(validation, subject))
    say(f"{', '.join(PAGES)} in {out}, of {bundle.name}")


if __name__ == "__main__":
    command(main)

__all__ = ["DOCS", "PAGES", "REFERENCE", "data_protection_page", "probast_page", "tripod_page", "write_reports"]
