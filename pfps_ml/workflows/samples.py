"""Write the data that are tracked: a 200-row sample of each simulated frame, the datasheet, and the example squad.

The example squad is 30 players in a workbook as untidy as real ones, the same bytes whenever it is written. Its values
are drawn at random within what a club would measure; they are nobody's, and they show nothing but formats.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from pfps_ml.core import SHOWN, CohortConfig, csv_text, uniforms, write_whole
from pfps_ml.core.console import command, say
from pfps_ml.core.markup import markdown_table
from pfps_ml.domain import NOTICE, ONSET, SCREENING, SUCCESS, VISIT, Scenario, load_scenario
from pfps_ml.io.xlsx_tables import settled_book
from pfps_ml.simulation.cohort import RUNNERS, World, odds_ratio_over, solved_parameters
from pfps_ml.workflows.frames import OBSERVED, TRUTH, Frames
from pfps_ml.workflows.simulate import simulate

HOME = Path("data/synthetic")
SAMPLES = HOME / "samples"
_ROWS = 200
LATENT = {
    "hip_strength_sd": "hip strength for age and sex",
    "knee_strength_sd": "knee strength for age and sex",
    "foot_posture_sd": "pronation of the foot",
    "squat_angle_sd": "inward knee angle in a squat",
}

_DATASHEET = """# Datasheet: synthetic runners and patients

**{notice}**

Written by `python -m pfps_ml.workflows.samples`; a test fails when it is stale.

## Motivation

No open patient-level trial or prospective cohort of patellofemoral pain is known, so the training data are simulated
from published figures. They exist to build, test and teach with; they are evidence of nothing.

## Composition (scenario `{scenario}`: {title})

{frames}

`draw` is a bookkeeping column and never a feature. Learning never reads the truth. There are no real people in the data.

## How they were made

{parameters} parameters: {cited} cite rows of the evidence ledger, {assumed} are marked as assumptions. Values are seen with
retest error, and missing where a club has no equipment or a runner keeps no log; equipment is drawn apart from risk.
Clinics choose pathways by driver and severity, so raw contrasts between arms are confounded. Shares that follow from
many causes (onset, success, failed care) are solved, so that the simulated share is the scenario's.

## Uses, and what they are not for

For developing and testing prediction software, for teaching, for planning a study. Not for estimating how common runner's
knee is, what causes it or which treatment works: whatever comes out was put in. Not for decisions about anybody's care.

## Limits

What a released model predicts is learned at the point values of the evidence. Refits on the same runners in {draws} draws
over its intervals are released with it, and their spread is part of every interval; `pfps simulate --draws K`
writes such draws. Drop-out follows severity and the state seen last.

Effects act on the odds of one month, month after month: a monthly ratio of 2 is an odds ratio of {odds_ratio:.2f} over
{months:g} months at the base rate. A spike of the longest run acts for {spike_months:g} months. That is an assumption \
({spike_low:g} to {spike_high:g}):
no study has timed it. So a monthly ratio of {spike:.1f}, for a longest run up to 30 % over, is an odds ratio of \
{spike_ratio:.1f}. A first
year of running has a small effect of its own, because the figures conflict: published rates of novices are both lower
and higher than those of other runners.

Published effects of strength, foot and squat stand for one of them alone, so what acts is solved jointly. A weak hip
alone is a monthly ratio of {hip:.2f} per SD in adults of `{scenario}`; but it comes with a weak knee and an inward
squat, and once these act, {hip_left:.2f} is left for the hip itself: {hip_means}. No study has shown that.

Patients are those who attend (the worse the knee and the more they run, the likelier), so onset is never learned from
visits. They are not the runners of the first frame some months later: latent strength, foot and squat have the same
means in patients as in runners. What the pain has done comes on top; what had selected them for onset is not in them.
Between future cases and all runners that selection is, in SD:

{selected}

With `--randomised`, pathways are drawn among those open to a patient, so an injection is compared with usual care among
those whose care has failed. All patients have the condition. How the self-tests answer in other knee pain (their
specificity: published for the squat, assumed for the two others) is simulated by setting `has_pfps` to 0; nothing else
of other knee pain is, and the answers of one knee to several tests are drawn independently.

## Distribution and upkeep

