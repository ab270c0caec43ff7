"""A page on paper, by the Chromium that is there: no other host is asked for anything."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pfps_ml.core.errors import MissingLibrary, OutputError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_QUIET = (
    *("--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--hide-scrollbars"),
)
_PATIENCE = 60  # seconds


def print_pdf(page: str) -> bytes:
    """Return a page as PDF, A4.

    Raises
    ------
    MissingLibrary
        If there is no Chromium.
    OutputError
        If it prints nothing.
    """
    chromium = browser()
    if chromium is None:
        raise MissingLibrary(
            "expected Chromium, which makes the PDF, got none. Install it (Debian: apt-get install chromium), or write "
            ".html and print that from any browser."
        )
    with tempfile.TemporaryDirectory(prefix="pfps-") as folder:
        source, out = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own does not start for root
        command = [
            chromium,
            *_QUIET,
            *sandbox,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={out}",
            "--no-pdf-header-footer",
            source.as_uri(),
        ]
        try:
            subprocess.run(command, check=False, capture_output=True, timeout=_PATIENCE)  # noqa: S603
            return out.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(
                "expected a page from Chromium, got none. Write .html and print that from a browser."
            ) from error


def browser() -> str | None:
    """Return the Chromium of this machine, if it has one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


__all__ = ["browser", "print_pdf"]
