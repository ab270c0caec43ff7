"""What a person types; `pfps --help` lists the verbs.

Exit codes: 0 done (rejected rows included), 2 input, 3 bundle, 4 output not writable, 5 partly done.
"""

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from pfps_ml import __version__
from pfps_ml.cli import cohort, models, roster, service
from pfps_ml.core import Message, OutputError, PfpsError
from pfps_ml.core.console import spelt_out

SHOWN = 20  # faults of a header or a map; a table of more is not read

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for room in (roster, models, cohort, service):  # the order in which `pfps --help` names who needs what
    app.add_typer(room.app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pfps {__version__}")
        raise typer.Exit


@app.callback()
def pfps(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Explained predictions of runner's knee. Trained on simulated data; not a medical device."""


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
        _explain(OutputError(Message("answer_not_printed", {"reason": error.strerror})))
        sys.exit(OutputError.exit_code)


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
