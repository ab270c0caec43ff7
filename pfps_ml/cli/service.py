"""The command of an engineer who runs the service."""

from importlib.util import find_spec
from typing import Annotated

import typer

from pfps_ml.core import MissingLibrary

ENGINEER = "For an engineer"
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen.")]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="ADDRESS", help="Where from; 127.0.0.1, or with PFPS_API_KEYS every address."),
]

app = typer.Typer()


@app.command(rich_help_panel=ENGINEER)
def serve(port: Port = 3000, host: Host = None) -> None:
    """Answer HTTP requests with the released bundle; SIGHUP takes over the one that CURRENT names then."""
    if find_spec("uvicorn") is None:
        raise MissingLibrary("expected uvicorn, which serves, got none. Install it: pip install 'pfps-ml[serve]'")
    from serving.app import serve as answer

    answer(host, port)


__all__ = ["app", "serve"]
