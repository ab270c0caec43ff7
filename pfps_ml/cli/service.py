"""The commands of an engineer who runs the service."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from pfps_ml.core import Message, MissingLibrary, PartlyDone
from pfps_ml.core.console import waiting
from pfps_ml.workflows.tables import show_erasure

ENGINEER = "For an engineer"
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen.")]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="ADDRESS", help="Where from; 127.0.0.1, or with PFPS_API_KEYS every address."),
]
Person = Annotated[
    str, typer.Argument(metavar="ID", help="The id of the person; - reads it from standard input.", show_default=False)
]
Trails = Annotated[
    list[Path] | None,
    typer.Option("--audit", metavar="FILE", help="A trail; PFPS_AUDIT if not given."),
]
Folders = Annotated[
    list[Path] | None,
    typer.Option("--folder", metavar="DIR", help="Where outputs of runs stand, at any depth."),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="A key of the person's pseudonyms."),
]

app = typer.Typer()


@app.command(rich_help_panel=ENGINEER)
def serve(port: Port = 3000, host: Host = None) -> None:
    """Answer HTTP requests with the released bundle; SIGHUP takes over the one that CURRENT names then."""
    if find_spec("uvicorn") is None:
        raise MissingLibrary(Message("uvicorn_missing"))
    from serving.app import serve as answer

    answer(host, port)


@app.command(rich_help_panel=ENGINEER)
def erase(person: Person, audit: Trails = None, folder: Folders = None, key: Keys = None) -> None:
    """Take one person out of the audit trail and of runs that are not done; says what it cannot reach."""
    from pfps_ml.batch.erasure import erase as take_out

    named = os.environ.get("PFPS_AUDIT")
    trails = audit or ([Path(named)] if named else [])
    with waiting("Reading"):
        # an argument stands in the history of the shell and in the list of processes; standard input does not
        erasure = take_out(sys.stdin.readline() if person == "-" else person, trails, folder or [], key or [])
    show_erasure(erasure)
    if erasure.busy:
        raise PartlyDone(Message("erase_partly", {"n": len(erasure.busy)}))


__all__ = ["app", "erase", "serve"]
