"""The report of an external validation: one HTML file for people, one JSON file for programs.

The HTML says the first figures in plain words and leaves out what only programs need. Each part of it (by the name of
its table or picture) has its heading and text here, in order.
"""

import json
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Artifact, Message, Metric, Param, Record, Tag, rounded, write_whole
from pfps_ml.domain import Estimand, Horizon
from pfps_ml.evaluation.check_catalogue import CheckVerdict
from pfps_ml.evaluation.cohort_figures import ARM_LABELS
from pfps_ml.evaluation.displays import Section, write_report
from pfps_ml.evaluation.estimands import withheld_message
from pfps_ml.evaluation.external_validation import AGAINST, Validation
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.evaluation.pathway_validation import EARNED
from pfps_ml.evaluation.verdict import Conclusion
from pfps_ml.model import digest, dump


def in_plain_words(validation: Validation) -> str:
    """Return the first figures in words; nothing where a check fails, since they mean little then."""
    rows = validation.figures.set_index("metric")[["value", "low", "high"]].astype(float).to_dict("index")
    ratio, auroc = rows["observed_expected"], 100 * rows["auroc"]["value"]
    if not np.isfinite([ratio["value"], auroc]).all() or any(
        check.verdict == CheckVerdict.FAIL for check in validation.checks
    ):
        return ""
    (events, pair), observed = _EVENTS[validation.about], validation.tables["account"]["rows"].iloc[-1]
    text = (
        f"In plain words: the model expected {observed / ratio['value']:,.0f} {events}, and {observed:,} were seen. "
        f"Of {pair} {auroc:.0f} times in 100; guessing would be 50. "
        "The intervals below say how far chance could move that."
    )
    return text if validation.verdict.conclusion != Conclusion.NONE else f"{text} {_without_verdict(validation, ratio)}"


def _without_verdict(validation: Validation, ratio: Mapping[Hashable, Any]) -> str:
    """Return what follows where there is no verdict; of runners also that the mean risk is off, if it is."""
    if validation.about == "onset" and not ratio["low"] <= 1 <= ratio["high"]:
        side = "high" if ratio["high"] < 1 else "low"
        return f"{_NO_VERDICT} Risks seem too {side} here on average: the interval of observed / expected leaves 1 out."
    return _NO_VERDICT


_EVENTS = {
    "onset": ("cases", "a runner with a new episode and one without, the former had the higher risk"),
    "pathways": (
        "successes under what each patient had",
        "a patient with success and one without, the former had been given the better chance",
    ),
}
_NO_VERDICT = "No verdict means neither that the model is right here nor that it is wrong."


