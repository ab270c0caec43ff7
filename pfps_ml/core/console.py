"""What a terminal shows: steps with progress, tables, waiting, and faults without a traceback.

Where there is no terminal, nothing of what moves is shown.
"""

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from pfps_ml.core.errors import PfpsError

PATIENCE = 1.0  # seconds that pass before progress is worth a line
Tell = Callable[[str, float, int], None]


@contextmanager
def waiting(step: str) -> Iterator[None]:
    """Show on a terminal that something is being done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with _shown(*columns, turning=True) as shown:
        shown.start()
        shown.add_task(step, total=None)
        yield


@contextmanager
def progress() -> Iterator[Tell]:
    """Lend what shows on a terminal, once it has taken a while, the step, its speed and the time that is left."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    begun, steps = time.monotonic(), dict[str, float]()
    # no thread that turns the spinner: a fork of the process would lose it
    with _shown(*columns, turning=False) as shown:
        task = shown.add_task("", total=1.0)

        def tell(step: str, share: float, rows: int) -> None:
            now = time.monotonic()
            since = now - steps.setdefault(step, now)
            speed = f", {rows / since:,.0f} rows/s" if rows and since else ""
            shown.update(task, description=f"{step}{speed}", completed=share)
            if now - begun >= PATIENCE:
                shown.start()
                shown.refresh()

        yield tell


@contextmanager
def _shown(*columns: ProgressColumn, turning: bool) -> Iterator[Progress]:
    console = Console(stderr=True)
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal, auto_refresh=turning)
    try:
        yield shown
    finally:
        shown.stop()


_OUT = Console()
_ERR = Console(stderr=True)


@contextmanager
def steps(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over a number of steps; call what it gives with the name of each step as it begins."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_ERR) as progress:
        task, begun = progress.add_task(title, total=total), 0

        def tell(step: str) -> None:
            nonlocal begun
            progress.update(task, description=f"{title}: {step}", completed=begun)
            begun += 1

        yield tell
        progress.update(task, description=title, completed=total)


def table(title: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table."""
    drawn = Table(*header, title=title, title_justify="left")
    for row in rows:
        drawn.add_row(*map(str, row))
    _OUT.print(drawn)


def say(text: str) -> None:
    """Print one line."""
    _OUT.print(text, highlight=False, soft_wrap=True)


def command(main: Callable[..., None]) -> None:
    """Run a pipeline as a command: a mistake of the user's is explained, with its exit code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except PfpsError as error:
        _ERR.print(f"error: {error.message}", style="red", highlight=False, markup=False, soft_wrap=True)
        for fault in error.faults:
            _ERR.print(f"  {fault.line}", highlight=False, markup=False, soft_wrap=True)
        sys.exit(error.exit_code)


HERE = "here"  # in place of an address: a cluster on this machine
_ADDRESS = re.compile(r"\w+://.+|[\w.-]+:\d+")


def spelt_out(arguments: list[str]) -> list[str]:
    """Give --dask a value where it has none, because an option of a command takes one always or never."""
    follows = [*arguments[1:], ""]
    return [
        f"--dask={HERE}" if word == "--dask" and not _ADDRESS.fullmatch(after) else word
        for word, after in zip(arguments, follows, strict=True)
    ]


def cluster_of(dask: str | None) -> tuple[str | None] | None:
    """Return None for no cluster, and else its address in a tuple, or None in it for one on this machine."""
    return None if dask is None else (None if dask == HERE else dask,)


__all__ = [
    "HERE",
    "PATIENCE",
    "Tell",
    "cluster_of",
    "command",
    "progress",
    "say",
    "spelt_out",
    "steps",
    "table",
    "waiting",
]