`samples/` holds the first {rows} rows of each frame; `make demo` rebuilds the rest. Licence: as the code (BSD-3-Clause).
"""


def sample_files(frames: Frames) -> dict[str, str]:
    """Return the samples as CSV text, by file name."""
    names = (*OBSERVED, *TRUTH)
    return {f"{n}.csv": csv_text(getattr(frames, n).head(_ROWS), SHOWN) for n in names}


def datasheet(frames: Frames, config: CohortConfig) -> str:
    """Return DATASHEET.md: what the data are, how they were made, what they are for and what they are not for."""
    scenario = load_scenario(config.scenario)
    parameters = [*scenario.runners.values(), *scenario.patients.values()]
    assumed = sum(parameter.assumption for parameter in parameters)
    base, lasts, spike = (scenario.runners[name] for name in ("onset_base_rate", "spike_months", "onset_spike_10"))
    return _DATASHEET.format(
        notice=NOTICE, scenario=scenario.name, title=scenario.title, rows=_ROWS,
        frames=_frames_table(frames),
        odds_ratio=odds_ratio_over(2.0, base.value, scenario.horizon_months), months=scenario.horizon_months,
        spike=exp(spike.value), spike_months=lasts.value, spike_low=lasts.low, spike_high=lasts.high,
        spike_ratio=odds_ratio_over(exp(spike.value), base.value, scenario.horizon_months, lasts.value),
        selected=_selection_table(), draws=config.draws, **_hip(scenario),
        parameters=len(parameters), cited=len(parameters) - assumed, assumed=assumed,
    )  # fmt: skip


def _hip(scenario: Scenario) -> dict[str, str | float]:
    left = exp(solved_parameters(scenario.name)[0].onset_hip_weakness)
    means = "weak hips then slightly protect" if left < 1 else "weak hips then still raise it"
    return {"hip": exp(scenario.runners["onset_hip_weakness"].value), "hip_left": left, "hip_means": means}


def selected_by_onset(scenario: str, rows: int = 100_000) -> dict[str, float]:
    """Return how far future cases differ from all runners before any pain, in SD, by latent score."""
    world = World(0, "runner", 0, rows, solved_parameters(scenario)[0], 1, RUNNERS)
    risk = world.column("true_risk")
    return {score: float(np.average(world.column(score), weights=risk)) for score in LATENT}


def _frames_table(frames: Frames) -> str:
    onset, success = frames.onset[ONSET.column].mean(), frames.treatment[SUCCESS.column].mean()
    visit = [field for field in VISIT if field.name in frames.treatment]  # no frame has the flags
    rows = [
        (
            "`onset.parquet`",
            f"{len(frames.onset):,} in {frames.onset['club'].nunique()} clubs",
            f"a runner free of knee pain: {len(SCREENING)} fields, and `{ONSET.column}` ({onset:.1%} yes)",
        ),
        (
            "`treatment.parquet`",
            f"{len(frames.treatment):,}",
            f"a patient at a visit: the same fields and {len(visit)} more, the arm that the clinic chose, and "
            f"`{SUCCESS.column}` ({success:.1%} yes)",
        ),
        (
            "`truth_onset.parquet`, `truth_treatment.parquet`",
            "the same",
            "the true risk; the true chance of success under every arm; and the draw, as in the observed frames",
        ),
    ]
    return markdown_table(("frame", "rows", "what a row is"), rows)


def _selection_table() -> str:
    by_scenario = [selected_by_onset(name) for name in ("reference", "kinetic_chain")]
    header = ("latent score", "`reference`", "`kinetic_chain` (the clinics' account at face value)")
    rows = ((label, *(f"{scores[name]:+.2f}" for scores in by_scenario)) for name, label in LATENT.items())
    return markdown_table(header, rows)


SQUAD = Path("data/examples/squad.xlsx")
PLAYERS = 30
SHEET = "Squad 25-26"
_YES = ("yes", "Y", "ja", "x?", "YES ", "✓", "TRUE", "y")
_SMILE = "=)"
_NO = ("no", "N", "nein", "No", "NO ", "✗", "FALSE", "n")


def squad_book() -> bytes:
    """Return the workbook: a cover, the squad below a title, and a hidden sheet of last season."""
    book = Workbook()
    cover = book.active
    assert isinstance(cover, Worksheet)
    cover.title = "Read me"
    cover.append(["Screening day. Yellow: ask again. Strength: see the comments."])
    _squad(book.create_sheet(SHEET))
    old = book.create_sheet("Squad 24-25")
    old.append(["Nr.", "M/F", "DOB", "Height (m)"])
    old.append([1, "F", dt.datetime(1999, 5, 3), 1.7])
    old.sheet_state = "hidden"
    return settled_book(book)


def _squad(sheet: Worksheet) -> None:
    sheet["A1"] = "Harbour Striders: screening"
    sheet["A1"].font = Font(bold=True, size=14)
    sheet.merge_cells("A1:F1")
    sheet["A2"], sheet["B2"] = "as of", dt.datetime(2026, 1, 17)
    columns = dict(_columns())
    sheet.append([])
    for place, (name, cells) in enumerate(columns.items(), start=1):
        head = sheet.cell(4, place, name)
        head.font, head.alignment = Font(bold=True), Alignment(wrap_text=True)
        for row, cell in enumerate(cells, start=5):
            written = sheet.cell(row, place, cell)
            if cell == _SMILE:
                written.data_type = "s"  # text, though it looks like a formula
    sheet["P4"].comment = Comment("Hand-held, pad just above the ankle. Newton.", "physio")
    sheet["F9"].fill = PatternFill("solid", fgColor="FFFF00")
    for row in range(5, 5 + PLAYERS):
        sheet.cell(row, 4).number_format = "dd/mm/yyyy"
        sheet.cell(row, list(columns).index("weekly change") + 1).number_format = "0%"
    sheet.cell(6 + PLAYERS, 2, "Average")
    sheet.cell(6 + PLAYERS, 5, 1.73)


def _columns() -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns as a physio calls them, with the cells as a physio fills them in."""
    yield "Nr.", [float(number) for number in range(1, PLAYERS + 1)]
    yield "Player", [f"P. {number:02}" for number in range(1, PLAYERS + 1)]
    yield "M/F", _choice("sex", ("F", "female", "w", "f"), ("M", "male", "m", "Male"), 0.5)
    yield "DOB", _changed([_day(u) for u in _uniforms("born")], {4: "14/08/1997", 11: "3.2.2001"})
    yield "Height (m)", _changed(_number("height", 1.55, 1.95, 2), {6: "1,75", 13: "5'11\"", 20: 16.8})
    yield "Weight lb", _changed(_number("weight", 115, 195, 0), {8: "?", 17: 999})
    yield "running\n(years)", _holes("years", _number("years", 0, 20, 0), 0.2)
    yield "weekly miles", _changed(_number("miles", 6, 35, 1), {2: "12,5", 9: "n/a"})
    yield "runs/week", _number("runs", 1, 6, 0)
    yield "Cadence", _holes("cadence", _number("cadence", 156, 186, 0), 0.4)
    yield "weekly change", _holes("change", _number("change", -0.3, 0.4, 2), 0.5)
    yield "Knee pain now?", _choice("pain", _YES[:3], _NO, 0.1)
    yield "runner's knee before?", _choice("prior", (1,), (0,), 0.25)
    yield "injured last year", _choice("injured", (True,), (False,), 0.4)
    yield "Knee surgery", _holes("surgery", _choice("surgery", ("Y",), ("N",), 0.1), 0.3)
    yield "hip abd (N)", _holes("hip", _number("hip", 90, 210, 0), 0.3)
    yield "Quads Nm", _holes("quads", _number("quads", 110, 240, 0), 0.5)
    yield "FPI", _holes("fpi", _number("fpi", -2, 9, 0), 0.4)
    yield "ND mm", _holes("drop", _number("drop", 2, 12, 1), 0.7)
    yield "Knee falls in", _choice("collapse", _YES, _NO, 0.3)
    yield "FPPA", [None] * PLAYERS
    yield "Shoe", _changed(["neutral"] * PLAYERS, {3: _SMILE})
    yield None, [None] * PLAYERS  # type: ignore[misc]
    yield "Remarks", [{2: "late", 5: "#N/A", 9: "-> see coach"}.get(number) for number in range(PLAYERS)]


