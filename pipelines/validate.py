"""Validate a cohort before anything is trained on it: every fault in one table, then stop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pandera.errors
import typer

from pfps_ml.config import Config, load_config
from pfps_ml.errors import CohortError, Fault
from pfps_ml.evaluation.effects import propensity_overlap
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.knowledge.contracts import frame_schema
from pfps_ml.knowledge.dictionary import ARMS, BY_NAME, ONSET, ONSET_FIELDS, PATHWAY_FIELDS, SUCCESS
from pfps_ml.knowledge.scenario import load_scenario
from pfps_ml.learning.propensity import cross_fitted, eligibility
from pfps_ml.learning.smooth import basis
from pfps_ml.learning.split import split_clubs
from pipelines.console import command, say, steps, table
from pipelines.frames import DATA, OBSERVED, Frames, coded, pathway_features, read_frames

_GIVES_AWAY = 0.95  # AUROC of one column alone: no field known before the outcome comes near
_COPY = 0.999  # correlation with the truth at which a column is the truth
_OVERLAP = 0.5  # share of eligible patients with a real chance of an arm
_OF_FRAME = ("column_in_schema", "column_in_dataframe")
_CHECKS = {
    "column_in_schema": "expected no such column; leave it out",
    "column_in_dataframe": "expected this column, but it is not there",
    "not_nullable": "expected a value in every row, got none",
    "field_uniqueness": "expected every value once",
    "multiple_fields_uniqueness": "expected every runner_id once",
}
_BOOKKEEPING = {"runner_id", "club", "draw", "arm", *ONSET.columns, *SUCCESS.columns}


def validate(frames: Frames, config: Config, scenario: str | None) -> None:
    """Hold a cohort to what training assumes.

    Parameters
    ----------
    frames
        The observed frames; the truth too, where there is one, to see that it did not leak.
    scenario
        The scenario whose base rate must be met; None for a real cohort.

    Raises
    ------
    CohortError
        With every fault of both frames.
    """
    faults = list(_schema_faults(frames.onset, "onset"))
    faults += _schema_faults(frames.treatment, "treatment")
    if not faults:  # what follows reads the columns that the schema promises
        faults += _club_faults(frames, config)
        faults += _base_rate_faults(frames.onset, scenario)
        faults += _label_faults(frames.onset, ONSET.column)
        faults += _label_faults(frames.treatment, SUCCESS.column)
        faults += _truth_faults(frames.onset, frames.truth_onset)
        faults += _truth_faults(frames.treatment, frames.truth_treatment)
    if not faults:  # propensities are fitted over clubs
        faults += _overlap_faults(frames.treatment, config)
    faults += _feature_faults((*ONSET_FIELDS, *PATHWAY_FIELDS))
    if faults:
        raise CohortError(f"expected a cohort that can be trained on, got {len(faults)} faults", faults)


def _schema_faults(frame: pd.DataFrame, name: str) -> Iterator[Fault]:
    try:
        frame_schema("onset" if name == "onset" else "treatment").validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases.fillna({"column": "(frame)"})
        for (column, check), rows in cases.groupby(["column", "check"], sort=True):
            where = rows["failure_case"].iloc[0] if check in _OF_FRAME else column
            # the values of a row are nobody's business: counts and row numbers only, the first row being 1
            first = ", ".join(str(int(i) + 1) for i in rows["index"].dropna().head(3))
            at = f": {len(rows)} cases, first in row {first}" if first else ""
            yield Fault(None, f"{name}.{where}", _expected(str(check), str(where)) + at)


def _expected(check: str, column: str) -> str:
    """Return what a check of the schema expects, in a person's words."""
    if check in _CHECKS:
        return _CHECKS[check]
    if check.startswith("dtype"):
        return "expected numbers, got another type"
    return f"expected {BY_NAME[column].limits}" if column in BY_NAME else f"expected {check}"


