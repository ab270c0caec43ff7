"""`pfps squad`: one page for the coach and a few for the physio, from a roster."""

from pathlib import Path

from pfps_ml.bundle import Bundle
from pfps_ml.outputs import check_output, write_whole
from pfps_ml.squad import background, coach, physio
from pfps_ml.squad.answers import Answers, Wanted
from pfps_ml.squad.page import page
from pfps_ml.squad.printing import printed
from pfps_ml.squad.screening import screen
from pfps_ml.squad.words import runners

ENDINGS = (".html", ".pdf")
_FRONT = (coach.warnings, coach.pain, coach.expected, coach.first, coach.measure, coach.say)
_BACK = (
    *(physio.everybody, physio.drivers, physio.price, physio.measuring),
    *(background.unusual, background.quality, background.since, background.method),
)


def write_squad(source: Path, out: Path, bundle: Bundle, wanted: Wanted | None = None) -> Answers:
    """Write the report of a squad.

    Parameters
    ----------
    source
        The roster.
    out
        Where the report goes, .html, or .pdf where there is a Chromium to print it.
    bundle
        The released models.
    wanted
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
    wanted = wanted or Wanted()
    answers = Answers(screen(source, bundle, wanted.mapping), wanted)
    text = report_page(answers)
    write_whole(out, printed(text) if out.suffix.lower() == ".pdf" else text.encode())
    return answers


def report_page(found: Answers) -> str:
    """Return the report as HTML."""
    bundle, count = found.screening.bundle, runners(len(found.screening.roster.ids))
    about = f"{count} · the next {bundle.horizons['onset']} · model {bundle.name}"
    front, back = ([part(found) for part in parts] for parts in (_FRONT, _BACK))
    return page("Runner's knee in this squad", about, bundle.notice, front, back)


__all__ = ["ENDINGS", "report_page", "write_squad"]
