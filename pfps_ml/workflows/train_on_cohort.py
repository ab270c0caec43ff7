"""Training on real people: the models start at a released bundle, and outcomes move them as far as they can bear.

Runners move the onset model, patients the pathway models (see `pfps_ml.workflows.train_on_people`). One file may come
without the other. Unlike in `pfps recalibrate` no test chooses how much is moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from pfps_ml.core.config import Config
from pfps_ml.core.console import table, waiting
from pfps_ml.core.errors import InputError
from pfps_ml.evaluation.check_catalogue import Check
from pfps_ml.evaluation.cohort_checks import audit
from pfps_ml.io.study_data import Cohort, Columns, make_result_folder, read_cohort, read_patients
from pfps_ml.model.bundle import Bundle, load_bundle, released_bundle
from pfps_ml.workflows.frames import OUT
from pfps_ml.workflows.recalibrate import EXPERIMENT, lines_of, records_of_update
from pfps_ml.workflows.tables import show_lines
from pfps_ml.workflows.tracking import expect_store, track
from pfps_ml.workflows.train_on_people import lines_of_patients, train_on_cohort, train_on_patients
from pfps_ml.workflows.updated_bundle import Recalibration, bundle_after, expect_new_folder, write_bundle

LOCAL = OUT / "pfps-local"

Real = Annotated[Path | None, typer.Option("--cohort", metavar="FILE", help="Real runners: .csv, .xlsx or .parquet.")]
Visited = Annotated[Path | None, typer.Option("--patients", metavar="FILE", help="Real patients: arm and success.")]
Start = Annotated[Path | None, typer.Option(metavar="DIR", help="Bundle to start at; by default the released one.")]
Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the cohort.")]
PatientsMap = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="The same of the patients' file.")]
Outcome = Annotated[str | None, typer.Option(metavar="NAME", help="The cohort's column of the outcome.")]
Event = Annotated[str | None, typer.Option(metavar="LEVEL", help="The outcome's level that means a case.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="A column of the cohort, as for `pfps audit`.")]
Arm = Annotated[str | None, typer.Option(metavar="NAME", help="The patients' column of arms.")]
ArmLevel = Annotated[list[str] | None, typer.Option(metavar="LEVEL=ARM", help="What the file calls an arm; one each.")]
Success = Annotated[str | None, typer.Option(metavar="NAME", help="The patients' column of success.")]
Succeeded = Annotated[str | None, typer.Option(metavar="LEVEL", help="Its level that means success.")]
By = Annotated[str, typer.Option(metavar="TEXT", help="Who trains on the cohort, for the card.")]
Logged = Annotated[bool, typer.Option("--mlflow", help="Log figures and the new bundle to MLflow.")]


@dataclass(frozen=True)
class Asked:
    """What is asked of real people's files.

    Attributes
    ----------
    cohort, patients
        The file of runners, and that of patients; at least one.
    columns, patient_columns
        Which of their columns the dictionary has no field for.
    mapping, patient_mapping
        Names, levels and units of the others.
    bundle
        Where to start; None for the released bundle.
    by
        Who trains, for the card; no name of a runner.
    logged
        Whether MLflow is told.
    """

    cohort: Path | None = None
    patients: Path | None = None
    columns: Columns = field(default_factory=Columns)
    patient_columns: Columns = field(default_factory=Columns)
    mapping: Path | None = None
    patient_mapping: Path | None = None
    bundle: Path | None = None
    by: str = ""
    logged: bool = False


def train_on_files(asked: Asked, config: Config, out: Path) -> None:
    """Read and check the files, print both, train on them and write the new bundle whole; CURRENT is never moved.

    Raises
    ------
    InputError
        If a file cannot be read, or the cohort is one of patients.
    CohortError
        If one fails a check, too few cases among them; nothing is written.
    OutputError
        If the folder is there already, or cannot be written.
    """
    expect_new_folder(out)
    if asked.logged:
        expect_store()
    bundle = released_bundle() if asked.bundle is None else load_bundle(asked.bundle)
    read = list(_read(asked, bundle))  # both are read and checked before anything is trained
    found: list[Recalibration] = []
    start = bundle.name
    with waiting("Training"):
        for cohort, checks in read:
            train = train_on_cohort if cohort.arm is None else train_on_patients
            found.append(train(bundle, cohort, config.training, asked.by, checks))
            bundle = replace(bundle_after(found[-1], bundle, out.name), name=start)
    make_result_folder(out.parent)
    write_bundle(bundle, out)
    for each in found:
        show_lines(lines_of(each) if each.update else lines_of_patients(each), out)
        if asked.logged:
            track(records_of_update(each, out), f"training of {out.name}", EXPERIMENT)


def _read(asked: Asked, bundle: Bundle) -> Iterator[tuple[Cohort, list[Check]]]:
    if asked.cohort is not None:
        cohort = read_cohort(asked.cohort, asked.columns, asked.mapping, bundle.horizons)
        if cohort.arm is not None:
            raise InputError("expected runners in --cohort, got patients (it has arms); name it with --patients.")
        yield _checked(cohort)
    if asked.patients is not None:
        yield _checked(read_patients(asked.patients, asked.patient_columns, asked.patient_mapping, bundle.horizons))


def _checked(cohort: Cohort) -> tuple[Cohort, list[Check]]:
    table(cohort.people.capitalize(), ("what", "rows"), [(what, f"{rows:,}") for what, rows in cohort.account()])
    checks = audit(cohort)
    table("Checks (docs/CHECKS.md)", ("code", "check", "verdict", "why"),
          [(each.code, each.title, each.verdict, each.why) for each in checks])  # fmt: skip
    return cohort, checks


__all__ = [
    "LOCAL", "Arm", "ArmLevel", "Asked", "By", "Event", "Logged", "Map", "Name", "Outcome", "PatientsMap", "Real",
    "Start", "Succeeded", "Success", "Visited", "train_on_files",
]  # fmt: skip
