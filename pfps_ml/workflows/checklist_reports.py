"""The reports that journals and ethics boards ask for, filled from a bundle; what was not done stands first.

TRIPOD+AI (what a report must say), PROBAST+AI (how far to trust it) and a data protection sheet. Questions and answers
are declared in the TOML files beside this one. Each figure in them is read from the bundle or from a tracked table;
none is typed.
"""

import os
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.core import FactError, ProductConfig, ValidationConfig, percent, write_whole
from pfps_ml.core.console import command, say
from pfps_ml.core.markup import markdown_table
from pfps_ml.domain import (
    ARMS,
    BY_NAME,
    ONSET_FIELDS,
    SCREENING,
    VISIT,
    ledger,
    load_scenario,
    origin_of,
    people_of,
    size_of,
)
from pfps_ml.evaluation.cohort_checks import rows_to_train
from pfps_ml.evaluation.verdict import rows_for_auroc, rows_for_ratio
from pfps_ml.model import SMALLEST, Bundle, load_bundle, onset_to_json, pathways_to_json
from pfps_ml.workflows.card import figure, figures_of_format_1_card
from pfps_ml.workflows.checklists import (
    ANSWERS,
    BAD,
    CONCERNS,
    DONE,
    HERE,
    UNSURE,
    Item,
    Known,
    filled,
    read_items,
    worst,
)
from pfps_ml.workflows.recalibrate import level_of
from pfps_ml.workflows.release_gate import Validated, outside_figures, read_validation
from pfps_ml.workflows.train import make_folder
from pfps_ml.workflows.world_reports import HELD_OUT, TABLE as PLAUSIBILITY

HOUSE = Path(__file__).resolve().parents[2]
CALIBRATION = HOUSE / "docs" / "calibration.csv"
_ROUND = 5e-6  # the manifest has six decimals
Figures = list[dict[str, Any]]
_ARM_LABELS = {arm.name: arm.label for arm in ARMS}


@dataclass(frozen=True)
class Source:
    """What figures are read from.

    Attributes
    ----------
    bundle
        The bundle.
    manifest, reference
        Of the bundle.
    onset, pathways
        Its models as JSON.
    held_out
        The figures of the held-out clubs, as `pfps_ml.workflows.card.held_out_figures` returns them; empty if the
        bundle has none.
    tenths
        Predicted and observed risk of tenths of the held-out runners, if they are those of this bundle.
    plausible
        Which published figures the simulated cohort gives back; empty for a bundle of real data.
    """

    bundle: Bundle
    manifest: dict[str, Any]
    reference: dict[str, Any]
    onset: dict[str, Any]
    pathways: dict[str, Any]
    held_out: dict[str, Figures]
    tenths: pd.DataFrame
    plausible: pd.DataFrame


def figures(bundle: Bundle) -> dict[str, str]:
    """Return every figure that a bundle holds, by the name that answers quote it with.

    What a bundle does not hold (one of a real cohort has no scenario) has no name here; nor has, of an updated one,
    what was true before only.
    """
    source, known = _source(bundle), {}
    older = {name for update in bundle.manifest.get("updates", []) for name in _OLDER[people_of(update)]}
    for name, read in _FIGURES.items():
        if name in older:
            continue
        try:
            known[name] = read(source)
        except (LookupError, TypeError, FactError):
            continue
    return known


def known_of(bundle: Bundle, validated: Validated | None = None) -> Known:
    """Return what can be said of a bundle, and of its validation on a cohort from outside if there was one."""
    outside = outside_figures(validated) if validated else {}
    simulated = bool(bundle.manifest["trained_on"].get("simulated"))
    return Known(figures(bundle) | outside, simulated, bool(bundle.manifest.get("updates")), validated is not None)


def _source(bundle: Bundle) -> Source:
    simulated = bundle.manifest["trained_on"].get("simulated")
    plausible = pd.read_csv(HOUSE / PLAUSIBILITY) if simulated else pd.DataFrame()
    source = Source(
        bundle, dict(bundle.manifest), dict(bundle.reference), onset_to_json(bundle.predictor),
        pathways_to_json(bundle.predictor), _held_out(bundle), pd.read_csv(CALIBRATION), plausible,
    )  # fmt: skip
    return source if _of_this_bundle(source) else replace(source, tenths=pd.DataFrame())


def _held_out(bundle: Bundle) -> dict[str, Figures]:
    """Return the figures of the held-out clubs: from the manifest, or from the card where no manifest holds them."""
    if "held_out" in bundle.manifest:
        return dict(bundle.manifest["held_out"])
    try:
        return figures_of_format_1_card(bundle.card)
    except (LookupError, ValueError):
        return {}


def _of_this_bundle(source: Source) -> bool:
    """Return whether the tracked table of calibration gives the bundle's own observed / expected."""
    tenths, ratio = source.tenths, source.manifest.get("metrics", {}).get("observed_expected", {}).get("value", 0)
    observed, expected = (float((tenths["n"] * tenths[name]).sum()) for name in ("observed", "predicted"))
    return bool(abs(observed / expected - ratio) < _ROUND)


