"""The reports that journals and ethics boards ask for, filled from a bundle; what was not done stands first.

TRIPOD+AI (what a report must say), PROBAST+AI (how far to trust it) and a data protection sheet. Questions and answers
are declared in the TOML files beside this one; the figures in them come from `pipelines.reported`.
"""

import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Annotated, Any

import typer

from pfps_ml.bundle import Bundle, load_bundle
from pfps_ml.config import ProductConfig
from pfps_ml.errors import FactError, InputError
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.outputs import write_whole
from pipelines.console import command, say
from pipelines.reported import HOUSE, figures
from pipelines.train import make_folder

HERE = Path(__file__).parent
DOCS = HOUSE / "docs"
# the bundle that is tracked; models/CURRENT may name one that was trained here since
REFERENCE = HOUSE / "models" / f"pfps-{ProductConfig.version}"
DONE = ("done", "partly", "not done", "not applicable")
ANSWERS = ("yes", "probably yes", "probably no", "no", "no information", "not applicable")
CONCERNS = ("low", "unclear", "high")
_BAD = {"no", "probably no", "high"}
_UNSURE = {"no information", "unclear"}
_ASK = "Only those who collected the cohort can say; nothing in the bundle tells."
_WRITTEN = "Written by `python -m pipelines.reporting` from `{bundle}`; a test fails when it is stale."


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
    of_simulation
        Whether the answer holds only because the data are simulated.
    """

    place: str
    name: str
    asks: str
    answer: str
    why: str
    of_simulation: bool = False


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
    found = []
    for row in tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))[kind]:
        label = " ".join(filter(None, (row.get("id"), row.get("title"))))
        item = Item(row.get("section") or row["domain"], label, row.get("asks", ""),
                    row.get("verdict") or row["answer"], row["why"], row.get("of_simulation", False))  # fmt: skip
        if item.answer not in answers or not item.why.strip():
            raise FactError(f"expected one of {', '.join(answers)} and a reason, got others: {name}.toml, {item.name}")
        found.append(item)
    return found


def filled(items: Iterable[Item], known: Mapping[str, str], simulated: bool, open_answer: str) -> list[Item]:
    """Return the items with the figures of a bundle; where it does not hold them, the open answer and why.

    Parameters
    ----------
    items
        As declared.
    known
        The figures by name.
    simulated
        Whether the bundle was trained on simulated data.
    open_answer
        What the guideline calls an item that is not answered.
    """
    found = []
    for item in items:
        lacking = sorted({name for _, name, _, _ in Formatter().parse(item.why) if name} - set(known))
        if item.of_simulation and not simulated:
            found.append(replace(item, answer=open_answer, why=_ASK))
        elif lacking:
            found.append(replace(item, answer=open_answer, why=f"The bundle does not say: {', '.join(lacking)}."))
        else:
            found.append(replace(item, why=item.why.format_map(known)))
    return found


def worst(items: Iterable[Item]) -> str:
    """Return the judgement that answers lead to, read strictly: high with one no, else unclear with one unknown."""
    said = {item.answer for item in items}
    return "high" if said & _BAD else "unclear" if said & _UNSURE else "low"


def tripod_page(bundle: Bundle) -> str:
    """Return TRIPOD.md: what a report of a bundle must say, item by item."""
    items = filled(read_items("tripod", "item", DONE), figures(bundle), _simulated(bundle), "not done")
    counts = Counter(item.answer for item in items)
    lines = [
        *_head("TRIPOD+AI: what a report of these models must say", bundle),
        "The items are those of TRIPOD+AI (Collins and others, [BMJ 2024;385:e078378]"
        "(https://doi.org/10.1136/bmj-2023-078378)), put in our own words: read the original beside them. The answers "
        "are the project's own; nobody else has checked them.", "",
        f"Of {len(items)} parts of {_numbers(items)} items: {', '.join(f'{counts[each]} {each}' for each in DONE)}.",
        "", "## Not done", "", *_listed(items, "not done"),
        "", "## Done in part", "", *_listed(items, "partly"),
    ]  # fmt: skip
    return _page([*lines, *_by_place(items, "answer")])


def probast_page(bundle: Bundle) -> str:
    """Return PROBAST.md: quality, risk of bias and applicability, question by question."""
    known, simulated = figures(bundle), _simulated(bundle)
    questions = filled(read_items("probast", "question", ANSWERS), known, simulated, "no information")
    concerns = filled(read_items("probast", "concern", CONCERNS), known, simulated, "unclear")
    lines = [
        *_head("PROBAST+AI: how far to trust these models", bundle),
        "The questions are those of PROBAST+AI (Moons and others, [BMJ 2025;388:e082505]"
        "(https://doi.org/10.1136/bmj-2024-082505)), put in our own words: read the original beside them. The tool is "
        "meant for assessors from outside; this is the project's judgement of itself. It is read strictly: a domain is "
        "of high concern with one no or probably no, unclear with one unknown, and the whole is its worst domain.", "",
        "## Overall", "", *_overall(questions, concerns), "",
        f"{len(questions)} questions, onset and pathways together. Not done: an external validation, and an assessment "
        "by anybody else.", "", "## Domains", "", *_domains(questions, concerns),
    ]  # fmt: skip
    return _page([*lines, *_by_place(questions, "answer")])


def data_protection_page(bundle: Bundle) -> str:
    """Return DATA_PROTECTION.md: what is stored where and for how long, and what nobody has seen to."""
    declared, known = tomllib.loads((HERE / "data_protection.toml").read_text(encoding="utf-8")), figures(bundle)
    keys = ("where", "holds", "persons", "long", "ours")
    lines = [
        *_head("Data protection: what is stored where, and for how long", bundle),
        "For whoever runs the software on data of people, and for their data protection officer. It says what the "
        "software does; it is no legal advice, and no lawyer has read it. Nothing is sent anywhere but to whoever "
        "asks the service, or to the MLflow server that its user names.", "",
        "## Not done", "", *(f"- **{gap['title']}**: {gap['why']}." for gap in declared["gap"]), "",
        "## Where data are", "",
        *_table(("what", "where", "holds", "data of persons", "how long", "what the software does"), (
            (f"**{place['title']}**", *(place[key].format_map(known) for key in keys)) for place in declared["place"]
        )),
    ]  # fmt: skip
    return _page(lines)


PAGES = {"TRIPOD.md": tripod_page, "PROBAST.md": probast_page, "DATA_PROTECTION.md": data_protection_page}


def write_reports(bundle: Bundle, folder: Path) -> None:
    """Write all reports into a folder, with links to the documents of this checkout.

    Raises
    ------
    InputError
        If the bundle was updated after its release: its card's figures are those of the bundle before.
    OutputError
        If the folder cannot be written.
    """
    if bundle.manifest.get("updates"):
        raise InputError(
            f"expected a bundle as it was trained, got one that was updated: {bundle.name}. Its card says what was "
            "updated; report on the bundle before it, and on the update by its validation on the next cohort"
        )
    make_folder(folder)
    up = os.path.relpath(HOUSE, folder.resolve())
    for name, page in PAGES.items():
        write_whole(folder / name, page(bundle).replace("](../", f"]({up}/").encode("utf-8"))


def _head(title: str, bundle: Bundle) -> list[str]:
    return [f"# {title}", "", f"**{NOTICE}**", "", _WRITTEN.format(bundle=bundle.name), ""]


def _simulated(bundle: Bundle) -> bool:
    return bool(bundle.manifest["trained_on"].get("simulated"))


def _numbers(items: Iterable[Item]) -> int:
    return len({item.name.split()[0].rstrip("abcdefg") for item in items})


def _listed(items: Iterable[Item], answer: str) -> list[str]:
    return [f"- **{item.name}**: {item.why}" for item in items if item.answer == answer] or ["Nothing."]


def _by_place(items: Sequence[Item], header: str) -> Iterator[str]:
    for place in dict.fromkeys(item.place for item in items):
        yield from ("", f"## {place}", "")
        rows = ((f"**{i.name}**: {i.asks}", _marked(i.answer), i.why) for i in items if i.place == place)
        yield from _table(("item", header, "why"), rows)


def _marked(answer: str) -> str:
    return f"**{answer}**" if answer in _BAD | _UNSURE | {"not done", "partly"} else answer


def _overall(questions: Sequence[Item], concerns: Sequence[Item]) -> Iterator[str]:
    """Yield the four judgements of the tool: each the worst of its domains."""
    for what, items in (("quality of the development", questions), ("risk of bias of the evaluation", questions),
                        ("applicability of the development", concerns),
                        ("applicability of the evaluation", concerns)):  # fmt: skip
        part = "Development" if "development" in what else "Evaluation"
        judged = worst(item for item in items if item.place.startswith(part))
        said = f"{judged} risk of bias" if "bias" in what else f"{judged} concern"
        yield f"- {what.capitalize()}: **{said}**."


def _domains(questions: Sequence[Item], concerns: Sequence[Item]) -> Iterator[str]:
    applies = {item.place: item for item in concerns}
    rows = []
    for place in dict.fromkeys(item.place for item in questions):
        about = applies.get(place)
        applied = (_marked(about.answer), about.why) if about else ("not asked", "")
        rows.append((place, _marked(worst(item for item in questions if item.place == place)), *applied))
    yield from _table(("domain", "concern (quality, risk of bias)", "concern (applicability)", "why"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def main(
    bundle: Annotated[Path, typer.Option(help="The bundle to report on.")] = REFERENCE,
    out: Annotated[Path, typer.Option("-o", help="Folder of the reports.")] = DOCS,
) -> None:
    """Write TRIPOD.md, PROBAST.md and DATA_PROTECTION.md."""
    write_reports(load_bundle(bundle), out)
    say(f"{', '.join(PAGES)} in {out}, of {bundle.name}")


if __name__ == "__main__":
    command(main)

__all__ = [
    "ANSWERS",
    "CONCERNS",
    "DOCS",
    "DONE",
    "HERE",
    "PAGES",
    "REFERENCE",
    "Item",
    "data_protection_page",
    "filled",
    "probast_page",
    "read_items",
    "tripod_page",
    "worst",
    "write_reports",
]
