"""The figures that the reports may quote: each is read from the bundle, its card or a table; none is typed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pfps_ml.bundle import Bundle
from pfps_ml.checks.size import rows_to_train
from pfps_ml.config import ValidationConfig
from pfps_ml.core.levels import percent
from pfps_ml.errors import FactError
from pfps_ml.knowledge.contracts import origin_of, people_of, size_of
from pfps_ml.knowledge.dictionary import BY_NAME, ONSET_FIELDS, SCREENING, VISIT
from pfps_ml.knowledge.evidence import ledger
from pfps_ml.knowledge.scenario import load_scenario
from pfps_ml.prediction import onset_to_json, pathways_to_json
from pfps_ml.recalibration.card import level_of
from pfps_ml.reference import SMALLEST
from pfps_ml.validation.samplesize import rows_for_auroc, rows_for_ratio
from pipelines.items import Known
from pipelines.validated import Validated, outside_figures

HOUSE = Path(__file__).resolve().parents[1]
CALIBRATION = HOUSE / "docs" / "calibration.csv"
PLAUSIBILITY = HOUSE / "PLAUSIBILITY.md"
_ROW = re.compile(r"\|(.+)\|")
_ROUND = 5e-6  # the manifest has six decimals
Rows = list[list[str]]


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
    card
        The tables of its card, by the first two words of their headers.
    tenths
        Predicted and observed risk of tenths of the held-out runners, if they are those of this bundle.
    plausible
        PLAUSIBILITY.md; empty for a bundle of real data.
    """

    bundle: Bundle
    manifest: dict[str, Any]
    reference: dict[str, Any]
    onset: dict[str, Any]
    pathways: dict[str, Any]
    card: dict[str, Rows]
    tenths: pd.DataFrame
    plausible: str


def figures(bundle: Bundle) -> dict[str, str]:
    """Return every figure that a bundle holds, by the name that answers quote it with.

    What a bundle does not hold (one of a real cohort has no scenario) has no name here; nor has, of an updated one,
    what was true before only.
    """
    source, found = _source(bundle), {}
    older = {name for update in bundle.manifest.get("updates", []) for name in _OLDER[people_of(update)]}
    for name, read in _FIGURES.items():
        if name in older:
            continue
        try:
            found[name] = read(source)
        except (LookupError, TypeError, FactError):
            continue
    return found


def known_of(bundle: Bundle, validated: Validated | None = None) -> Known:
    """Return what can be said of a bundle, and of its validation on a cohort from outside if there was one."""
    outside = outside_figures(validated) if validated else {}
    simulated = bool(bundle.manifest["trained_on"].get("simulated"))
    return Known(figures(bundle) | outside, simulated, bool(bundle.manifest.get("updates")), validated is not None)


def card_tables(card: str) -> dict[str, Rows]:
    """Return the tables of a model card: the rows of each, by the first two columns of its header."""
    tables: dict[str, Rows] = {}
    rows: Rows | None = None
    for line in card.splitlines():
        match = _ROW.fullmatch(line.strip())
        cells = [cell.strip() for cell in match[1].split("|")] if match else []
        if not cells:
            rows = None
        elif rows is None:
            rows = tables.setdefault(", ".join(cells[:2]), [])
        elif set(cells[0]) != {"-"}:
            rows.append(cells)
    return tables


def _source(bundle: Bundle) -> Source:
    plausible = PLAUSIBILITY.read_text(encoding="utf-8") if bundle.manifest["trained_on"].get("simulated") else ""
    source = Source(
        bundle, dict(bundle.manifest), dict(bundle.reference), onset_to_json(bundle.predictor),
        pathways_to_json(bundle.predictor), card_tables(bundle.card), pd.read_csv(CALIBRATION), plausible,
    )  # fmt: skip
    return source if _of_this_bundle(source) else replace(source, tenths=pd.DataFrame())


