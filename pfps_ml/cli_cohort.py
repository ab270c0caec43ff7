"""The commands for a real cohort: check it, validate a bundle on it, and recalibrate a bundle to it."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from pfps_ml.errors import InputError, MissingLibrary
from pfps_ml.knowledge.dictionary import ONSET
from pfps_ml.screen import waiting
from pfps_ml.tables import show_lines

if TYPE_CHECKING:
    from pfps_ml.bundle import Bundle
    from pfps_ml.checks.guide import Check
    from pfps_ml.intake.cohort import Cohort, Columns

_NEEDED = ("scipy", "matplotlib")
Subject = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder, such as models/pfps-0.1.0.")]
Real = Annotated[Path, typer.Argument(metavar="COHORT", help="A roster with outcomes, .csv, .xlsx or .parquet.")]
Report = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder of report.html and report.json.")]
Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the cohort.")]
Outcome = Annotated[str, typer.Option(metavar="NAME", help="The column of the outcome.")]
Event = Annotated[str | None, typer.Option(metavar="LEVEL", help="Its level that means a case: 2, or injured.")]
FollowUp = Annotated[str | None, typer.Option(metavar="NAME", help="Months that each runner was followed.")]
Period = Annotated[str | None, typer.Option(metavar="NAME", help="When a row was collected: year, season, wave.")]
Person = Annotated[str | None, typer.Option(metavar="NAME", help="Who a row is of, if persons come more than once.")]
MeasuredOn = Annotated[str | None, typer.Option(metavar="NAME", help="Day of the screening, 2026-03-21.")]
HappenedOn = Annotated[str | None, typer.Option(metavar="NAME", help="Day of the outcome.")]
Second = Annotated[str | None, typer.Option(metavar="NAME", help="Another column that says who is a case.")]
Arm = Annotated[str | None, typer.Option(metavar="NAME", help="The pathway that each patient had.")]
New = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder of the new bundle, not there yet.")]
By = Annotated[str, typer.Option(metavar="TEXT", help="Who updates, for the card.")]
Logged = Annotated[bool, typer.Option("--mlflow", help="Log figures and report to MLflow.")]

app = typer.Typer()


@app.command()
def audit(  # noqa: PLR0913, PLR0917
    cohort: Real, mapping: Map = None, outcome: Outcome = ONSET.name, event: Event = None, follow_up: FollowUp = None,
    period: Period = None, person: Person = None, measured_on: MeasuredOn = None, happened_on: HappenedOn = None,
    second: Second = None, arm: Arm = None,
) -> None:  # fmt: skip
    """Check a cohort before anything is trained on it; exit code 2 if a check fails."""
    from pfps_ml.checks.audit import audit as run
    from pfps_ml.intake.cohort import Columns

    columns = Columns(outcome, event, follow_up, period, person, measured_on, happened_on, second, arm)
    read = _read(cohort, columns, mapping)
    found = run(read)
    _show(read, found)
    if failed := [check.code for check in found if check.verdict == "fail"]:
        raise InputError(f"expected a cohort that passes every check, got one that fails {', '.join(failed)}.")


@app.command()
def evaluate(  # noqa: PLR0913, PLR0917
    bundle: Subject, cohort: Real, out: Report, mapping: Map = None, outcome: Outcome = ONSET.name,
    event: Event = None, follow_up: FollowUp = None, period: Period = None, person: Person = None,
    measured_on: MeasuredOn = None, happened_on: HappenedOn = None, second: Second = None, mlflow: Logged = False,
) -> None:  # fmt: skip
    """Validate a bundle on a cohort with outcomes: figures, calibration, drift, case-mix, and whether it is enough."""
    from pfps_ml.intake.cohort import Columns, make_result_folder
    from pfps_ml.validation.external import validate
    from pfps_ml.validation.report import EXPERIMENT, lines_of, records_of, write_validation

    columns = Columns(outcome, event, follow_up, period, person, measured_on, happened_on, second)
    subject = _bundle(bundle)
    read = _read(cohort, columns, mapping, subject.reference["horizon_months"])
    with waiting("Judging"):
        found = validate(subject, read)
        make_result_folder(out)
        page, _ = write_validation(found, out)
    show_lines(lines_of(found), page)
    if mlflow:
        from pfps_ml.tracking import track

        track(records_of(found, out), f"validation of {subject.name}", EXPERIMENT)


@app.command()
def recalibrate(  # noqa: PLR0913, PLR0917
    bundle: Subject, cohort: Real, out: New, by: By = "", mapping: Map = None, outcome: Outcome = ONSET.name,
    event: Event = None, follow_up: FollowUp = None, period: Period = None, person: Person = None,
    measured_on: MeasuredOn = None, happened_on: HappenedOn = None, second: Second = None,
) -> None:  # fmt: skip
    """Update a bundle with a cohort's outcomes as far as they can bear; CURRENT is never moved."""
    from pfps_ml.intake.cohort import Columns
    from pfps_ml.recalibration.recalibrate import lines_of, write_recalibrated
    from pfps_ml.recalibration.recalibrate import recalibrate as update

    columns = Columns(outcome, event, follow_up, period, person, measured_on, happened_on, second)
    subject = _bundle(bundle)
    found = update(subject, _read(cohort, columns, mapping, subject.reference["horizon_months"]), by=by)
    if found.update is not None:
        write_recalibrated(found, subject, out)
    show_lines(lines_of(found), out if found.update is not None else None)


def _read(source: Path, columns: "Columns", mapping: Path | None, horizon: float = ONSET.horizon_months) -> "Cohort":
    from pfps_ml.intake.cohort import read_cohort

    if lacking := [name for name in _NEEDED if find_spec(name) is None]:
        raise MissingLibrary(f"expected {' and '.join(lacking)}, got none. Install them: pip install 'pfps-ml[train]'")
    with waiting("Reading"):
        return read_cohort(source, columns, mapping, horizon)


def _bundle(folder: Path) -> "Bundle":
    from pfps_ml.bundle import load_bundle

    return load_bundle(folder)


def _show(read: "Cohort", found: "list[Check]") -> None:
    console = Console()
    account = Table(show_header=False, box=None, pad_edge=False)
    for what, rows in read.account():
        account.add_row(what, f"{rows:,}")
    console.print(account)
    table = Table(Column("code", no_wrap=True), "check", Column("verdict", no_wrap=True), "why")
    for check in found:
        table.add_row(check.code, check.title, check.verdict, check.why)
    table.caption = f"Each is explained in {found[0].page.partition('#')[0]}."
    console.print(table)


__all__ = ["app", "audit", "evaluate", "recalibrate"]