def _config(source: Source, *path: str) -> Any:
    value: Any = source.manifest["config"]
    for key in path:
        value = value[key]
    return value


def _metric(name: str) -> Callable[[Source], str]:
    def read(source: Source) -> str:
        figure = source.manifest["metrics"][name]
        return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"

    return read


def _every_figure(source: Source) -> str:
    rows = (figure(SimpleNamespace(**row)) for row in source.held_out["onset"])
    return "; ".join(f"{label} {value} ({interval})" for label, value, interval in rows)


def _effects(source: Source) -> str:
    return "; ".join(
        f"{_ARM_LABELS[row['arm']]} {row['effect']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        for row in source.held_out["effects"]
    )


def _cases(source: Source) -> int:
    return round(float(source.reference["base_rate"]) * int(source.manifest["trained_on"]["runners"]))


def _held_cases(source: Source) -> int:
    return round(float((source.tenths["n"] * source.tenths["observed"]).sum()))


def _held_runners(source: Source) -> int:
    return int(source.tenths["n"].sum())


def _held_clubs(source: Source) -> int:
    made = source.manifest["config"]["cohort"]
    return int(made["runners"] // made["runners_per_club"]) - int(source.manifest["trained_on"]["clubs"])


def _values(source: Source) -> int:
    """Return how many numbers the main onset model's tables have."""
    return sum(len(term["values"]) for term in source.onset["model"]["terms"])


def _needed(source: Source, parameters: int) -> str:
    return f"{rows_to_train(parameters, source.reference['base_rate']):,}"


def _for_ratio(source: Source) -> int:
    return rows_for_ratio(_held_cases(source) / _held_runners(source), _WIDTHS.width_observed_expected)


def _for_auroc(source: Source) -> int:
    area = source.manifest["metrics"]["auroc"]["value"]
    return rows_for_auroc(area, _held_cases(source) / _held_runners(source), _WIDTHS.width_auroc)


def _measured(source: Source, least: bool) -> str:
    shares = {BY_NAME[name].label: source.reference["fields"][name]["measured"] for name in ONSET_FIELDS}
    name = (min if least else max)(shares, key=lambda label: shares[label])
    return f"{shares[name]:.0%}" if not least else f"{shares[name]:.0%} ({name})"


def _parameters(source: Source) -> str:
    scenario = load_scenario(source.manifest["trained_on"]["scenario"])
    parameters = [*scenario.runners.values(), *scenario.patients.values()]
    assumed = sum(parameter.assumption for parameter in parameters)
    return f"{len(parameters) - assumed} parameters cite rows of the ledger and {assumed} are marked as assumptions"


def _share_back(published: pd.DataFrame) -> str:
    """Return how many of some published figures come back from the simulated cohort."""
    return f"{published['inside'].sum()} of {len(published)}"


def _gate(source: Source) -> str:
    gate = source.pathways["gate"]
    beaten = sum(rival["passed"] for rival in gate["comparisons"])
    conclusion = "so one may be named" if gate["passed"] else "so none is ever named"
    return f"{beaten} of {len(gate['comparisons'])} simpler accounts are beaten, {conclusion}"


def _persons(source: Source) -> str:
    if source.manifest.get("updates"):
        return (
            "was updated on a cohort: of it, it holds a few coefficients, the mean risk, counts of runners and cases, "
            "and the digest of the file, by which whoever has the file can tell that it was used"
        )
    if source.manifest["trained_on"]["simulated"]:
        return "was trained on simulated data and holds nothing of anybody"
    return "was trained on a cohort: look through it before it leaves the house"


def _updates(source: Source) -> str:
    return "; ".join(
        f"{level_of(update)} of `{update['from']}`, on {size_of(update)} (cohort {update['cohort'][:12]}, "
        "the beginning of its digest)"
        for update in source.manifest["updates"]
    )


def _of_onset(source: Source) -> dict[str, Any]:
    """Return the last update on runners; one on patients says nothing of onset."""
    updates: list[dict[str, Any]] = source.manifest["updates"]
    return [update for update in updates if people_of(update) == "runners"][-1]


def _update_ratio(source: Source) -> str:
    last = next((update for update in reversed(source.manifest["updates"]) if "runners" in update), None)
    if last is None:
        return "not known, for only the pathways were updated"
    return f"{last['observed_expected_before']:.2f} before and {last['observed_expected_after']:.2f} after"


_WIDTHS = ValidationConfig()
# of what a card says of a bundle, and what was counted of its training, an update leaves these behind
_OLDER = {
    "runners": ("cases", "base_rate", "needed_fields", "needed_values", "every_figure", "held_runners", "held_clubs",
                "needed_ratio", "needed_auroc"),
    "patients": ("effects", "every_figure", "held_patients"),
}  # fmt: skip
_FIGURES: dict[str, Callable[[Source], str]] = {
    "bundle": lambda s: s.manifest["name"],
    "created": lambda s: s.manifest["created"][:10],
    "scenario": lambda s: load_scenario(s.manifest["trained_on"]["scenario"]).name,
    "runners": lambda s: f"{s.manifest['trained_on']['runners']:,}",
    "patients": lambda s: f"{s.manifest['trained_on']['patients']:,}",
    "clubs": lambda s: f"{s.manifest['trained_on']['clubs']:,}",
    "cases": lambda s: f"{_cases(s):,}",
    "held_runners": lambda s: f"{_held_runners(s):,}",
    "held_cases": lambda s: f"{_held_cases(s):,}",
    "held_clubs": lambda s: f"{_held_clubs(s)}",
    "held_patients": lambda s: f"{s.held_out['effects'][0]['patients']:,}",
    "base_rate": lambda s: f"{s.reference['base_rate']:.1%}",
    "horizon": lambda s: str(s.bundle.horizons["onset"]),
    "onset": lambda s: s.bundle.label("onset"),
    "success": lambda s: f"{s.bundle.label('success')} ({s.bundle.meaning('success').rstrip('.')})",
    "screening": lambda s: f"{len(SCREENING)}",
    "visit": lambda s: f"{sum(field.role != 'flag' for field in VISIT)}",
    "fields": lambda s: f"{len(ONSET_FIELDS)}",
    "values": lambda s: f"{_values(s)}",
    "needed_fields": lambda s: _needed(s, len(ONSET_FIELDS)),
    "needed_values": lambda s: _needed(s, _values(s)),
    "needed_ratio": lambda s: f"{_for_ratio(s):,}",
    "needed_auroc": lambda s: f"{_for_auroc(s):,}",
    "least_measured": lambda s: _measured(s, True),
    "most_measured": lambda s: _measured(s, False),
    "auroc": _metric("auroc"),
    "slope": _metric("calibration_slope"),
    "intercept": _metric("calibration_intercept"),
    "ratio": _metric("observed_expected"),
    "every_figure": _every_figure,
    "effects": _effects,
    "gate": _gate,
    "level": lambda s: percent(s.bundle.level),
    "low_band": lambda s: f"{_config(s, 'product', 'low_band_below'):g}",
    "high_band": lambda s: f"{_config(s, 'product', 'high_band_from'):g}",
    "held_share": lambda s: f"{_config(s, 'split', 'held_out_share'):.0%}",
    "folds": lambda s: f"{_config(s, 'split', 'folds')}",
    "resampled": lambda s: f"{s.onset['interval']['sampling']}",
    "draws": lambda s: f"{s.onset['interval']['evidence']}",
    "masked": lambda s: f"{_config(s, 'onset', 'masked_share'):.0%}",
    "knots": lambda s: f"{_config(s, 'onset', 'knots')}",
    "floor": lambda s: f"{_config(s, 'pathways', 'propensity_floor'):g}",
    "smooth": lambda s: f"{s.manifest['recipe']['smooth_weight']:.2f}",
    "boost": lambda s: f"{s.manifest['recipe']['boost_weight']:.2f}",
    "trees": lambda s: f"{s.manifest['recipe']['trees']}",
    "pairs": lambda s: f"{len(s.manifest['recipe']['pairs'])}",
    "parameters": _parameters,
    "ledger": lambda s: f"{len(ledger())}",
    "plausible": lambda s: _share_back(s.plausible),
    "independent": lambda s: _share_back(s.plausible[s.plausible["use"] == HELD_OUT]),
    "persons": _persons,
    "origin": lambda s: "simulated" if s.manifest["trained_on"]["simulated"] else "a cohort brought by its user",
    "cell": lambda s: f"{_WIDTHS.fewest_events}",
    "smallest": lambda s: f"{SMALLEST}",
    "learned": lambda s: origin_of(s.manifest),
    "updates": _updates,
    "update_ratio": _update_ratio,
    "update_needed": lambda s: f"{_of_onset(s)['runners_for_ratio']:,}",
}  # fmt: skip


DOCS = HOUSE / "docs"
# the bundle that is tracked; models/CURRENT may name one that was trained here since
REFERENCE = HOUSE / "models" / f"pfps-{ProductConfig.version}"
_WRITTEN = "Written by `python -m pfps_ml.workflows.checklist_reports` from `{bundle}`{stale}."
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
    write_reports(subject, out, read_validation(validation, subject) if validation else None)
    say(f"{', '.join(PAGES)} in {out}, of {bundle.name}")


if __name__ == "__main__":
    command(main)

__all__ = [
    "CALIBRATION", "DOCS", "HOUSE", "PAGES", "REFERENCE", "Source", "data_protection_page", "figures", "known_of",
    "probast_page", "tripod_page", "write_reports",
]  # fmt: skip