def _uniforms(name: str) -> list[float]:
    return [float(value) for value in uniforms(2026, f"squad/{name}", 0, PLAYERS)]


def _number(name: str, low: float, high: float, digits: int) -> list[Any]:
    return [round(low + (high - low) * u, digits) for u in _uniforms(name)]


def _choice(name: str, first: tuple[Any, ...], second: tuple[Any, ...], share: float) -> list[Any]:
    pick: Callable[[tuple[Any, ...], int], Any] = lambda words, at: words[at % len(words)]  # noqa: E731
    return [pick(first if u < share else second, at) for at, u in enumerate(_uniforms(f"{name} is"))]


def _holes(name: str, cells: list[Any], share: float) -> list[Any]:
    return [None if u < share else cell for cell, u in zip(cells, _uniforms(f"{name} is blank"), strict=True)]


def _changed(cells: list[Any], changes: dict[int, Any]) -> list[Any]:
    return [changes.get(at, cell) for at, cell in enumerate(cells)]


def _day(u: float) -> dt.datetime:
    return dt.datetime(1988, 1, 1) + dt.timedelta(days=int(u * 20 * 365))


def main() -> None:
    """Write the samples, the datasheet and the example squad."""
    config = CohortConfig()
    frames = simulate(config)
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for name, text in sample_files(frames).items():
        write_whole(SAMPLES / name, text.encode("utf-8"))
    write_whole(HOME / "DATASHEET.md", datasheet(frames, config).encode("utf-8"))
    write_whole(SQUAD, squad_book())
    say(f"samples and datasheet in {HOME}, example squad in {SQUAD}")


if __name__ == "__main__":
    command(main)

__all__ = [
    "HOME", "LATENT", "PLAYERS", "SAMPLES", "SHEET", "SQUAD", "datasheet", "sample_files", "selected_by_onset",
    "squad_book",
]  # fmt: skip