def readable_table(name: str, table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return a table of a report as people read it: labels instead of the names that programs read.

    Parameters
    ----------
    name
        Of the table; some have columns that stand elsewhere in the report.
    table
        None if there is a picture in its place. The JSON file has every column.
    """
    if table is None or name == "cells":
        return None if table is None else _compact(table)
    arms = {column: table[column].replace(ARM_LABELS) for column in _ARMS if column in table}
    with_limits, elsewhere = _WITH_LIMITS.get(name, ()), _ELSEWHERE.get(name, ())
    figures = {
        column: [figure_with_limits(*row) for row in table[[column, *_limits(column)]].itertuples(index=False)]
        for column in with_limits
    }
    table = table.drop(columns=[column for column in table if str(column).endswith(_CODED)])
    left_out = [*(_FOR_PROGRAMS if "label" in table else ()), *elsewhere]
    left_out += [limit for column in (*with_limits, *elsewhere) for limit in _limits(column)]
    header = {"label": _HEADER.get(name, "figure"), "psi": "PSI"}
    return table.assign(**arms, **figures).drop(columns=left_out, errors="ignore").rename(columns=header)


_ARMS, _FOR_PROGRAMS = ("arm", "better", "other"), ("metric", "field")
_HEADER = {"drift": "field", "yardstick": "field", "gate": "simpler account"}
_CODED = ("_code", "_message")
_ELSEWHERE = {"checks": ("page", "reasons"), "verdict": ("kind", "arm"), "heterogeneity": ("mean",)}
_WITH_LIMITS = {"heterogeneity": ("slope", "group_spread"), "areas": ("autoc", "qini")}


def _limits(name: str) -> tuple[str, str]:
    return f"{name}_low", f"{name}_high"


def _compact(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell with the figures that people look for; the JSON file has all."""
    main = cells[cells["metric"].isin(_LOOKED_FOR)]
    texts = [
        "n/a" if np.isnan(value) else f"{value:z.2f}" if np.isnan(low) else f"{value:z.2f} ({low:z.2f} to {high:z.2f})"
        for value, low, high in main[["value", "low", "high"]].itertuples(index=False)
    ]
    wide = main.assign(text=texts).pivot(index=_CELL, columns="metric", values="text")[list(_LOOKED_FOR)]
    labels = main.drop_duplicates("metric").set_index("metric")["label"]
    return main[_CELL].drop_duplicates().merge(wide.rename(columns=labels.to_dict()).reset_index(), on=_CELL)


_LOOKED_FOR = ("auroc", "brier", "observed_expected", "calibration_slope")
_CELL = ["field", "level", "n", "events"]


def figure_with_limits(value: Any, low: Any, high: Any) -> str:
    """Return a figure with its limits; n/a if it is not known."""
    return "n/a" if np.isnan(value) else f"{value:z.3f} ({low:z.3f} to {high:z.3f})"


_DRIFT = (
    "Whether people here differ from those that the bundle was trained on, by field. The population stability index "
    "(PSI) is 0 if they are alike: below 0.1 drift is none, from 0.25 large, and none where chance alone (its column) "
    "exceeds it once in twenty. Outside is the share beyond what was usual in training (there it is 1 %), measured the "
    "share with a value."
)

ONSET_TEXTS = {
    "verdict": (
        "Verdict",
        "Of each figure: what was found, between which limits it may lie (95 %), how many runners a verdict needs (the "
        "published criteria for external validation, with the rate and the risks found here, and more where clubs "
        "differ), and how many there are. "
        "Observed / expected and the slope are 1 if risks are right on average, and neither too bold nor too timid; an "
        "AUROC of 0.5 is chance. A net benefit of 0.01 is one case more found in 100 runners, at no more false alarms.",
    ),
    "against": (
        "Against another bundle",
        "On the same runners, with intervals over the same resamples. A gain is better less worse: above 0, this "
        "bundle is the better one; if its interval holds 0, neither is shown to be.",
    ),
    "account": ("Rows", "What became of every row of the file."),
    "checks": (
        "Checks",
        "What may make figures look better than the model is; docs/CHECKS.md explains each. C06 is about training: how "
        "many this validation needs stands above.",
    ),
    "onset": ("Figures", "The calibration index of a perfect model is a little above 0, by chance."),
    "calibration": ("Calibration", "Predicted against observed risk; fewer parts than ten where a part would have too "
                                   "few cases."),
    "case_mix": (
        "Case-mix or model",
        "An AUROC falls where runners are more alike (expected here less training) or where the model is wrong of "
        "them (observed less expected).",
    ),
    "decision": (
        "Decision curve",
        "A model is of use at a threshold where its curve lies above acting for everybody and for nobody. Nothing "
        "here says that acting prevents a case.",
    ),
    "subgroups": (
        "Subgroups",
        "Only those with enough cases; the table below has all. A point without a line has no interval: too few clubs "
        "have such runners.",
    ),
    "cells": (
        "Every subgroup, club and kind of measurement",
        "Cells with fewer than 5 cases, or 5 others, show no figure and no number of cases. The interval of a club is "
        "over its runners. report.json has every figure.",
    ),
    "drift": (
        "Drift",
        _DRIFT,
    ),
    "size": (
        "Runners needed",
        "For 95 % intervals of these widths: published is for runners who tell something each (Riley and others 2021); "
        "needed is more where intervals are over clubs and wider than that, because clubs differ.",
    ),
}  # fmt: skip

PATHWAY_TEXTS = {
    "effects": ("Pathways: effects", "Mean difference from usual care, adjusted for how clinics assigned pathways."),
    "estimands": (
        "Pathways: whom an effect is about",
        "The same effects for all to whom the arm is open, for those who had it (treated), and for the overlap. "
        "Carried is how many patients of the smaller arm tell as much as the weights leave. Naive is the raw "
        "difference. Where an effect is withheld, its code says why: too few patients had a real chance of both arms "
        "(effect_withheld_overlap), or too few would carry it (effect_withheld_few).",
    ),
    "policies": (
        "Pathways: what choosing by the model is worth",
        "Success if all had what each rule names (doubly robust), and how far the model's choices lead that rule. "
        "A lead whose interval holds 0 has not been demonstrated.",
    ),
    "heterogeneity": (
        "Pathways: do patients differ as predicted?",
        "Slope 1: effects differ as predicted; 0: no sign of it; below 0: the wrong way round. "
        "P differs is one-sided against a slope of 0, p calibrated two-sided against 1; group spread and its p values "
        "ask the same of groups of patients sorted by their predicted effect. Many tests: one of twenty falls below "
        "0.05 by chance.",
    ),
    "groups": (
        "Pathways: effects in groups",
        "Patients in equal groups by their predicted effect: where it is right, predicted and observed meet.",
    ),
    "targeting": (
        "Pathways: targeting",
        "What is gained when a share of the patients has the arm, those first for whom most is predicted, against a "
        "random share (above); how much larger the effect is among them than among all (below).",
    ),
    "areas": (
        "Pathways: areas of the targeting curves",
        "Of the lower curves (AUTOC) and the upper (Qini): both are 0 if the order says nothing; p one-sided, above 0.",
    ),
    "sensitivity": (
        "Pathways: if something unrecorded made clinics choose",
        "A strength of 2 means that of two patients with the same records, one may have had twice the odds of the "
        "arm, for a reason that also bears on success. The band holds every effect that agrees with the data then.",
    ),
    "strength": (
        "Pathways: the strength that would overturn each preference",
        "From this strength on, no difference agrees with the data; strength 95 is the same for the 95 % interval, "
        "and 1 means that the interval holds no difference even if nothing is hidden.",
    ),
    "yardstick": (
        "Pathways: how strong recorded fields were",
        "A yardstick for the strengths above: how far the odds of an arm move when a recorded field is set to what is "
        "typical.",
    ),
    "propensities": (
        "Pathways: propensities",
        "Estimated chance of each arm among those who may have it. Where those who had it and those who did not do not "
        "overlap, nothing can be compared.",
    ),
    "overlap": (
        "Pathways: overlap",
        "Whether eligible patients had a real chance of each pathway: share is how many had more than the floor that "
        "effects are weighted with; then the smallest estimated chance, and the 5th, 50th and 95th of a hundred.",
    ),
}

PREFERENCES = (
    "Pathways: what is left to choose from",
    "Kept is the mean share of a patient's eligible arms that stay acceptable, named the share of patients for "
    "whom one is preferred; by thirds of overlap, the smallest chance that they had of an arm that they may have. "
    "In a simulated cohort also: how often a truly best arm stays acceptable, and a preferred one is best.",
)

PATIENT_TEXTS = {
    "verdict": (
        "Verdict",
        "Of each figure: what was found, how many patients a verdict needs, and how many there are; for an arm, "
        "those to whom it is open. Success: the published criteria for external validation. Effects: an interval of "
        "20 points for the mean, and of 1 for the slope, so that it cannot hold both \"as predicted\" (1) and \"not at "
        "all\" (0); widths fall with the root of the patients. The interval of a mean effect less the predicted is of "
        "both, what this cohort leaves open and what the bundle said that it does not know. Many are judged at once: "
        "a figure is off only if the interval at 95 % for all of them together leaves out what is right (of the "
        "predicted success: the range that a release is held to).",
    ),
    "account": ONSET_TEXTS["account"],
    "checks": ONSET_TEXTS["checks"],
    "arms": (
        "Arms",
        "Who had what, and the success observed and predicted under it. An arm is compared if at least 5 succeeded and "
        "5 did not under it and under usual care, among those to whom it is open. Differences between arms here are "
        "raw: they say as much of who was given what.",
    ),
    "success": (
        "Success: figures",
        "Of the success that was predicted under the arm that each patient had. The calibration index of a perfect "
        "model is a little above 0, by chance.",
    ),
    "calibration": (
        "Success: calibration",
        "Predicted against observed success; fewer parts than ten where a part would have too few successes.",
    ),
    "case_mix": (
        "Success: case-mix or model",
        "Expected here is the AUROC if every prediction were right; observed less expected is what the model gets "
        "wrong of these patients.",
    ),
    "subgroups": (
        "Success: subgroups",
        "Only those with enough successes; the last table has all. A point without a line has no interval: too few "
        "clubs have such patients.",
    ),
    **PATHWAY_TEXTS,
    "effects": (
        "Pathways: effects",
        "Mean difference from usual care, adjusted (doubly robust), beside the raw difference and what the bundle "
        "predicts on average of the same patients. Estimand says whom an effect is about: all to whom the arm is "
        "open; or, where hardly anybody had a real choice, the overlap (patients as far as both arms were a choice for "
        "them). The numbers behind the picture have the interval that the bundle gives itself. A prediction is outside "
        "only if both intervals say so: the observed effect's leaves out the predicted one, and the other way round.",
    ),
    "attrition": (
        "Outcomes that went missing",
        "How many patients of each arm entered, and of how many the outcome is known. Effects weigh those who stayed "
        "by the inverse of their chance to stay. Lowest and highest are the raw difference if every missing outcome "
        "had been as bad, or as good, for the arm as can be: no assumption makes the effect leave that range.",
    ),
    "gate": (
        "Pathways: the preference gate, held here",
        "Whether the bundle's effects for each patient are nearer to what these patients tell than three simpler "
        "accounts: the loss that they save, with a one-sided p value each. The accounts are the bundle's own averages; "
        "nothing was fitted here. Beside it what the gate said when the bundle was made.",
    ),
    "earned": (
        "Pathways: is a preference earned?",
        "The bundle names a preferred pathway only if its gate was passed when it was made. It is earned here if the "
        "gate is passed here, too.",
    ),
    "preferences": (
        PREFERENCES[0],
        "Kept is the mean share of a patient's eligible arms that stay acceptable, named the share of patients for "
        "whom one is preferred; by thirds of overlap where clinics chose and every arm can be compared.",
    ),
    "drift": (
        "Drift",
        f"{_DRIFT} What is asked of every runner was described from runners when the bundle was made, and patients "
        "differ from them: that is told, and not judged.",
    ),
    "size": (
        "Patients needed",
        "For 95 % intervals of these widths (success: Riley and others 2021; effects: from the intervals found here).",
    ),
    "cells": (
        "Success: every arm, subgroup and club",
        "Cells with fewer than 5 successes, or 5 others, show no figure and no number of successes. The interval of a "
        "club is over its patients. report.json has every figure.",
    ),
}  # fmt: skip


FORMAT = "pfps-validation/2"
PATHWAYS = "pfps-validation-pathways/2"
EXPERIMENT = "pfps-validation"
JSON = "report.json"
DIGEST = "digest"


def write_validation(validation: Validation, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into a folder, and return their paths.

    Raises
    ------
    OutputError
        If the folder cannot be written; what was there before is whole.
    """
    what = "" if validation.about == "onset" else "the pathways of "
    title = f"External validation of {what}{validation.subject['bundle']}"
    page = write_report(folder, title, _sections(validation), validation.subject["notice"])
    write_whole(folder / JSON, as_json(validation))
    return page, folder / JSON


def as_json(validation: Validation) -> bytes:
    """Return everything but the pictures as JSON: NaN is null, and no value of a runner is in it.

    Its last entry is the digest of the others: a release, or a report, is never made of figures that were edited.
    """
    content: dict[str, Any] = {
        "format": FORMAT if validation.about == "onset" else PATHWAYS, "subject": validation.subject,
        "verdict": validation.verdict.as_dict(),
        "tables": {name: _records(table) for name, table in validation.tables.items()},
    }  # fmt: skip
    content = rounded(content)
    content |= {DIGEST: digest_of(content)}
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def digest_of(content: dict[str, Any]) -> str:
    """Return the digest of what a `report.json` says, but for the digest that it says itself."""
    return digest(dump({name: part for name, part in content.items() if name != DIGEST}))


def records_of(validation: Validation, folder: Path) -> list[Record]:
    """Return what is logged to MLflow: figures, verdict, digests and the two files; no value of a runner."""
    subject = validation.subject
    return [
        Param("bundle", subject["bundle"]),
        Param("cohort", subject["cohort"]),
        Param("intervals", subject["intervals"]),
        Param("resampled", subject["resampled"]),
        *(Param(AGAINST, name) for name in _others(validation)),
        Tag("verdict", validation.verdict.conclusion),
        Tag("verdict_code", validation.verdict.messages[0].code),
        *(Tag(check.code, check.verdict) for check in validation.checks),
        *_metrics(validation),
        *(Artifact(folder / name) for name in ("report.html", JSON)),
    ]  # fmt: skip


def _others(validation: Validation) -> list[str]:
    """Return the name of the bundle that gains are over, if one was named."""
    return sorted(set(validation.tables.get(AGAINST, pd.DataFrame(columns=[AGAINST]))[AGAINST]))


def lines_of(validation: Validation) -> list[tuple[str, str]]:
    """Return what a terminal shows."""
    account = [(str(row.what), f"{row.rows:,}") for row in validation.tables["account"].itertuples()]
    rows = validation.figures.set_index("metric").loc[["auroc", "observed_expected", "calibration_slope"]]
    figures = [(str(row.label), figure_with_limits(row.value, row.low, row.high)) for row in rows.itertuples()]
    open_checks = [
        (f"{check.code} {check.verdict}", check.why) for check in validation.checks if check.verdict in _LOUD
    ]
    return [*account, *figures, *_effect_lines(validation), *open_checks, ("verdict", validation.verdict.text)]


_LOUD = ("warn", "fail")


def _effect_lines(validation: Validation) -> list[tuple[str, str]]:
    if validation.about == "onset":
        return []
    effects = validation.tables.get("effects", pd.DataFrame(columns=["naive"])).dropna(subset="naive")
    lines = [
        (Message("line_of_effect", {"arm": row["arm"]}).text, effect_message(row).text)
        for row in effects.to_dict("records")
    ]
    earned = validation.tables["earned"].set_index("what_code").loc[EARNED, "found"]
    return [*lines, ("preference earned here", str(earned))]


def effect_message(row: Mapping[Hashable, Any]) -> Message:
    """Return one mean effect as a sentence: whom it is about, raw beside adjusted, and what was predicted."""
    raw = _with_level(row["naive"], row["naive_low"], row["naive_high"])
    if pd.notna(row["withheld"]):
        about = {"why": withheld_message(row["withheld"]).as_dict(), "raw": raw, "estimand": str(row["estimand"])}
        return Message("effect_withheld", about)
    place = Message("prediction_inside" if row["predicted_inside"] else "prediction_outside")
    return Message("effect_beside_raw", {
        "adjusted": _with_level(row["effect"], row["low"], row["high"]), "raw": raw, "n": int(row["n"]),
        "whom": Message(_WHOM[row["estimand"]]).as_dict(), "predicted": float(row["predicted"]),
        "place": place.as_dict(),
    })  # fmt: skip


_WHOM = {
    Estimand.ALL: "effect_of_all", Estimand.TREATED: "effect_of_treated", Estimand.OVERLAP: "effect_of_overlap",
}  # fmt: skip


def _with_level(value: float, low: float, high: float) -> dict[str, Any]:
    """Return a difference with its interval, whose level is always said."""
    about = {"value": float(value), "low": float(low), "high": float(high), "level": LEVEL}
    if not np.isfinite([low, high]).all():
        return Message("difference_alone", {"value": float(value)}).as_dict()
    return Message("difference_with_level", about).as_dict()


def _metrics(validation: Validation) -> list[Metric]:
    """Return the finite figures; those of pathways under names of their own."""
    prefix = "" if validation.about == "onset" else "success_"
    rows = [(f"{prefix}{row.metric}", row.value, row.low, row.high) for row in validation.figures.itertuples()]
    for table, value, low, high in (("effects", "effect", "low", "high"), _SLOPES):
        for row in validation.tables.get(table, pd.DataFrame()).to_dict("records"):
            rows.append((f"{value}_{row['arm']}", row[value], row[low], row[high]))
    return [Metric(name, *map(_number, figures)) for name, *figures in rows if np.isfinite(_number(figures[0]))]


_SLOPES = ("heterogeneity", "slope", "slope_low", "slope_high")


def _sections(validation: Validation) -> list[Section]:
    texts = (validation.verdict.text, in_plain_words(validation), _about(validation))
    sections = [Section("In short", "\n\n".join(text for text in texts if text))]
    for name, (heading, text) in (ONSET_TEXTS if validation.about == "onset" else PATIENT_TEXTS).items():
        picture = validation.pictures.get(name)
        table = None if picture else validation.tables.get(name)
        if picture or table is not None:
            sections.append(Section(heading, text, readable_table(name, table), picture))
    return sections


def _about(validation: Validation) -> str:
    subject, onset = validation.subject, validation.about == "onset"
    trained, people = subject["trained_on"], "runners" if onset else "patients"
    kind = "simulated " if trained.get("simulated") else ""
    horizon = Horizon(**subject["horizon"])
    text = (
        f"Bundle {subject['bundle']}, trained on {trained[people]:,} {kind}{people}. Cohort {subject['cohort'][:12]} "
        f"(the beginning of its digest). Horizon {horizon}. 95 % intervals over resampled {subject['intervals']}."
    )
    if onset:
        return text
    how = _RANDOMISED if subject["randomised"] else _CHOSEN
    return f"{text}\n\n{how}"


_RANDOMISED = (
    "Whoever brought the cohort said that chance allocated the arms: the chance of an arm is the share that had it, "
    "among patients to whom the same arms are open."
)
_CHOSEN = (
    "Nobody said that chance allocated the arms, so effects are adjusted for what is recorded of the patients; what "
    "moved a clinic's choice and was not recorded is not adjusted for. What it would take to overturn an effect "
    "stands below."
)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _number(value: Any) -> float:
    return float(value)


__all__ = [
    "DIGEST", "EXPERIMENT", "FORMAT", "JSON", "ONSET_TEXTS", "PATHWAYS", "PATHWAY_TEXTS", "PATIENT_TEXTS",
    "PREFERENCES", "as_json", "digest_of", "figure_with_limits", "in_plain_words", "lines_of", "readable_table",
    "records_of", "write_validation",
]  # fmt: skip