def _club_faults(frames: Frames, config: Config) -> Iterator[Fault]:
    for name in OBSERVED:
        try:
            split_clubs(getattr(frames, name)["club"], config.split)
        except CohortError as error:
            yield Fault(None, f"{name}.club", error.message)


def _base_rate_faults(onset: pd.DataFrame, scenario: str | None) -> Iterator[Fault]:
    if scenario is None:
        return
    target, rate = load_scenario(scenario).runners["onset_base_rate"], onset[ONSET.column].mean()
    if not target.low <= rate <= target.high:
        yield Fault(
            None,
            f"onset.{ONSET.column}",
            f"expected a base rate of {target.low:g} to {target.high:g} ({', '.join(target.rows)}), got {rate:.4f}",
        )


def _label_faults(frame: pd.DataFrame, outcome: str) -> Iterator[Fault]:
    y = frame[outcome].to_numpy(dtype=float)
    if len(np.unique(y)) < 2:
        yield Fault(None, outcome, "expected both outcomes, got one only")
        return
    values = coded(frame)
    for name in values:
        missing = values[name].isna().to_numpy(dtype=float)
        filled = values[name].fillna(values[name].median() if missing.mean() < 1 else 0.0).to_numpy(dtype=float)
        for what, column in (("its values", filled), ("where it is missing", missing)):
            alone = auroc(y, column)
            if max(alone, 1 - alone) > _GIVES_AWAY:
                yield Fault(None, str(name), f"expected a field known before {outcome}; {what} give it away")


def _truth_faults(frame: pd.DataFrame, truth: pd.DataFrame | None) -> Iterator[Fault]:
    if truth is None:
        return
    numbers, secrets = coded(frame), truth.drop(columns="draw", errors="ignore").select_dtypes("number")
    for name in numbers:
        for secret in secrets:
            both = numbers[name].notna().to_numpy()
            pair = numbers[name][both].to_numpy(), secrets[secret].to_numpy()[both]
            if both.sum() > 2 and pair[0].std() > 0 and abs(np.corrcoef(*pair)[0, 1]) > _COPY:
                yield Fault(None, str(name), f"expected an observed field, got the truth ({secret})")


def _overlap_faults(treatment: pd.DataFrame, config: Config) -> Iterator[Fault]:
    X, arm = pathway_features(treatment), treatment["arm"]
    absent = [each.name for each in ARMS if not (arm == each.name).any()]
    for name in absent:
        yield Fault(None, "treatment.arm", f"expected patients in every arm, got none in {name}")
    if absent:
        return
    fold = split_clubs(treatment["club"], config.split)
    folds = np.where(fold.is_held_out(treatment["club"]), 0, treatment["club"].map(fold.folds).fillna(0))
    chance = cross_fitted(X, arm, folds.astype(np.int64), basis(X, config.pathways.knots))
    overlap = propensity_overlap(chance, arm, eligibility(X)).set_index("arm")["share"]
    for name, share in overlap.items():
        if not share >= _OVERLAP:
            yield Fault(
                None,
                "treatment.arm",
                f"expected {_OVERLAP:.0%} of eligible patients to have had a chance of {name}, got {share:.0%}",
            )


def _feature_faults(features: tuple[str, ...]) -> Iterator[Fault]:
    for name in sorted(set(features) & _BOOKKEEPING):
        yield Fault(None, name, "expected features only, got a bookkeeping column")


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with the frames.")] = DATA / "reference",
    scenario: Annotated[str | None, typer.Option(help="Scenario whose base rate must be met.")] = "reference",
    config: Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")] = None,
) -> None:
    """Validate a cohort; faults are printed as one table and nothing goes on."""
    try:
        with steps("validate", 1) as tell:
            tell("schema, base rate, labels, truth, overlap")
            validate(read_frames(folder, truth=True), load_config(config), scenario)
    except CohortError as error:
        table("Faults", ("where", "what"), ((fault.field, fault.message) for fault in error.faults))
        raise CohortError(error.message) from error
    say(f"{folder}: no faults")


if __name__ == "__main__":
    command(main)

__all__ = ["validate"]
