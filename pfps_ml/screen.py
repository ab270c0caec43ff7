"""What a terminal shows while something is being done; nothing where there is no terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


__all__ = ["PATIENCE", "Tell", "progress", "waiting"]
