"""The report of an external validation: one HTML file for people, one JSON file for programs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.bundle import digest, dump
from pfps_ml.domain.outcomes import Horizon
from pfps_ml.evaluation.report import Section, write_report
from pfps_ml.outputs import write_whole
from pfps_ml.records import Artifact, Metric, Param, Record, Tag
from pfps_ml.validation.against import AGAINST
from pfps_ml.validation.arms import ARM_LABELS
from pfps_ml.validation.external import Validation
from pfps_ml.validation.texts import ONSET_TEXTS, PATIENT_TEXTS
from pfps_ml.validation.told import for_people, plainly, shown

FORMAT = "pfps-validation/1"
PATHWAYS = "pfps-validation-pathways/1"
EXPERIMENT = "pfps-validation"
JSON = "report.json"
DIGEST = "digest"


def write_validation(found: Validation, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into a folder, and return their paths.

    Raises
    ------
    OutputError
        If the folder cannot be written; what was there before is whole.
    """
    what = "" if found.about == "onset" else "the pathways of "
    title = f"External validation of {what}{found.subject['bundle']}"
    page = write_report(folder, title, _sections(found), found.subject["notice"])
    write_whole(folder / JSON, as_json(found))
    return page, folder / JSON


def as_json(found: Validation) -> bytes:
    """Return everything but the pictures as JSON: NaN is null, and no value of a runner is in it.

    Its last entry is the digest of the others: a release, or a report, is never made of figures that were edited.
    """
    content: dict[str, Any] = {
        "format": FORMAT if found.about == "onset" else PATHWAYS, "subject": found.subject,
        "verdict": {"said": found.verdict.said, "text": found.verdict.text},
        "tables": {name: _records(table) for name, table in found.tables.items()},
    }  # fmt: skip
    content |= {DIGEST: digest_of(content)}
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def digest_of(content: dict[str, Any]) -> str:
    """Return the digest of what a `report.json` says, but for the digest that it says itself."""
    return digest(dump({name: part for name, part in content.items() if name != DIGEST}))


def records_of(found: Validation, folder: Path) -> list[Record]:
    """Return what MLflow is told: figures, verdict, digests and the two files; no value of a runner."""
    subject = found.subject
    return [
        Param("bundle", subject["bundle"]),
        Param("cohort", subject["cohort"]),
        Param("intervals", subject["intervals"]),
        *(Param(AGAINST, name) for name in _others(found)),
        Tag("verdict", found.verdict.said),
        *(Tag(check.code, check.verdict) for check in found.checks),
        *_metrics(found),
        *(Artifact(folder / name) for name in ("report.html", JSON)),
    ]  # fmt: skip


def _others(found: Validation) -> list[str]:
    """Return the name of the bundle that gains are over, if one was named."""
    return sorted(set(found.tables.get(AGAINST, pd.DataFrame(columns=[AGAINST]))[AGAINST]))


def lines_of(found: Validation) -> list[tuple[str, str]]:
    """Return what a terminal shows."""
    account = [(str(row.what), f"{row.rows:,}") for row in found.tables["account"].itertuples()]
    rows = found.figures.set_index("metric").loc[["auroc", "observed_expected", "calibration_slope"]]
    figures = [(str(row.label), shown(row.value, row.low, row.high)) for row in rows.itertuples()]
    open_checks = [(f"{each.code} {each.verdict}", each.why) for each in found.checks if each.verdict in _LOUD]
    return [*account, *figures, *_effect_lines(found), *open_checks, ("verdict", found.verdict.text)]


_LOUD = ("warn", "fail")


def _effect_lines(found: Validation) -> list[tuple[str, str]]:
    if found.about == "onset":
        return []
    lines = []
    effects = found.tables.get("effects", pd.DataFrame(columns=["effect"])).dropna(subset="effect")
    for row in effects.to_dict("records"):
        inside = "within it" if row["predicted_inside"] else "outside it"
        seen = shown(row["effect"], row["low"], row["high"])
        lines.append((f"effect: {ARM_LABELS[row['arm']]}", f"{seen}; predicted {row['predicted']:.3f}, {inside}"))
    *_, earned = found.tables["earned"].itertuples()
    return [*lines, ("preference earned here", str(earned.found))]


def _metrics(found: Validation) -> list[Metric]:
    """Return the finite figures; those of pathways under names of their own."""
    prefix = "" if found.about == "onset" else "success_"
    rows = [(f"{prefix}{row.metric}", row.value, row.low, row.high) for row in found.figures.itertuples()]
    for table, value, low, high in (("effects", "effect", "low", "high"), _SLOPES):
        for row in found.tables.get(table, pd.DataFrame()).to_dict("records"):
            rows.append((f"{value}_{row['arm']}", row[value], row[low], row[high]))
    return [Metric(name, *map(_number, figures)) for name, *figures in rows if np.isfinite(_number(figures[0]))]


_SLOPES = ("heterogeneity", "slope", "slope_low", "slope_high")


def _sections(found: Validation) -> list[Section]:
    told = (found.verdict.text, plainly(found), _about(found))
    sections = [Section("In short", "\n\n".join(part for part in told if part))]
    for name, (heading, text) in (ONSET_TEXTS if found.about == "onset" else PATIENT_TEXTS).items():
        picture = found.pictures.get(name)
        table = None if picture else found.tables.get(name)
        if picture or table is not None:
            sections.append(Section(heading, text, for_people(name, table), picture))
    return sections


def _about(found: Validation) -> str:
    subject, onset = found.subject, found.about == "onset"
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
