"""The commands of a club's physio: a roster is mapped, checked, scored and reported; logs and names are prepared."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pfps_ml.core import InputError, Message
from pfps_ml.core.console import cluster_of, progress, waiting
from pfps_ml.workflows.tables import show_account, show_faults, show_lines, show_proposal

if TYPE_CHECKING:
    from pfps_ml.model.bundle import Bundle

PHYSIO = "For the physio of a club"

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
Strict = Annotated[
    bool, typer.Option("--strict", help="Reject a row for any cell at fault; else that cell alone is set aside.")
]
Out = Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write to a file, not to the screen.")]
Scored = Annotated[
    Path, typer.Option("-o", "--out", metavar="OUT", help="The scored roster, .csv, .xlsx, .parquet or a folder.")
]
Sheet = Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Of a workbook with more than one roster.")]
Toml = Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE.toml", help="Write the map to a file.")]
Newest = Annotated[
    str | None,
    typer.Option("--newest", metavar="COLUMN", help="Of rows with one id, the newest by this column counts."),
]
Ask = Annotated[bool, typer.Option("--ask", help="Ask here what the file leaves open, one question at a time.")]
Like = Annotated[
    Path | None, typer.Option("--like", metavar="MAP.toml", help="Read it as an earlier file of the club.")
]
Workbook = Annotated[bool, typer.Option("--xlsx", help="As a workbook, with lists to choose from and an example.")]
Answered = Annotated[Path, typer.Argument(metavar="SCORED", help="What `pfps score` wrote.", show_default=False)]
Mended = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The rows, .csv, .xlsx or .parquet.")]

Page = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The report, .html, or .pdf with a Chromium.")]
Hours = Annotated[
    float, typer.Option("--hours", min=0, max=10_000, metavar="H", help="Hours that there are for measuring.")
]
Flags = Annotated[int, typer.Option("--flags", min=1, metavar="N", help="How many runners can be seen first.")]
Since = Annotated[Path | None, typer.Option("--since", metavar="FILE", help="An earlier roster, to say what changed.")]
Log = Annotated[
    Path, typer.Argument(metavar="LOG", help="activities.csv, .fit, .gpx, or a folder of them.", show_default=False)
]
Changed = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The result, .csv, .xlsx or .parquet.")]
Day = Annotated[
    datetime | None, typer.Option("--at", formats=["%Y-%m-%d"], help="Last day that counts; the logs' last.")
]
Units = Annotated[str | None, typer.Option("--units", metavar="km|mi", help="Of distances, where a log does not say.")]
Runner = Annotated[str | None, typer.Option("--runner", metavar="ID", help="Whose log it is.")]
Into = Annotated[Path | None, typer.Option("--into", metavar="ROSTER", help="Fill the loads into a roster.")]
Replace = Annotated[bool, typer.Option("--replace", help="With --into: also where the roster has a value.")]
Named = Annotated[Path | None, typer.Argument(metavar="ROSTER", help="A roster with names.", show_default=False)]
Key = Annotated[Path, typer.Option("--key", metavar="FILE", help="The key: whoever has it can go back.")]
New = Annotated[bool, typer.Option("--new-key", help="Make a key, and write it to --key FILE.")]
Back = Annotated[Path | None, typer.Option("--back", metavar="SCORED", help="Give pseudonyms their ids back.")]
Original = Annotated[Path | None, typer.Option("--roster", metavar="ROSTER", help="With --back: the original.")]

app = typer.Typer()


@app.command(rich_help_panel=PHYSIO)
def template(out: Out = None, workbook: Workbook = False) -> None:
    """Print an empty roster: the header that `pfps score` reads."""
    from pfps_ml.domain import template as header
    from pfps_ml.io.readers import WORKBOOK, format_of
    from pfps_ml.io.xlsx_tables import template_book

    if workbook or (out and format_of(out) == WORKBOOK):
        _deliver_bytes(template_book(), out, WORKBOOK.ending)
    else:
        deliver(header(), out)


@app.command("map", rich_help_panel=PHYSIO)
def map_columns(roster: Roster, out: Toml = None, sheet: Sheet = None, ask: Ask = False, like: Like = None) -> None:
    """Propose what the columns of a roster are, with three values of each, as a map to look through."""
    from pfps_ml.io.mapping_dialogue import answers, like as as_before, map_text
    from pfps_ml.io.roster import propose_map

    with waiting("Reading"):
        proposed = propose_map(roster, sheet)
        proposed = as_before(proposed, like) if like else proposed
    if ask:
        proposed = answers(proposed, input if sys.stdin.isatty() else None, lambda line: typer.echo(line, err=True))
    show_proposal(proposed)
    if proposed.needed:
        deliver(map_text(proposed), out, ".toml")
        score = f"pfps score {roster} --map {out} -o OUT (with outcomes: pfps audit {roster} --map {out})"
        then = f"Look it through. Then: {score}" if out else "-o map.toml writes it."
        typer.echo(then, err=True)


@app.command(rich_help_panel=PHYSIO)
def check(roster: Roster, mapping: Map = None, sheet: Sheet = None, strict: Strict = False) -> None:
    """Check a roster without scoring it; what is wrong is listed by field."""
    from pfps_ml.io.mapping import load_mapping
    from pfps_ml.io.roster import read_roster

    with waiting("Reading"):
        read = read_roster(roster, load_mapping(mapping, sheet), strict)
    show_account(read.summary)
    show_faults(read)


@app.command(rich_help_panel=PHYSIO)
def score(  # noqa: PLR0913, PLR0917
    roster: Rosters, out: Scored, mapping: Map = None, sheet: Sheet = None, bundle: Folder = None,
    workers: Workers = None, dask: Dask = None, newest: Newest = None, strict: Strict = False,
) -> None:  # fmt: skip
    """Score a roster: every row comes back with a risk, reasons and what to measure next."""
    from pfps_ml.batch.rosters import score_roster
    from pfps_ml.batch.stream import RunOptions
    from pfps_ml.io.mapping import load_mapping
    from pfps_ml.io.pseudonyms import spot_in_head, warning

    options = RunOptions(workers, cluster=cluster_of(dask), strict=strict)
    if personal := spot_in_head(roster):
        Console(stderr=True).print(warning(personal).text, markup=False, highlight=False, soft_wrap=True)
    with progress() as tell:
        models = bundle_of(bundle)
        summary = score_roster(roster, out, models, load_mapping(mapping, sheet, newest), options, tell)
    show_account(summary, out)
    Console().print(models.notice, style="italic", soft_wrap=True)


@app.command(rich_help_panel=PHYSIO)
def rejected(scored: Answered, out: Mended) -> None:
    """Repeat the rows of a scored roster that have problems in a file that can be mended and scored again."""
    from pfps_ml.batch.scoring import repeat_problems

    with waiting("Reading"):
        rejected_rows, partly = repeat_problems(scored, out)
    show_lines([("rejected rows", f"{rejected_rows:,}"), ("rows scored partly", f"{partly:,}")], out)


@app.command(rich_help_panel=PHYSIO)
def squad(  # noqa: PLR0913, PLR0917
    roster: Roster, out: Page, hours: Hours = 6.0, flags: Flags = 5, since: Since = None, mapping: Map = None,
    sheet: Sheet = None, bundle: Folder = None, strict: Strict = False,
) -> None:  # fmt: skip
    """Write a squad's report: cases to expect, who to see first, and where to spend the next hours."""
    from pfps_ml.io.mapping import load_mapping
    from pfps_ml.squad.report import write_squad
    from pfps_ml.squad.report_data import ReportOptions

    with waiting("Writing"):
        data = write_squad(
            roster, out, bundle_of(bundle), ReportOptions(flags, hours, since, load_mapping(mapping, sheet), strict)
        )
    show_lines(data.summary(), out)


