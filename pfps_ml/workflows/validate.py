"""Validate a cohort before anything is trained on it: every fault in one table, then stop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pandera.errors
import typer
from pandera.errors import SchemaErrorReason

from pfps_ml.core import CohortError, Config, Fault, Message, load_config
from pfps_ml.core.console import say, steps, table
from pfps_ml.domain import (
    ARMS,
    BY_NAME,
    ONSET,
    ONSET_FIELDS,
    PATHWAY_FIELDS,
    SUCCESS,
    columns_of,
    frame_schema,
    load_scenario,
)
from pfps_ml.evaluation.effects import propensity_overlap
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.model import basis, cross_fitted, eligibility
from pfps_ml.training.training_rows import split_clubs
from pfps_ml.workflows.frames import DATA, OBSERVED, Frames, Home, coded, pathway_features, read_frames, scenario_of

_GIVES_AWAY = 0.95  # AUROC of one column alone: no field known before the outcome comes near
_COPY = 0.999  # correlation with the truth at which a column is the truth
_OVERLAP = 0.5  # share of eligible patients with a real chance of an arm
_OF_FRAME = (SchemaErrorReason.COLUMN_NOT_IN_SCHEMA, SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME)
_EXPECTED = {
    SchemaErrorReason.COLUMN_NOT_IN_SCHEMA: "no_such_column",
    SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME: "column_not_there",
    SchemaErrorReason.SERIES_CONTAINS_NULLS: "value_in_every_row",
    SchemaErrorReason.SERIES_CONTAINS_DUPLICATES: "every_value_once",
    SchemaErrorReason.DUPLICATES: "every_runner_id_once",
    SchemaErrorReason.WRONG_DATATYPE: "numbers_expected",
}
_BOOKKEEPING = {"runner_id", "club", "draw", "arm", *columns_of("runners"), *columns_of("patients")}


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
        raise CohortError(Message("cohort_with_faults", {"n": len(faults)}), faults)


def _schema_faults(frame: pd.DataFrame, name: str) -> Iterator[Fault]:
    try:
        frame_schema("onset" if name == "onset" else "treatment").validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        for column, reason, check, rows in sorted(map(_schema_fault, error.schema_errors), key=lambda fault: fault[:2]):
            expected = _expected(reason, column, check)
            # the values of a row are nobody's business: counts and row numbers only, the first row being 1
            counts = {"expected": expected.as_dict(), "n": len(rows), "rows": [row + 1 for row in rows[:3]]}
            yield _fault(f"{name}.{column}", Message("in_rows_of_frame", counts) if rows else expected)


def _schema_fault(error: "pandera.errors.SchemaError") -> tuple[str, str, str, list[int]]:
    """Return the column that a fault of pandera's is about, the name of its reason, its check and the rows."""
    cases, reason = error.failure_cases, error.reason_code
    if reason in _OF_FRAME:
        return str(cases), reason.name, "", []
    if not isinstance(cases, pd.DataFrame):  # the check itself failed, such as a comparison of texts with numbers
        return str(error.schema.name), reason.name, str(error.check), []
    column = cases["column"].iloc[0] if "column" in cases else error.schema.name
    return str(column), reason.name, str(error.check), [int(row) for row in cases["index"].dropna()]


def _expected(reason: str, column: str, check: str) -> Message:
    """Return what a check of the schema expects."""
    if (code := _EXPECTED.get(SchemaErrorReason[reason])) is not None:
        return Message(code)
    if column in BY_NAME:
        return Message("value_of_field_expected", {"field": column})
    return Message("other_check_of_schema", {"check": check})


def _fault(where: str, message: Message) -> Fault:
    return Fault(None, (where,), message.code, message.parameters)


def _club_faults(frames: Frames, config: Config) -> Iterator[Fault]:
    for name in OBSERVED:
        try:
            split_clubs(getattr(frames, name)["club"], config.split)
        except CohortError as error:
            yield _fault(f"{name}.club", error.detail or Message("explained", {"text": error.message}))


