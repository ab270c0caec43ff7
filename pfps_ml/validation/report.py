"""The report of an external validation: one HTML file for people, one JSON file for programs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.bundle import digest, dump
from pfps_ml.domain.outcomes import Horizon
from pfps_ml.evaluation.report import Section, write_report
from pfps_ml.numbers import rounded
from pfps_ml.outputs import write_whole
from pfps_ml.records import Artifact, Metric, Param, Record, Tag
from pfps_ml.validation.against import AGAINST
from pfps_ml.validation.arms import ARM_LABELS
from pfps_ml.validation.earned import EARNED
from pfps_ml.validation.external import Validation
from pfps_ml.validation.plain_language import figure_with_limits, in_plain_words, readable_table
from pfps_ml.validation.texts import ONSET_TEXTS, PATIENT_TEXTS

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
    lines = []
    effects = validation.tables.get("effects", pd.DataFrame(columns=["effect"])).dropna(subset="effect")
    for row in effects.to_dict("records"):
        inside = "within it" if row["predicted_inside"] else "outside it"
        observed = figure_with_limits(row["effect"], row["low"], row["high"])
        lines.append((f"effect: {ARM_LABELS[row['arm']]}", f"{observed}; predicted {row['predicted']:.3f}, {inside}"))
    earned = validation.tables["earned"].set_index("what_code").loc[EARNED, "found"]
    return [*lines, ("preference earned here", str(earned))]


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
    "DIGEST", "EXPERIMENT", "FORMAT", "JSON", "PATHWAYS", "as_json", "digest_of", "lines_of", "records_of",
    "write_validation",
]  # fmt: skip
