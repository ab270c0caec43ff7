"""`pfps squad`: one page for the coach and a few for the physio, from a roster.

A page on paper, by the Chromium that is there: no other host is asked for anything.
"""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment
from markupsafe import Markup

from pfps_ml.core import MissingLibrary, OutputError, check_output, percent as level_text, write_whole
from pfps_ml.core.markup import templates_of
from pfps_ml.domain import updates_clause
from pfps_ml.domain.measurement_protocols import ASSUMPTION
from pfps_ml.model import Bundle
from pfps_ml.squad import formatting, report_tables
from pfps_ml.squad.forecast import WORLDS, club_spread
from pfps_ml.squad.report_data import ReportData, ReportOptions
from pfps_ml.squad.screening import screen

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


ENDINGS = (".html", ".pdf")
COACH = ("warnings", "knee_pain", "expected_cases", "see_first", "spend_hours", "how_to_read")
PHYSIO = ("all_runners", "drivers", "price", "measuring", "unusual", "data_quality", "changes", "method")


def write_squad(source: Path, out: Path, bundle: Bundle, options: ReportOptions | None = None) -> ReportData:
    """Write the report of a squad.

    Parameters
    ----------
    source
        The roster.
    out
        Where the report goes, .html, or .pdf where there is a Chromium to print it.
    bundle
        The released models.
    options
        What the reader can do, and an earlier file.

    Raises
    ------
    InputError
        If the roster, or the earlier file, cannot be read.
    MissingLibrary
        If a .pdf is wanted and there is no Chromium.
    OutputError
        If the report cannot be written.
    """
    check_output(out, ENDINGS)
    options = options or ReportOptions()
    data = ReportData(screen(source, bundle, options.mapping, options.strict), options)
    page = report_page(data)
    write_whole(out, print_pdf(page) if out.suffix.lower() == ".pdf" else page.encode())
    return data


def report_page(data: ReportData) -> str:
    """Return the report as HTML."""
    bundle = data.screening.bundle
    return (
        _templates()
        .get_template("report.html")
        .render(
            title="Runner's knee in this squad",
            about=f"{data.screening.counts} · the next {data.horizon} · model {bundle.name}",
            notice=bundle.notice,
            front=[section(name, data) for name in COACH],
            back=[section(name, data) for name in PHYSIO],
        )
    )


def section(name: str, data: ReportData) -> Markup:
    """Return one section of the report as HTML; empty where it has nothing to say.

    Parameters
    ----------
    name
        One of `COACH` or `PHYSIO`: a macro of the template of that name.
    data
        What can be said of the squad.
    """
    page = _templates().get_template("coach.html" if name in COACH else "physio.html")
    html: Markup = getattr(page.module, name)(data, _TABLES)
    return html


@cache
def _templates() -> Environment:
    templates = templates_of("pfps_ml.squad")
    templates.filters.update({name: getattr(formatting, name) for name in _FILTERS})
    templates.globals.update({name: getattr(formatting, name) for name in _FUNCTIONS})
    templates.globals["level_text"] = level_text
    return templates


# what the templates may call: `count | cases`, `level_text(level)` and `tables.runner_rows(data)`
_FILTERS = ("cases", "gained", "hours", "percent", "points", "runners", "signed", "whole")
_FUNCTIONS = ("count_range", "out_of")
_TABLES = SimpleNamespace(
    **{name: getattr(report_tables, name) for name in report_tables.__all__},
    ASSUMPTION=ASSUMPTION, WORLDS=WORLDS, club_spread=club_spread, count_bars=formatting.count_bars,
    updates_clause=updates_clause,
)  # fmt: skip


__all__ = ["COACH", "ENDINGS", "PHYSIO", "browser", "print_pdf", "report_page", "section", "write_squad"]
