"""What has changed since an earlier file: whose risk moved and why, who has knee pain since, who is new and who left.

Both files are assessed with one bundle, so what moves is the runner and never the model.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pfps_ml.domain.roster_columns import scored_before
from pfps_ml.errors import InputError
from pfps_ml.files.dialects import read_sheet
from pfps_ml.files.mapping import Mapping
from pfps_ml.files.plans import NAMES
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.squad.screening import Screening, screen

_STRANGERS = (
    "None of its runners is in this squad, so nothing can be compared. Where names were replaced by pseudonyms, both "
    "files need those of one key."
)
_SMALLEST = 0.5  # percentage points: a risk that moves by less has not moved


@dataclass(frozen=True)
class Move:
    """How the risk of one runner moved, and the answer that moved it most, if any: "label: then, now"."""

    runner: str
    before: float
    now: float
    why: str

    @property
    def points(self) -> float:
        """By how much, percentage points."""
        return 100 * (self.now - self.before)


@dataclass(frozen=True)
class Changes:
    """What is different from an earlier file.

    Attributes
    ----------
    moved
        Whose risk moved, largest rise first.
    compared
        How many runners are scored in both files.
    in_pain
        Who has knee pain now and had none.
    new, gone
        Who is only in this file, or only in the earlier one; nobody, where the files have no runner in common.
    unread
        Who is in both files, but was rejected in one of them or both.
    notes
        What a reader must know of the earlier file.
    """

    moved: tuple[Move, ...]
    compared: int
    in_pain: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    unread: tuple[str, ...]
    notes: tuple[str, ...]


def changes(now: Screening, since: Path, mapping: Mapping) -> Changes:
    """Compare a squad with an earlier file of it.

    Raises
    ------
    InputError
        If the earlier file cannot be read as a roster.
    """
    try:
        then, notes = screen(since, now.bundle, replace(mapping, sheet=None)), _notes(since, now)
    except InputError as error:
        raise type(error)(f"in the earlier file: {error.message}", error.faults) from error
    earlier, latest = _named(then), _named(now)
    if not set(earlier) & set(latest):
        return Changes((), 0, (), (), (), (), (*notes, _STRANGERS))
    before, today = ({name: at for at, name in enumerate(each.ids)} for each in (then, now))
    both = [name for name in today if name in before]
    scored = [name for name in both if then.found.scored[before[name]] and now.found.scored[today[name]]]
    moved = [_move(name, (then, before[name]), (now, today[name])) for name in scored]
    return Changes(
        moved=tuple(sorted((m for m in moved if abs(m.points) >= _SMALLEST), key=lambda move: -move.points)),
        compared=len(scored),
        in_pain=tuple(name for name in both if then.found.scored[before[name]] and not now.found.scored[today[name]]),
        new=tuple(name for name in latest if name not in earlier),
        gone=tuple(name for name in earlier if name not in latest),
        unread=tuple(name for name in latest if name in earlier and name not in both),
        notes=notes if then.seasons == 1 else (*notes, f"The earlier file mixes {then.seasons} seasons."),
    )


def _named(squad: Screening) -> tuple[str, ...]:
    """Return every id of a file once, those of rejected rows included."""
    return tuple(dict.fromkeys(str(name) for name in squad.roster.ids.dropna() if str(name).strip()))


def _notes(since: Path, now: Screening) -> tuple[str, ...]:
    table = read_sheet(since, NAMES).table
    again = f"its runners were assessed again with {now.bundle.name}, so that only what changed in them shows."
    if not scored_before(table.column_names):
        return (f"The earlier file had not been scored; {again}",)
    texts = table.column("bundle").to_pandas().dropna().astype(str) if "bundle" in table.column_names else []
    named = [text for text in texts if text]  # a rejected row names none
    if not named:
        return (f"The earlier file does not say which bundle scored it; {again}",)
    same = all(text.startswith(f"{now.bundle.name} ") for text in named)
    return () if same else (f"The earlier file was scored with another bundle; {again}",)


def _move(name: str, then: tuple[Screening, int], now: tuple[Screening, int]) -> Move:
    earlier, latest = (float(each.found.prediction.risk.value[at]) for each, at in (then, now))
    gap = now[0].found.prediction.contributions[now[1]] - then[0].found.prediction.contributions[then[1]]
    rising = 1 if latest >= earlier else -1
    field = BY_NAME[now[0].found.prediction.fields[int(np.argmax(rising * gap))]]
    shown = [each.found.columns[field.name][at] for each, at in (then, now)]
    before, today = ("not known" if np.isnan(value) else field.show(value) for value in shown)
    return Move(name, earlier, latest, f"{field.label}: {before}, now {today}" if before != today else "")


__all__ = ["Changes", "Move", "changes"]
