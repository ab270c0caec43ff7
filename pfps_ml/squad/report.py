"""`pfps squad`: one page for the coach and a few for the physio, from a roster: as HTML, and on paper.

The tables are rows of what is shown, for the templates to lay out. Paper is printed by the Chromium that is there: no
other host is asked for anything.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment
from markupsafe import Markup

from pfps_ml.core import Message, MissingLibrary, OutputError, check_output, percent as level_text, write_whole
from pfps_ml.core.markup import templates_of
from pfps_ml.domain import BY_NAME, DRIVERS, Driver, updates_clause
from pfps_ml.domain.measurement_protocols import ASSUMPTION
from pfps_ml.model import Bundle
from pfps_ml.squad import formatting
from pfps_ml.squad.forecast import WORLDS, Forecast, Triage, club_spread
from pfps_ml.squad.formatting import hours, percent, points, price_strip, risk_line
from pfps_ml.squad.measurements import Measurement
from pfps_ml.squad.report_data import ReportData, ReportOptions
from pfps_ml.squad.screening import Reason, screen

BANDS = ("low", "moderate", "high")
_DRIVER_LABELS: dict[Driver, str] = {"hip": "Hip", "foot": "Foot and step", "knee": "Knee", "load": "Training load",
                                     "history": "History", "body": "Body"}  # fmt: skip
_SHADES = (0.5, 1.5, 3.0, 6.0)  # percentage points from which a cell of the heat map is darker
_REASONS, _REASONS_OF_FIRST = 3, 2
_IDS = 40  # that are listed
_LEAST_POINTS = 0.05  # percentage points: of those on the list, a reason that adds less is left out
_LEAST_GAIN = 0.0005  # cases: a measurement that brings less is only named
_LEAST_SCALE = 0.1  # risk: the scale of the intervals reaches at least so far


@dataclass(frozen=True)
class RunnerRow:
    """A runner as the report lists one: id, risk, interval, band, what moves the risk most, and the picture."""

    name: str
    risk: float
    low: float
    high: float
    band: str
    reasons: tuple[Reason, ...]
    picture: Markup


@dataclass(frozen=True)
class HeatCell:
    """What a group of fields adds to a risk, percentage points, or a dash; and how dark its cell is."""

    text: str
    shade: str


@dataclass(frozen=True)
class MeasurementValue:
    """What it would bring to measure a field in all who lack it: how many they are, how long it takes, cases gained."""

    field: str
    obtained: str
    runners: int
    time: str
    gain: float


def scale_of_risks(data: ReportData) -> float:
    """Return the risk at the right end of the pictures of intervals."""
    risk = data.screening.assessments.prediction.risk
    return max(float(risk.high[data.screening.by_risk].max()), _LEAST_SCALE)


def runner_rows(data: ReportData) -> list[RunnerRow]:
    """Return every runner that is scored, highest risk first."""
    screening, risk, top = data.screening, data.screening.assessments.prediction.risk, scale_of_risks(data)
    rows = []
    for place, at in enumerate(screening.by_risk):
        band = BANDS[int(screening.assessments.bands[at])]
        value, low, high = (float(part[at]) for part in (risk.value, risk.low, risk.high))
        reasons = tuple(screening.reasons(place)[:_REASONS])
        picture = risk_line(value, low, high, top, band)
        rows.append(RunnerRow(screening.ids[int(at)], value, low, high, band, reasons, picture))
    return rows


def first_rows(data: ReportData, triage: Triage) -> list[tuple[str, float, list[Reason]]]:
    """Return who is seen first: id, risk, and what raises it most."""
    rows = []
    for place in triage.first:
        raising = [reason for reason in data.screening.reasons(place) if reason.points > _LEAST_POINTS]
        rows.append((name_of(data, place), float(data.risks[place]), raising[:_REASONS_OF_FIRST]))
    return rows


def as_risky_as_the_last(data: ReportData, triage: Triage) -> int:
    """Return how many of the others have the same risk as the last of those seen first."""
    count = len(triage.first)
    return int((data.risks[count:] == data.risks[triage.first[-1]]).sum())


def count_rows(forecast: Forecast) -> list[tuple[str, str, str]]:
    """Return each number of new cases, how probable it is, and whether it is in the range."""
    last = max(forecast.high + 1, 3)
    rows = [(str(count), percent(share), "yes" if forecast.low <= count <= forecast.high else "")
            for count, share in enumerate(forecast.shares[: last + 1])]  # fmt: skip
    rest = float(forecast.shares[last + 1 :].sum())
    return [*rows, (f"{last + 1} or more", percent(rest), "")] if rest > 0 else rows


def heat_map(data: ReportData) -> tuple[list[str], list[tuple[str, list[HeatCell]]]]:
    """Return the labels of the groups of fields, and of each runner the id and a cell for each group."""
    by_runner = [data.screening.drivers(place) for place in range(len(data.screening.by_risk))]
    drivers = [driver for driver in DRIVERS if any(driver in points_of for points_of in by_runner)]
    rows = [(name_of(data, place), [_heat_cell(points_of.get(driver)) for driver in drivers])
            for place, points_of in enumerate(by_runner)]  # fmt: skip
    return [_DRIVER_LABELS[driver] for driver in drivers], rows


def price_rows(triage: Triage) -> list[tuple[str, str, str]]:
    """Return whom to see, by how many check-ups one case is worth."""
    least, most = (f"{end:.0f}" for end in sorted(triage.worth_from_to))
    nobody, first, everybody = _ways(triage)
    return [(nobody, "fewer than", least), (first, f"{least} to", most), (everybody, "more than", most)]


def price_picture(triage: Triage) -> Markup:
    """Return the same as a picture."""
    return price_strip(sorted(triage.worth_from_to), triage.check_ups, _ways(triage))


def measurement_values(data: ReportData) -> tuple[list[MeasurementValue], list[str]]:
    """Return what each measurement would bring, most first, and the labels of those that bring next to nothing."""
    by_field = groupby(sorted(data.squad.choices, key=_field), key=_field)
    values = [_value(data, name, list(group)) for name, group in by_field]
    values.sort(key=lambda value: -value.gain)
    valuable = [value for value in values if value.gain >= _LEAST_GAIN]
    return valuable, [value.field for value in values if value.gain < _LEAST_GAIN]


def plan_rows(data: ReportData) -> list[tuple[str, str, str]]:
    """Return of whom to measure what, and how long it takes, in the order of the plan."""
    by_runner: dict[int, list[Measurement]] = {}
    for measurement in data.plan.chosen if data.plan else ():
        by_runner.setdefault(measurement.runner, []).append(measurement)
    return [(name_of(data, at), ", ".join(BY_NAME[measurement.field].label for measurement in chosen), _time(chosen))
            for at, chosen in by_runner.items()]  # fmt: skip


def tier_rows(data: ReportData) -> list[tuple[str, str]]:
    """Return the share of fields that is known, by how they are obtained."""
    return [(name.capitalize(), percent(share)) for name, share in data.screening.known_by_tier().items()]


def field_rows(data: ReportData) -> list[tuple[str, str, str]]:
    """Return of how many runners each field is known, and of whom it is not, the least known first."""
    fields = sorted(data.screening.measured.items(), key=lambda item: item[1])
    return [(BY_NAME[name].label, percent(share), _listed(data.screening.unknown(name)) if share else "everybody")
            for name, share in fields]  # fmt: skip


def one_sided_rows(data: ReportData) -> list[tuple[str, str]]:
    """Return of each measurement of two sides the runners of whom one side alone is known."""
    return [(BY_NAME[name].label, _listed(ids)) for name, ids in data.screening.roster.one_sided.items()]


def _listed(ids: Sequence[str]) -> str:
    """Return ids as a list that a page holds; the scored file has them all."""
    return ", ".join(ids[:_IDS]) + (f" and {len(ids) - _IDS:,} more" if len(ids) > _IDS else "")


def name_of(data: ReportData, place: int) -> str:
    """Return the id of one of the squad."""
    return data.screening.ids[int(data.screening.by_risk[place])]


def _ways(triage: Triage) -> tuple[str, str, str]:
    return "nobody", f"these {len(triage.first)}", "everybody"


def _value(data: ReportData, name: str, missing: list[Measurement]) -> MeasurementValue:
    field = BY_NAME[name]
    return MeasurementValue(field.label, str(field.obtained), len(missing), _time(missing), data.squad.gain(missing))


def _heat_cell(value: float | None) -> HeatCell:
    if value is None:
        return HeatCell("\N{EN DASH}", "none")
    shade = sum(abs(value) >= cut for cut in _SHADES)
    return HeatCell(points(value), f"{'up' if value > 0 else 'down'}{shade}" if shade else "")


def _time(chosen: Sequence[Measurement]) -> str:
    return hours(sum(measurement.minutes for measurement in chosen) / 60)


def _field(measurement: Measurement) -> str:
    return measurement.field


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
        raise MissingLibrary(Message("chromium_missing"))
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
            raise OutputError(Message("chromium_made_no_page")) from error


def browser() -> str | None:
    """Return the Chromium of this machine, if it has one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


ENDINGS = (".html", ".pdf")
COACH = ("warnings", "doctor_first", "knee_pain", "expected_cases", "see_first", "spend_hours", "how_to_read")
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
    **{table.__name__: table for table in (
        count_rows, field_rows, first_rows, heat_map, measurement_values, name_of, one_sided_rows,
        plan_rows, price_picture, price_rows,
        runner_rows, scale_of_risks, tier_rows)},
    as_risky_as_the_last=as_risky_as_the_last,
    ASSUMPTION=ASSUMPTION, WORLDS=WORLDS, club_spread=club_spread, count_bars=formatting.count_bars,
    updates_clause=updates_clause,
)  # fmt: skip


__all__ = [
    "BANDS",
    "COACH",
    "ENDINGS",
    "PHYSIO",
    "HeatCell",
    "MeasurementValue",
    "RunnerRow",
    "as_risky_as_the_last",
    "browser",
    "count_rows",
    "field_rows",
    "first_rows",
    "heat_map",
    "measurement_values",
    "name_of",
    "one_sided_rows",
    "plan_rows",
    "price_picture",
    "price_rows",
    "print_pdf",
    "report_page",
    "runner_rows",
    "scale_of_risks",
    "section",
    "tier_rows",
    "write_squad",
]
