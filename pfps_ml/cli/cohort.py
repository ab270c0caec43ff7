"""The commands for a real cohort: check it, validate a bundle on it, and recalibrate a bundle to it."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from pfps_ml.core import InputError, Message, MissingLibrary, load_config, result_folder
from pfps_ml.core.console import waiting
from pfps_ml.domain import ONSET, Estimand
from pfps_ml.workflows.tables import show_lines

if TYPE_CHECKING:
    from pfps_ml.evaluation.check_catalogue import Check
    from pfps_ml.evaluation.external_validation import Validation
    from pfps_ml.io.study_data import Cohort, Columns
    from pfps_ml.model.bundle import Bundle

RESEARCHER = "For a researcher with a cohort"
_NEEDED = ("scipy", "matplotlib")
Subject = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder, such as models/pfps-0.2.0.")]
Real = Annotated[Path, typer.Argument(metavar="COHORT", help="A roster with outcomes, .csv, .xlsx or .parquet.")]
Report = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder of report.html and report.json.")]
Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the cohort.")]
Outcome = Annotated[str | None, typer.Option(metavar="NAME", help="The column of the outcome.")]
Event = Annotated[str | None, typer.Option(metavar="LEVEL", help="Its level that means a case: 2, or injured.")]
FollowUp = Annotated[str | None, typer.Option(metavar="NAME", help="Months that each runner was followed.")]
Period = Annotated[str | None, typer.Option(metavar="NAME", help="When a row was collected: year, season, wave.")]
Person = Annotated[str | None, typer.Option(metavar="NAME", help="Who a row is of, if persons come more than once.")]
MeasuredOn = Annotated[str | None, typer.Option(metavar="NAME", help="Day of the screening, 2026-03-21.")]
HappenedOn = Annotated[str | None, typer.Option(metavar="NAME", help="Day of the outcome.")]
Second = Annotated[str | None, typer.Option(metavar="NAME", help="Another column that says who is a case.")]
Arm = Annotated[str | None, typer.Option(metavar="NAME", help="The pathway that each patient had.")]
ArmLevel = Annotated[
    list[str] | None, typer.Option(metavar="LEVEL=ARM", help="What the file calls an arm: 2=hip. May be repeated.")
]
Randomised = Annotated[bool, typer.Option("--randomised", help="Chance allocated the pathways of patients.")]
Whom = Annotated[
    Estimand | None,
    typer.Option(
        "--estimand",
        help="Whom mean effects are about: all, the treated, or the overlap. "
        "Not named: all where patients can tell it, else the overlap.",
    ),
]
Against = Annotated[
    Path | None, typer.Option("--against", metavar="BUNDLE", help="Another bundle, to say what is gained over it.")
]
Audited = Annotated[
    Path,
    typer.Argument(
        metavar="COHORT", help="A roster with outcomes, .csv, .xlsx or .parquet, or a folder of simulated frames."
    ),
]
Scenario = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of simulated frames: whose base rate must be met; else theirs.")
]
Posterior = Annotated[
    bool,
    typer.Option(
        "--posterior",
        help="No test: every part moves as far as outcomes outweigh the evidence, as in `pfps train`.",
    ),
]
New = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder of the new bundle, not there yet.")]
By = Annotated[str, typer.Option(metavar="TEXT", help="Who updates, for the card.")]
Logged = Annotated[bool, typer.Option("--mlflow", help="Log figures and report to MLflow.")]

app = typer.Typer()


@app.command(rich_help_panel=RESEARCHER)
def audit(  # noqa: PLR0913, PLR0917
    cohort: Audited, mapping: Map = None, outcome: Outcome = None, event: Event = None, follow_up: FollowUp = None,
    period: Period = None, person: Person = None, measured_on: MeasuredOn = None, happened_on: HappenedOn = None,
    second: Second = None, arm: Arm = None, arm_level: ArmLevel = None, scenario: Scenario = None,
) -> None:  # fmt: skip
    """Check a cohort, or simulated frames, before anything is trained on it; exit code 2 if a check fails."""
    from pfps_ml.evaluation.cohort_checks import audit as run
    from pfps_ml.workflows.frames import is_simulated

    columns = _columns(
        outcome, event, follow_up, period, person, measured_on, happened_on, second, arm, levels=arm_level
    )
    if is_simulated(cohort):
        _audit_frames(cohort, scenario, columns != _columns() or mapping is not None)
        return
    if scenario is not None:
        raise InputError(Message("scenario_beside_people"))
    read = _read(cohort, columns, mapping)
    checks = run(read)
    _show(read, checks)
    if failed := [check.code for check in checks if check.verdict == "fail"]:
        raise InputError(Message("audit_fails", {"failed": [*failed]}))


@app.command(rich_help_panel=RESEARCHER)
def evaluate(  # noqa: PLR0913, PLR0917
    bundle: Subject, cohort: Real, out: Report, mapping: Map = None, outcome: Outcome = None,
    event: Event = None, follow_up: FollowUp = None, period: Period = None, person: Person = None,
    measured_on: MeasuredOn = None, happened_on: HappenedOn = None, second: Second = None, arm: Arm = None,
    arm_level: ArmLevel = None, randomised: Randomised = False, estimand: Whom = None, other: Against = None,
    mlflow: Logged = False,
) -> None:  # fmt: skip
    """Validate a bundle on a cohort with outcomes: on runners its onset model, on patients (with arms) its pathways."""
    from pfps_ml.evaluation import external_validation as judging
    from pfps_ml.evaluation.validation_report import lines_of, write_validation

    columns = _columns(
        outcome, event, follow_up, period, person, measured_on, happened_on, second, arm, levels=arm_level
    )
    subject, rival = _bundle(bundle, mlflow), other and _bundle(other)
    read = _read(cohort, columns, mapping, subject)
    _expect_of_use(read, against=other, randomised=randomised, estimand=estimand)
    with waiting("Judging"), result_folder(out):
        if read.arm is None:
            result = judging.validate(subject, read)
        else:
            result = judging.validate_pathways(subject, read, None, randomised, estimand)
        result = judging.compared(result, subject, rival, read) if rival else result
        page, _ = write_validation(result, out)
    show_lines([*lines_of(result), *judging.lines_of_gains(result)], page)
    if mlflow:
        _track(result)
    if estimand is not None:
        judging.expect_effects(result)


@app.command(rich_help_panel=RESEARCHER)
def recalibrate(  # noqa: PLR0913, PLR0917
    bundle: Subject, cohort: Real, out: New, by: By = "", mapping: Map = None, outcome: Outcome = ONSET.column,
    event: Event = None, follow_up: FollowUp = None, period: Period = None, person: Person = None,
    measured_on: MeasuredOn = None, happened_on: HappenedOn = None, second: Second = None, mlflow: Logged = False,
    posterior: Posterior = False,
) -> None:  # fmt: skip
    """Update a bundle with a cohort's outcomes, as far as a closed test allows; CURRENT is never moved."""
    from pfps_ml.workflows import recalibrate as workflow
    from pfps_ml.workflows.tracking import track

    columns = _columns(outcome, event, follow_up, period, person, measured_on, happened_on, second)
    if posterior:
        _train(cohort, columns, out, mapping=mapping, bundle=bundle, by=by, logged=mlflow)
        return
    workflow.expect_new_folder(out)
    subject = _bundle(bundle, mlflow)
    result = workflow.recalibrate(subject, _read(cohort, columns, mapping, subject), by=by)
    written = out if result.update is not None else None
    if written:
        workflow.write_recalibrated(result, subject, written)
    show_lines(workflow.lines_of(result), written)
    if mlflow:
        track(workflow.records_of_update(result, written), f"update of {subject.name}", workflow.EXPERIMENT)


