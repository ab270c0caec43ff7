"""What a person types: `pfps template | check | score | card | dictionary | scenarios | compare`.

Exit codes: 0 done (rejected rows included), 2 input, 3 bundle, 4 output not writable, 5 partly done.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pfps_ml import __version__
from pfps_ml.errors import OutputError, PfpsError
from pfps_ml.options import cluster_of, spelt_out
from pfps_ml.screen import progress, waiting
from pfps_ml.tables import show_account, show_comparison, show_differences, show_faults, show_scenarios

if TYPE_CHECKING:
    from pfps_ml.bundle import Bundle

SHOWN = 20  # faults of a header or a map; a table of more is not read

Roster = Annotated[Path, typer.Argument(metavar="ROSTER", help="A roster, .csv or .parquet.", show_default=False)]
Rosters = Annotated[
    Path,
    typer.Argument(metavar="ROSTER", help="A roster, .csv or .parquet, or a folder of .parquet.", show_default=False),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, metavar="N", help="Processes; all cores if not given.")
]
Dask = Annotated[
    str | None,
    typer.Option("--dask", metavar="[ADDRESS]", help="Score a folder on a Dask cluster: tcp://HOST:8786, or one here."),
]
Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the roster.")]
Folder = Annotated[Path | None, typer.Option("--bundle", metavar="DIR", help="Another bundle than the released one.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write to a file, not to the screen.")]
Pair = Annotated[tuple[str, str] | None, typer.Option("--diff", metavar="A B", help="Where two scenarios differ.")]
Scored = Annotated[
    Path, typer.Option("-o", "--out", metavar="OUT", help="The scored roster, .csv, .parquet or a folder.")
]
Task = Annotated[str, typer.Argument(metavar="TASK", help="onset or pathways.")]
Figure = Annotated[str | None, typer.Option("--metric", metavar="NAME", help="Another figure than the first.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pfps {__version__}")
        raise typer.Exit


@app.callback()
def pfps(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Explained predictions of runner's knee. Trained on simulated data; not a medical device."""


@app.command()
def template(out: Out = None) -> None:
    """Print an empty roster: the header that `pfps score` reads."""
    from pfps_ml.knowledge.contracts import template as header

    _deliver(header(), out)


@app.command()
def check(roster: Roster, mapping: Map = None) -> None:
    """Check a roster without scoring it; rejected rows are listed by field."""
    from pfps_ml.roster import read_roster

    with waiting("Reading"):
        read = read_roster(roster, mapping)
    show_account(read.summary)
    show_faults(read.faults)


@app.command()
def score(
    roster: Rosters, out: Scored, mapping: Map = None, bundle: Folder = None, workers: Workers = None, dask: Dask = None
) -> None:
    """Score a roster: every row comes back with a risk, reasons and what to measure next."""
    from pfps_ml.knowledge.contracts import NOTICE
    from pfps_ml.roster import score_roster
    from pfps_ml.runs.stream import Effort

    effort = Effort(workers, cluster=cluster_of(dask))
    with progress() as tell:
        summary = score_roster(roster, out, _bundle(bundle), mapping, effort, tell)
    show_account(summary, out)
    Console().print(NOTICE, style="italic", soft_wrap=True)


@app.command()
def card(bundle: Folder = None) -> None:
    """Show the model card: what the bundle was trained on, how well it does, and what it is not for."""
    from rich.markdown import Markdown

    Console().print(Markdown(_bundle(bundle).card))


@app.command()
def dictionary(out: Out = None) -> None:
    """Print every field with its limits, meaning and source, as Markdown."""
    from pfps_ml.knowledge.contracts import dictionary_page

    _deliver(dictionary_page(), out)


@app.command()
def scenarios(diff: Pair = None) -> None:
    """List the simulated worlds, or show where two of them differ, with the sources of both."""
    from pfps_ml.knowledge.scenario import load_scenario, scenario_names

    if diff is None:
        show_scenarios([load_scenario(name) for name in scenario_names()])
    else:
        show_differences(*map(load_scenario, diff))


@app.command()
def compare(task: Task = "onset", metric: Figure = None) -> None:
    """Print the latest comparison of candidates that `python -m pipelines.compare` logged to MLflow."""
    from pfps_ml.comparisons import EXPERIMENT, TABLE, TAG
    from pfps_ml.records import Tag
    from pfps_ml.tracking import latest_table

    with waiting("Asking MLflow"):
        about, table = latest_table(Tag(TAG, task), TABLE, EXPERIMENT)
    show_comparison(about, table, metric)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a mistake that the product can explain is explained without a traceback.

    A reader that goes away (`head`, `less`) ends the command quietly with 1: typer and rich see to that.
    """
    try:
        app(args=spelt_out(sys.argv[1:] if arguments is None else arguments))
    except PfpsError as error:
        _explain(error)
        sys.exit(error.exit_code)
    except OSError as error:  # what reads and writes files explains its own, so this is the screen or what it leads to
        _give_up_printing()
        _explain(OutputError(f"expected to print the answer, got: {error.strerror}. Free space or print elsewhere."))
        sys.exit(OutputError.exit_code)


def _bundle(folder: Path | None) -> "Bundle":
    from pfps_ml.bundle import load_bundle, released_bundle

    return released_bundle() if folder is None else load_bundle(folder)


def _deliver(text: str, out: Path | None) -> None:
    from pfps_ml.outputs import check_output, write_whole

    if out is None:
        typer.echo(text, nl=False)
        return
    check_output(out)
    write_whole(out, text.encode())
    Console(stderr=True).print(f"Written: {out}", markup=False, highlight=False, soft_wrap=True)


def _give_up_printing() -> None:
    """Send what is still waiting to be printed nowhere: Python would try again at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _explain(error: PfpsError) -> None:
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(f"pfps: {error.message}", style="bold")
    for fault in error.faults[:SHOWN]:
        console.print(f"  - {fault.field + ': ' if fault.field else ''}{fault.message}")
    if len(error.faults) > SHOWN:
        console.print(f"  - and {len(error.faults) - SHOWN:,} more")


__all__ = ["app", "main"]
