"""Paper and pictures of a page, by the Chromium that is there: no other host is asked for anything."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pfps_ml.errors import MissingLibrary, OutputError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_QUIET = (
    *("--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--hide-scrollbars"),
)
_PATIENCE = 60  # seconds


def printed(page: str) -> bytes:
    """Return a page as PDF, A4.

    Raises
    ------
    MissingLibrary
        If there is no Chromium.
    OutputError
        If it prints nothing.
    """
    return _made(page, "--print-to-pdf={}", "page.pdf", "--no-pdf-header-footer")


def pictured(page: str, width: int = 1200, height: int = 1500) -> bytes:
    """Return the top of a page as PNG, in pixels; errors as in `printed`."""
    return _made(page, "--screenshot={}", "page.png", f"--window-size={width},{height}")


def browser() -> str | None:
    """Return the Chromium of this machine, if it has one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def _made(page: str, option: str, name: str, *more: str) -> bytes:
    chromium = browser()
    if chromium is None:
        raise MissingLibrary(
            "expected Chromium, which makes the PDF, got none. Install it (Debian: apt-get install chromium), or write "
            ".html and print that from any browser."
        )
    with tempfile.TemporaryDirectory(prefix="pfps-") as folder:
        source, out = Path(folder) / "page.html", Path(folder) / name
        source.write_text(page, encoding="utf-8")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own does not start for root
        command = [
            chromium,
            *_QUIET,
            *sandbox,
            f"--user-data-dir={folder}/profile",
            option.format(out),
            *more,
            source.as_uri(),
        ]
        try:
            subprocess.run(command, check=False, capture_output=True, timeout=_PATIENCE)  # noqa: S603
            return out.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(
                "expected a page from Chromium, got none. Write .html and print that from a browser."
            ) from error


__all__ = ["browser", "pictured", "printed"]