def _expect_of_use(read: "Cohort", **options: Any) -> None:
    """Refuse an option that would do nothing for the people of a file."""
    idle = {"runners": {"randomised": "randomised_without_arm", "estimand": "estimand_without_arm"},
            "patients": {"against": "against_patients"}}[read.people]  # fmt: skip
    for name, code in idle.items():
        if options[name]:
            raise InputError(Message(code))


def _columns(*names: Any, levels: list[str] | None = None) -> "Columns":
    """Return which columns of a file say what, by the options in their order, and which levels are which arms."""
    from pfps_ml.io.study_data import Columns, arm_levels

    return replace(Columns(*names), arm_levels=arm_levels(levels))


def _train(cohort: Path, columns: "Columns", out: Path, **settings: Any) -> None:
    from pfps_ml.workflows.train_on_cohort import Asked, train_on_files

    train_on_files(Asked(cohort, None, columns, **settings), load_config(None), out)


def _audit_frames(folder: Path, scenario: str | None, about_columns: bool) -> None:
    from pfps_ml.workflows.validate import main

    if about_columns:
        raise InputError(Message("columns_beside_frames"))
    main(folder, scenario)


def _read(source: Path, columns: "Columns", mapping: Path | None, bundle: "Bundle | None" = None) -> "Cohort":
    from pfps_ml.io.study_data import read_cohort

    if lacking := [name for name in _NEEDED if find_spec(name) is None]:
        raise MissingLibrary(Message("libraries_missing", {"lacking": [*lacking]}))
    with waiting("Reading"):
        return read_cohort(source, columns, mapping, bundle.horizons if bundle else None)


def _track(result: "Validation") -> None:
    """Log a validation as it may leave the house: its reports number the clubs."""
    from pfps_ml.evaluation.external_validation import gains, unnamed
    from pfps_ml.evaluation.validation_report import EXPERIMENT, records_of, write_validation
    from pfps_ml.workflows.tracking import track

    hidden = unnamed(result)
    with TemporaryDirectory(prefix="pfps-") as place:
        write_validation(hidden, Path(place))
        records = [*records_of(hidden, Path(place)), *gains(hidden)]
        track(records, f"validation of {result.subject['bundle']}", EXPERIMENT)


def _bundle(folder: Path, logged: bool = False) -> "Bundle":
    """Load a bundle; where something is logged to MLflow, what it would refuse is refused before any work."""
    from pfps_ml.model.bundle import load_bundle

    if logged:
        from pfps_ml.workflows.tracking import expect_store

        expect_store()
    return load_bundle(folder)


def _show(read: "Cohort", checks: "list[Check]") -> None:
    console = Console()
    account = Table(show_header=False, box=None, pad_edge=False)
    for what, rows in read.account():
        account.add_row(what, f"{rows:,}")
    console.print(account)
    table = Table(Column("code", no_wrap=True), "check", Column("verdict", no_wrap=True), "why")
    for check in checks:
        table.add_row(check.code, check.title, check.verdict, check.why)
    table.caption = f"Each is explained in {checks[0].page.partition('#')[0]}."
    console.print(table)


__all__ = ["app", "audit", "evaluate", "recalibrate"]