def _of_this_bundle(source: Source) -> bool:
    """Return whether the tracked table of calibration gives the bundle's own observed / expected."""
    tenths, ratio = source.tenths, source.manifest.get("metrics", {}).get("observed_expected", {}).get("value", 0)
    seen, expected = (float((tenths["n"] * tenths[name]).sum()) for name in ("observed", "predicted"))
    return bool(abs(seen / expected - ratio) < _ROUND)


def _config(source: Source, *path: str) -> Any:
    found: Any = source.manifest["config"]
    for key in path:
        found = found[key]
    return found


def _metric(name: str) -> Callable[[Source], str]:
    def read(source: Source) -> str:
        found = source.manifest["metrics"][name]
        return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"

    return read


def _of_card(table: str, say: Callable[[list[str]], str]) -> Callable[[Source], str]:
    return lambda source: "; ".join(map(say, source.card[table]))


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
    name = (min if least else max)(shares, key=lambda each: shares[each])
    return f"{shares[name]:.0%}" if not least else f"{shares[name]:.0%} ({name})"


def _parameters(source: Source) -> str:
    scenario = load_scenario(source.manifest["trained_on"]["scenario"])
    every = [*scenario.runners.values(), *scenario.patients.values()]
    assumed = sum(each.assumption for each in every)
    return f"{len(every) - assumed} parameters cite rows of the ledger and {assumed} are marked as assumptions"


def _said(source: Source, words: str) -> tuple[str, str]:
    """Return the two numbers in some words of PLAUSIBILITY.md, wherever its lines break."""
    first, second = re.findall(words, " ".join(source.plausible.split()))[0]
    return first, second


def _gate(source: Source) -> str:
    gate = source.pathways["gate"]
    beaten = sum(each["passed"] for each in gate["comparisons"])
    said = "so one may be named" if gate["passed"] else "so none is ever named"
    return f"{beaten} of {len(gate['comparisons'])} simpler accounts are beaten, {said}"


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
        f"{level_of(each)} of `{each['from']}`, on {size_of(each)} (cohort {each['cohort'][:12]}, the beginning of its "
        "digest)"
        for each in source.manifest["updates"]
    )


def _of_onset(source: Source) -> dict[str, Any]:
    """Return the last update on runners; one on patients says nothing of onset."""
    return [each for each in source.manifest["updates"] if people_of(each) == "runners"][-1]


def _update_ratio(source: Source) -> str:
    last = next((each for each in reversed(source.manifest["updates"]) if "runners" in each), None)
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
    "held_patients": lambda s: f"{int(s.card['pathway, patients'][0][1]):,}",
    "base_rate": lambda s: f"{s.reference['base_rate']:.1%}",
    "horizon": lambda s: str(s.bundle.horizons["onset"]),
    "onset": lambda s: s.bundle.label("onset"),
    "success": lambda s: f"{s.bundle.label('success')} ({s.bundle.meaning('success').rstrip('.')})",
    "screening": lambda s: f"{len(SCREENING)}",
    "visit": lambda s: f"{len(VISIT)}",
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
    "every_figure": _of_card("figure, value", lambda row: f"{row[0]} {row[1]} ({row[2]})"),
    "effects": _of_card("pathway, patients", lambda row: f"{row[0]} {row[2]} ({row[3]})"),
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
    "plausible": lambda s: "{} of {}".format(*_said(s, "(\\d+) of (\\d+) figures come back")),
    "independent": lambda s: "{1} of {0}".format(*_said(s, "of (\\d+) independent held-out figures, (\\d+) come back")),
    "persons": _persons,
    "origin": lambda s: "simulated" if s.manifest["trained_on"]["simulated"] else "a cohort brought by its user",
    "cell": lambda s: f"{_WIDTHS.fewest_events}",
    "smallest": lambda s: f"{SMALLEST}",
    "learned": lambda s: origin_of(s.manifest),
    "updates": _updates,
    "update_ratio": _update_ratio,
    "update_needed": lambda s: f"{_of_onset(s)['runners_for_ratio']:,}",
}  # fmt: skip

__all__ = ["CALIBRATION", "HOUSE", "PLAUSIBILITY", "Source", "card_tables", "figures", "known_of"]