@app.command(rich_help_panel=PHYSIO)
def guide(out: Out = None) -> None:
    """Print how each field is measured: position, device, minutes, and what to do with both sides."""
    from pfps_ml.domain.measurement_protocols import guide_page

    deliver(guide_page(), out)


@app.command(rich_help_panel=PHYSIO)
def load(  # noqa: PLR0913, PLR0917
    log: Log, out: Changed, at: Day = None, units: Units = None, runner: Runner = None, into: Into = None,
    replace: Replace = False, mapping: Map = None,
) -> None:  # fmt: skip
    """Sum training logs into the load that a roster asks for, by runner; what a log cannot tell is said."""
    from pfps_ml.io.log_files import Wish, write_loads

    with waiting("Reading"):
        lines = write_loads(log, out, Wish(runner, units, at and at.date(), into, replace, mapping))
    show_lines(lines, out)


@app.command(rich_help_panel=PHYSIO)
def pseudonymise(  # noqa: PLR0913, PLR0917
    out: Changed, key: Key, roster: Named = None, new_key: New = False, back: Back = None, original: Original = None,
    mapping: Map = None,
) -> None:  # fmt: skip
    """Replace ids by pseudonyms and leave names out; with --back, put both back."""
    from pfps_ml.io import pseudonyms

    with waiting("Reading"):
        if back and original and not (roster or new_key):
            lines = pseudonyms.give_back(back, key, original, out, mapping)
        elif roster and not (back or original):
            lines = pseudonyms.pseudonymise(roster, key, out, new_key, mapping)
        else:
            raise InputError(Message("pseudonymise_arguments"))
    show_lines(lines, out)


def bundle_of(folder: Path | None) -> "Bundle":
    """Load the bundle of a folder; the released one if no folder is named."""
    from pfps_ml.model.bundle import load_bundle, released_bundle

    return released_bundle() if folder is None else load_bundle(folder)


def deliver(text: str, out: Path | None, *endings: str) -> None:
    """Print a text, or write it to a file with one of the endings."""
    if out is None:
        typer.echo(text, nl=False)
    else:
        _deliver_bytes(text.encode(), out, *endings)


def _deliver_bytes(content: bytes, out: Path | None, *endings: str) -> None:
    from pfps_ml.core.atomic_output import check_output, write_whole

    if out is None:
        raise InputError(Message("workbook_needs_file"))
    check_output(out, endings)
    write_whole(out, content)
    Console(stderr=True).print(f"Written: {out}", markup=False, highlight=False, soft_wrap=True)


__all__ = ["Folder", "Out", "app", "bundle_of", "deliver"]
