"""The commands that stand before the scoring: training logs are summed, and names are taken out of a roster."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pfps_ml.cli.options import PHYSIO
from pfps_ml.core import InputError
from pfps_ml.core.console import waiting
from pfps_ml.workflows.tables import show_lines

Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the roster.")]
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
            raise InputError("expected ROSTER, or --back SCORED --roster ROSTER, got something else.")
    show_lines(lines, out)


__all__ = ["app", "load", "pseudonymise"]
