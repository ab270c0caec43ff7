"""What a person types; `pfps --help` lists the verbs.

Exit codes: 0 done (rejected rows included), 2 input, 3 bundle, 4 output not writable, 5 partly done.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pfps_ml import __version__
from pfps_ml.cli import cohort, privacy
from pfps_ml.cli.options import (
    CLINICIAN,
    ENGINEER,
    PHYSIO,
    RESEARCHER,
    Answered,
    Flags,
    Hours,
    Mended,
    Page,
    Sheet,
    Since,
    Toml,
    Workbook,
)
from pfps_ml.core import InputError, MissingLibrary, OutputError, PfpsError
from pfps_ml.core.console import cluster_of, progress, spelt_out, waiting
from pfps_ml.workflows.tables import (
    show_account,
    show_comparison,
    show_differences,
    show_faults,
    show_lines,
    show_proposal,
    show_scenarios,
)

if TYPE_CHECKING:
    from pfps_ml.model.bundle import Bundle

SHOWN = 20  # faults of a header or a map; a table of more is not read

Roster = Annotated[
    Path, typer.Argument(metavar="ROSTER", help="A roster, .csv, .xlsx or .parquet.", show_default=False)
]
Rosters = Annotated[
    Path,
    typer.Argument(
        metavar="ROSTER", help="A roster, .csv, .xlsx or .parquet, or a folder of .parquet.", show_default=False
    ),
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
    Path, typer.Option("-o", "--out", metavar="OUT", help="The scored roster, .csv, .xlsx, .parquet or a folder.")
]
Task = Annotated[str, typer.Argument(metavar="TASK", help="onset or pathways.")]
Figure = Annotated[str | None, typer.Option("--metric", metavar="NAME", help="Another figure than the first.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen.")]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="ADDRESS", help="Where from; 127.0.0.1, or with PFPS_API_KEYS every address."),
]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(privacy.app)
app.add_typer(cohort.app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pfps {__version__}")
        raise typer.Exit


@app.callback()
def pfps(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Explained predictions of runner's knee. Trained on simulated data; not a medical device."""


@app.command(rich_help_panel=PHYSIO)
def template(out: Out = None, workbook: Workbook = False) -> None:
    """Print an empty roster: the header that `pfps score` reads."""
    from pfps_ml.domain.schemas import template as header

    if not workbook and not (out and out.suffix.lower() == ".xlsx"):
        _deliver(header(), out)
        return
    from pfps_ml.io.xlsx_tables import template_book

    _deliver_bytes(template_book(), out, ".xlsx")


@app.command("map", rich_help_panel=PHYSIO)
def map_columns(roster: Roster, out: Toml = None, sheet: Sheet = None) -> None:
    """Propose what the columns of a roster are, with three values of each, as a map to look through."""
    from pfps_ml.io.mapping_suggestions import map_text
    from pfps_ml.io.roster import propose_map

    with waiting("Reading"):
        proposed = propose_map(roster, sheet)
    show_proposal(proposed)
    if proposed.needed:
        _deliver(map_text(proposed), out, ".toml")
        score = f"pfps score {roster} --map {out} -o OUT (with outcomes: pfps audit {roster} --map {out})"
        then = f"Look it through. Then: {score}" if out else "-o map.toml writes it."
        typer.echo(then, err=True)


@app.command(rich_help_panel=PHYSIO)
def check(roster: Roster, mapping: Map = None, sheet: Sheet = None) -> None:
    """Check a roster without scoring it; rejected rows are listed by field."""
    from pfps_ml.io.mapping import load_mapping
    from pfps_ml.io.roster import read_roster

    with waiting("Reading"):
        read = read_roster(roster, load_mapping(mapping, sheet))
    show_account(read.summary)
    show_faults(read.faults)


@app.command(rich_help_panel=PHYSIO)
def score(  # noqa: PLR0913, PLR0917
    roster: Rosters, out: Scored, mapping: Map = None, sheet: Sheet = None, bundle: Folder = None,
    workers: Workers = None, dask: Dask = None,
) -> None:  # fmt: skip
    """Score a roster: every row comes back with a risk, reasons and what to measure next."""
    from pfps_ml.batch.rosters import score_roster
    from pfps_ml.batch.stream import RunOptions
    from pfps_ml.io.mapping import load_mapping
    from pfps_ml.io.pseudonyms import spot_in_head, warning

    options = RunOptions(workers, cluster=cluster_of(dask))
    if personal := spot_in_head(roster):
        Console(stderr=True).print(warning(personal).text, markup=False, highlight=False, soft_wrap=True)
    with progress() as tell:
        models = _bundle(bundle)
        summary = score_roster(roster, out, models, load_mapping(mapping, sheet), options, tell)
    show_account(summary, out)
    Console().print(models.notice, style="italic", soft_wrap=True)


