"""Training on a real cohort: the onset model starts at a released bundle, and outcomes move it as far as they can bear.

What is known beforehand is the bundle's own spread over the evidence: its mean and covariance along the intercept and
the scale of each group of fields. A cohort of few cases so hardly moves it, and one of many moves it to where they are;
unlike in `pfps recalibrate` no test chooses how much is moved. Pathways stay: runners say nothing of them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from pfps_ml.bundle import Bundle, load_bundle, released_bundle
from pfps_ml.checks.audit import audit
from pfps_ml.config import Config, RecalibrationConfig
from pfps_ml.errors import CohortError, OutputError
from pfps_ml.intake.cohort import Cohort, Columns, make_result_folder, read_cohort
from pfps_ml.recalibration.closed import Choice
from pfps_ml.recalibration.directions import Directions
from pfps_ml.recalibration.recalibrate import Recalibration, lines_of, recalibrate, write_recalibrated
from pfps_ml.recalibration.update import Floats
from pfps_ml.tables import show_lines
from pipelines.console import table
from pipelines.frames import OUT

LOCAL = OUT / "pfps-local"
_WHY = (
    "no test chose; every group of fields was moved as far as the outcomes outweigh what the evidence said beforehand"
)

Real = Annotated[Path | None, typer.Option("--cohort", metavar="FILE", help="A real cohort: .csv, .xlsx or .parquet.")]
Start = Annotated[Path | None, typer.Option(metavar="DIR", help="Bundle to start at; by default the released one.")]
Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the cohort.")]
Outcome = Annotated[str, typer.Option(metavar="NAME", help="The cohort's column of the outcome.")]
Event = Annotated[str | None, typer.Option(metavar="LEVEL", help="The outcome's level that means a case.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="A column of the cohort, as for `pfps audit`.")]
By = Annotated[str, typer.Option(metavar="TEXT", help="Who trains on the cohort, for the card.")]


@dataclass(frozen=True)
class Asked:
    """What is asked of a cohort.

    Attributes
    ----------
    columns
        Which of the file's columns the dictionary has no field for.
    mapping
        Names, levels and units of the others.
    bundle
        Where to start; None for the released bundle.
    by
        Who trains, for the card; no name of a runner.
    """

    columns: Columns = field(default_factory=Columns)
    mapping: Path | None = None
    bundle: Path | None = None
    by: str = ""


def train_on_file(source: Path, asked: Asked, config: Config, out: Path) -> None:
    """Read and check a cohort, print both, train on it and write the new bundle whole; CURRENT is never moved.

    Raises
    ------
    InputError
        If the cohort cannot be read.
    CohortError
        If it fails a check, too few cases among them; nothing is written.
    OutputError
        If the folder is there already, or cannot be written.
    """
    if out.exists():
        raise OutputError(f"expected a new folder for the bundle, got one that is there: {out}. Name another with -o.")
    bundle = released_bundle() if asked.bundle is None else load_bundle(asked.bundle)
    cohort = read_cohort(source, asked.columns, asked.mapping, bundle.reference["horizon_months"])
    table("Rows", ("what", "rows"), [(what, f"{rows:,}") for what, rows in cohort.account()])
    table("Checks (docs/CHECKS.md)", ("code", "check", "verdict", "why"),
          [(each.code, each.title, each.verdict, each.why) for each in audit(cohort)])  # fmt: skip
    found = train_on_cohort(bundle, cohort, config.recalibration, asked.by)
    make_result_folder(out.parent)
    write_recalibrated(found, bundle, out)
    show_lines(lines_of(found), out)


def train_on_cohort(bundle: Bundle, cohort: Cohort, settings: RecalibrationConfig, by: str = "") -> Recalibration:
    """Move a bundle's onset model by a cohort's outcomes; nothing is written.

    Parameters
    ----------
    bundle
        Where training starts; it stays as it is.
    cohort
        Runners with outcomes over the bundle's horizon.
    settings
        Fewest cases, and others, that may move anything; spread between sites.
    by
        Who trains, for the card; no name of a runner.

    Raises
    ------
    CohortError
        If the cohort fails a check; with too few cases the bundle that is there says more than a new one.
    """
    return recalibrate(bundle, cohort, settings, by, as_far_as_they_bear)


def as_far_as_they_bear(_found: Directions, y: Floats, settings: RecalibrationConfig) -> Choice:
    """Choose to move every group: what is known beforehand holds each of them back, so no test has to.

    Raises
    ------
    CohortError
        If there are fewer cases, or others, than may move anything.
    """
    cases, others = int(y.sum()), int(len(y) - y.sum())
    if min(cases, others) < settings.fewest_events:
        raise CohortError(
            f"expected at least {settings.fewest_events} cases and as many others with a known outcome, got {cases:,} "
            f"and {others:,} (C06); nothing was trained. Use the bundle as it is, or follow more runners."
        )
    return Choice("groups", _WHY, pd.DataFrame(columns=["update", "against", "statistic", "freedom", "p"]))


__all__ = [
    "LOCAL", "Asked", "By", "Event", "Map", "Name", "Outcome", "Real", "Start", "as_far_as_they_bear",
    "train_on_cohort", "train_on_file",
]  # fmt: skip