def _base_rate_faults(onset: pd.DataFrame, scenario: str | None) -> Iterator[Fault]:
    if scenario is None:
        return
    target, rate = load_scenario(scenario).runners["onset_base_rate"], onset[ONSET.column].mean()
    if not target.low <= rate <= target.high:
        about = {"low": target.low, "high": target.high, "rows": list(target.rows), "rate": float(rate)}
        yield _fault(f"onset.{ONSET.column}", Message("base_rate_outside_evidence", about))


def _label_faults(frame: pd.DataFrame, outcome: str) -> Iterator[Fault]:
    y = frame[outcome].to_numpy(dtype=float)
    if len(np.unique(y)) < 2:
        yield _fault(outcome, Message("outcome_of_one_kind"))
        return
    values = coded(frame)
    for name in values:
        missing = np.asarray(values[name].isna(), dtype=np.float64)
        middle = values[name].median() if missing.mean() < 1 else 0.0
        filled = np.asarray(values[name].fillna(middle), dtype=np.float64)
        for code, column in (("values_give_outcome_away", filled), ("gaps_give_outcome_away", missing)):
            alone = auroc(y, column)
            if max(alone, 1 - alone) > _GIVES_AWAY:
                yield _fault(str(name), Message(code, {"outcome": outcome}))


def _truth_faults(frame: pd.DataFrame, truth: pd.DataFrame | None) -> Iterator[Fault]:
    if truth is None:
        return
    numbers, secrets = coded(frame), truth.drop(columns="draw", errors="ignore").select_dtypes("number")
    for name in numbers:
        for secret in secrets:
            both = numbers[name].notna().to_numpy()
            pair = numbers[name][both].to_numpy(), secrets[secret].to_numpy()[both]
            varied = both.sum() > 2 and min(pair[0].std(), pair[1].std()) > 0
            if varied and abs(np.corrcoef(*pair)[0, 1]) > _COPY:
                yield _fault(str(name), Message("field_is_the_truth", {"column": str(secret)}))


def _overlap_faults(treatment: pd.DataFrame, config: Config) -> Iterator[Fault]:
    X, arm = pathway_features(treatment), treatment["arm"]
    absent = [name for name in (arm_.name for arm_ in ARMS) if not (arm == name).any()]
    for name in absent:
        yield _fault("treatment.arm", Message("arm_without_patients", {"arm": name}))
    if absent:
        return
    fold = split_clubs(treatment["club"], config.split)
    folds = np.where(fold.is_held_out(treatment["club"]), 0, treatment["club"].map(fold.folds).fillna(0))
    chance = cross_fitted(X, arm, folds.astype(np.int64), basis(X, config.pathways.knots))
    overlap = propensity_overlap(chance, arm, eligibility(X)).set_index("arm")["share"]
    for arm_name, share in overlap.items():
        if not share >= _OVERLAP:
            about = {"expected": _OVERLAP, "arm": str(arm_name), "share": float(share)}
            yield _fault("treatment.arm", Message("overlap_too_small", about))


def _feature_faults(features: tuple[str, ...]) -> Iterator[Fault]:
    for name in sorted(set(features) & _BOOKKEEPING):
        yield _fault(name, Message("feature_is_bookkeeping"))


def main(
    folder: Annotated[Path | None, typer.Argument(help="Folder with the frames.")] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Scenario whose base rate must be met; by default what the frames say.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")] = None,
    home: Home = Path(),
) -> None:
    """Validate a cohort; faults are printed as one table and nothing goes on."""
    place = folder or home / DATA / "reference"
    try:
        with steps("validate", 1) as tell:
            tell("schema, base rate, labels, truth, overlap")
            frames = read_frames(place, truth=True)
            validate(frames, load_config(config), scenario_of(frames, scenario))
    except CohortError as error:
        table("Faults", ("where", "what"), ((fault.field, fault.text) for fault in error.faults))
        raise CohortError(error.message) from error
    say(f"{place}: no faults")


__all__ = ["main", "validate"]