@app.command(rich_help_panel=PHYSIO)
def rejected(scored: Answered, out: Mended) -> None:
    """Repeat the rejected rows of a scored roster in a file that can be mended and scored again."""
    from pfps_ml.batch.scoring import repeat_rejected

    with waiting("Reading"):
        count = repeat_rejected(scored, out)
    show_lines([("rejected rows", f"{count:,}")], out)


@app.command(rich_help_panel=PHYSIO)
def squad(  # noqa: PLR0913, PLR0917
    roster: Roster, out: Page, hours: Hours = 6.0, flags: Flags = 5, since: Since = None, mapping: Map = None,
    sheet: Sheet = None, bundle: Folder = None,
) -> None:  # fmt: skip
    """Write a squad's report: cases to expect, who to see first, and where to spend the next hours."""
    from pfps_ml.io.mapping import load_mapping
    from pfps_ml.squad.report import write_squad
    from pfps_ml.squad.report_data import ReportOptions

    with waiting("Writing"):
        data = write_squad(
            roster, out, _bundle(bundle), ReportOptions(flags, hours, since, load_mapping(mapping, sheet))
        )
    show_lines(data.summary(), out)


@app.command(rich_help_panel=CLINICIAN)
def card(bundle: Folder = None) -> None:
    """Show the model card: what the bundle was trained on, how well it does, and what it is not for."""
    from rich.markdown import Markdown

    Console().print(Markdown(_bundle(bundle).card))


@app.command(rich_help_panel=CLINICIAN)
def dictionary(out: Out = None) -> None:
    """Print every field with its limits, meaning and source, as Markdown."""
    from pfps_ml.domain.schemas import dictionary_page

    _deliver(dictionary_page(), out)


@app.command(rich_help_panel=RESEARCHER)
def scenarios(diff: Pair = None) -> None:
    """List the simulated worlds, or show where two of them differ, with the sources of both."""
    from pfps_ml.domain.scenario import load_scenario, scenario_names

    if diff is None:
        show_scenarios([load_scenario(name) for name in scenario_names()])
    else:
        show_differences(*map(load_scenario, diff))


@app.command(rich_help_panel=RESEARCHER)
def compare(task: Task = "onset", metric: Figure = None) -> None:
    """Print the latest comparison of candidates that `python -m pipelines.compare` logged to MLflow."""
    from pfps_ml.core.records import Tag
    from pfps_ml.workflows.tables import EXPERIMENT, TABLE, TAG
    from pfps_ml.workflows.tracking import latest_table

    with waiting("Asking MLflow"):
        about, table = latest_table(Tag(TAG, task), TABLE, EXPERIMENT)
    show_comparison(about, table, metric)


@app.command(rich_help_panel=PHYSIO)
def guide(out: Out = None) -> None:
    """Print how each field is measured: position, device, minutes, and what to do with both sides."""
    from pfps_ml.domain.measurement_protocols import guide_page

    _deliver(guide_page(), out)


@app.command(rich_help_panel=ENGINEER)
def serve(port: Port = 3000, host: Host = None) -> None:
    """Answer HTTP requests with the released bundle; SIGHUP takes over the one that CURRENT names then."""
    if find_spec("uvicorn") is None:
        raise MissingLibrary("expected uvicorn, which serves, got none. Install it: pip install 'pfps-ml[serve]'")
    from serving.app import serve as answer

    answer(host, port)


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
    from pfps_ml.model.bundle import load_bundle, released_bundle

    return released_bundle() if folder is None else load_bundle(folder)


def _deliver(text: str, out: Path | None, *endings: str) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        _deliver_bytes(text.encode(), out, *endings)


def _deliver_bytes(content: bytes, out: Path | None, *endings: str) -> None:
    from pfps_ml.core.atomic_output import check_output, write_whole

    if out is None:
        raise InputError("expected -o FILE.xlsx for a workbook, got none. A workbook is nothing to print.")
    check_output(out, endings)
    write_whole(out, content)
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
        console.print(f"  - {fault.line}")
    if len(error.faults) > SHOWN:
        console.print(f"  - and {len(error.faults) - SHOWN:,} more")


__all__ = ["app", "main"]
