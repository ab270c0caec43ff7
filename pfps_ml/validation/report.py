"""The report of an external validation: one HTML file for people, one JSON file for programs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.evaluation.report import Section, write_report
from pfps_ml.outputs import write_whole
from pfps_ml.records import Artifact, Metric, Param, Record, Tag
from pfps_ml.validation.external import Validation

FORMAT = "pfps-validation/1"
EXPERIMENT = "pfps-validation"
JSON = "report.json"
_TEXTS = {
    "verdict": (
        "Verdict",
        "Of each figure: what was found, how many runners a verdict needs (the published criteria for external "
        "validation, with the rate and the risks found here), and how many there are.",
    ),
    "account": ("Rows", "What became of every row of the file."),
    "checks": ("Checks", "What may make figures look better than the model is. The guide has a page for each."),
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
    "subgroups": ("Subgroups", "Only those with enough cases; the table below has all."),
    "cells": (
        "Every subgroup, club and kind of measurement",
        "Cells with fewer than 5 cases, or others, show no figure and no number of cases. The interval of a club is "
        "over its runners.",
    ),
    "drift": (
        "Drift",
        "Population stability index of each field against the bundle's training data: below 0.1 none, from 0.25 large, "
        "and none where chance alone exceeds it once in twenty.",
    ),
    "size": ("Runners needed", "For 95 % intervals of these widths (Riley and others 2021)."),
}  # fmt: skip


def write_validation(found: Validation, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into a folder, and return their paths.

    Raises
    ------
    OutputError
        If the folder cannot be written; what was there before is whole.
    """
    page = write_report(folder, f"External validation of {found.subject['bundle']}", _sections(found))
    write_whole(folder / JSON, as_json(found))
    return page, folder / JSON


def as_json(found: Validation) -> bytes:
    """Return everything but the pictures as JSON: NaN is null, and no value of a runner is in it."""
    content = {
        "format": FORMAT, "subject": found.subject, "verdict": {"said": found.verdict.said, "text": found.verdict.text},
        "tables": {name: _records(table) for name, table in found.tables.items()},
    }  # fmt: skip
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def records_of(found: Validation, folder: Path) -> list[Record]:
    """Return what MLflow is told: figures, verdict, digests and the two files; no value of a runner."""
    subject = found.subject
    figures = found.tables["onset"].itertuples()
    return [
        Param("bundle", subject["bundle"]),
        Param("cohort", subject["cohort"]),
        Param("intervals", subject["intervals"]),
        Tag("verdict", found.verdict.said),
        *(Tag(check.code, check.verdict) for check in found.checks),
        *(Metric(str(row.metric), _number(row.value), _number(row.low), _number(row.high)) for row in figures
          if np.isfinite(_number(row.value))),
        *(Artifact(folder / name) for name in ("report.html", JSON)),
    ]  # fmt: skip


def lines_of(found: Validation) -> list[tuple[str, str]]:
    """Return what a terminal shows."""
    account = [(str(row.what), f"{row.rows:,}") for row in found.tables["account"].itertuples()]
    rows = found.tables["onset"].set_index("metric").loc[["auroc", "observed_expected", "calibration_slope"]]
    figures = [(str(row.label), f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})") for row in rows.itertuples()]
    open_checks = [(f"{each.code} {each.verdict}", each.why) for each in found.checks if each.verdict in _LOUD]
    return [*account, *figures, *open_checks, ("verdict", found.verdict.text)]


_LOUD = ("warn", "fail")


def _sections(found: Validation) -> list[Section]:
    trained = found.subject["trained_on"]
    kind = "simulated " if trained.get("simulated") else ""
    about = (
        f"{found.verdict.text}\n\nBundle {found.subject['bundle']}, trained on {trained['runners']:,} {kind}runners. "
        f"Cohort {found.subject['cohort'][:12]} (the beginning of its digest). Horizon "
        f"{found.subject['horizon_months']:g} months. 95 % intervals over resampled {found.subject['intervals']}."
    )
    sections = [Section("In short", about)]
    for name, (heading, text) in _TEXTS.items():
        picture = found.pictures.get(name)
        table = None if picture else found.tables.get(name)
        if picture or table is not None:
            sections.append(Section(heading, text, table, picture))
    return sections


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _number(value: Any) -> float:
    return float(value)


__all__ = ["EXPERIMENT", "FORMAT", "JSON", "as_json", "lines_of", "records_of", "write_validation"]
