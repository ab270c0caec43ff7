"""Taking one person out of what the software itself keeps: the audit trail, and the parts of runs that are not done.

The trail knows a person by a keyed hash of the id, whose key stands beside it. What was handed out is out of reach:
`OUT_OF_REACH` says so, and is printed with every result.
"""

import fcntl
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pfps_ml.batch.checkpoints import only_run
from pfps_ml.batch.rosters import WORK_FOLDER
from pfps_ml.core import GO_ON, InputError, Message, OutputError, explained, rewrite_record
from pfps_ml.io.pseudonyms import mark, mark_key, pseudonym, read_key

OUT_OF_REACH = tuple(map(Message, (
    "unreached_files", "unreached_copies", "unreached_proxies", "unreached_nameless", "unreached_mapping",
    "unreached_bundles", "unreached_runs",
)))  # fmt: skip
_ERASED = "erased"  # how many persons were taken out of a line of the trail


@dataclass
class Erasure:
    """What was changed, and what could not be.

    Attributes
    ----------
    lines
        Lines of trails that were changed.
    parts
        Parts of runs that may have held the person, and are gone; the same command makes them again.
    drafts
        Half-written files of runs that were killed, which are gone.
    unmarked
        Lines of trails of an older version: they say of nobody whom they are about.
    busy
        Runs that are still at work: their parts were not looked at.
    """

    lines: int = 0
    parts: int = 0
    drafts: int = 0
    unmarked: int = 0
    busy: list[Path] = field(default_factory=list)

    @property
    def unreached(self) -> list[Message]:
        """What may still hold the person, with what can be done about it."""
        old = [Message("unreached_unmarked", {"n": self.unmarked})] if self.unmarked else []
        busy = [Message("unreached_busy", {"path": str(path)}) for path in self.busy]
        return [*busy, *old, *OUT_OF_REACH]


def erase(runner_id: str, trails: Sequence[Path], folders: Sequence[Path], keys: Sequence[Path]) -> Erasure:
    """Take one person out of audit trails and out of the parts of runs that are not done.

    The service may be running: no line that it writes meanwhile is lost.

    Parameters
    ----------
    runner_id
        The id, as rosters and requests name the person.
    trails
        Audit trails; one without a key beside it was moved away from the first, and has that one's key.
    folders
        Folders that hold outputs of runs, at any depth.
    keys
        Keys of pseudonyms: the person is taken out under the pseudonym of each, too.

    Raises
    ------
    InputError
        If there is no id, a trail or a folder is not there, or a key cannot be used. Nothing was changed.
    OutputError
        If a trail cannot be written. It is as it was.
    """
    if not runner_id.strip():
        raise InputError(Message("erase_without_id"))
    if not trails and not folders:
        raise InputError(Message("erase_nowhere", {"path": ""}))
    if missing := [path for path in trails if not path.is_file()] + [path for path in folders if not path.is_dir()]:
        raise InputError(Message("erase_nowhere", {"path": str(missing[0])}))
    ids = [runner_id.strip(), *(pseudonym(runner_id.strip(), read_key(key)) for key in keys)]
    marks = [_marks(ids, trail, trails[0]) for trail in trails]
    erasure = Erasure()
    for trail, of_trail in zip(trails, marks, strict=True):
        _erase_lines(trail, of_trail, erasure)
    for folder in folders:
        _erase_parts(folder, ids, erasure)
    return erasure


def _marks(ids: Sequence[str], trail: Path, first: Path) -> set[str]:
    beside = [record for record in (trail, first) if record.with_name(f"{record.name}.key").exists()]
    if not beside:
        raise InputError(Message("erase_without_key", {"path": str(trail)}))
    key = mark_key(beside[0])
    return {mark(one, key) for one in ids}


def _erase_lines(trail: Path, marks: set[str], erasure: Erasure) -> None:
    encoded = [one.encode() for one in marks]

    def change(line: bytes) -> bytes:
        erasure.unmarked += b'"risks"' in line and b'"people"' not in line
        return _without(line, marks) if any(one in line for one in encoded) else line

    with explained(trail, GO_ON):
        erasure.lines += rewrite_record(trail, change)
        # a torn line belongs to no answer, and nobody can tell whom it is about
        trail.with_name(f"{trail.name}.torn").unlink(missing_ok=True)


def _without(line: bytes, marks: set[str]) -> bytes:
    """Return a line of the trail without some persons: their marks and risks, and the hash of what they alone sent."""
    facts: dict[str, Any] = json.loads(line)
    places = [at for at, person in enumerate(facts["people"]) if person in marks]
    for at in places:
        facts["people"][at] = facts["risks"][at] = None
    facts["input"] = facts["input"] if any(facts["people"]) else None
    facts[_ERASED] = facts.get(_ERASED, 0) + len(places)
    return json.dumps(facts).encode() + b"\n"


def _erase_parts(folder: Path, ids: Sequence[str], erasure: Erasure) -> None:
    for place in sorted([*folder.rglob(".*.parts"), *folder.rglob(WORK_FOLDER)]):
        try:
            with only_run(place / "lock", place, patience=0):
                _erase_run(place, ids, erasure)
        except OutputError:
            erasure.busy.append(place)
    erasure.drafts += sum(map(_swept, sorted(folder.rglob(".pfps-*.part"))))


def _erase_run(place: Path, ids: Sequence[str], erasure: Erasure) -> None:
    """Take away what may hold a person, and what was half written; the same command makes it again."""
    for part in sorted(place.glob("[0-9]*.part")):
        account = part.with_suffix(".json")
        if not account.exists() or _may_hold(part, ids):
            account.unlink(missing_ok=True)
            part.unlink()
            erasure.parts += 1
    if place.name == WORK_FOLDER:
        erasure.drafts += sum(map(_swept, sorted(place.glob("*.part"))))


def _swept(draft: Path) -> bool:
    """Delete a half-written file, unless whoever writes it is at work; return whether it is gone."""
    try:
        with draft.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()
    except OSError:  # somebody is at work in it, or it is gone meanwhile
        return False
    return True


def _may_hold(part: Path, ids: Sequence[str]) -> bool:
    """Return whether a part may hold a person: no part that does is missed, some that do not are named."""
    content = part.read_bytes()
    if any(_quoted(one) in content for one in ids):
        return True
    try:
        table = pa.ipc.open_stream(content).read_all()
    except pa.ArrowInvalid:
        return False  # lines of text, in which the id would stand as it is
    return any(_in_column(column, ids) for column in table.columns)


def _quoted(text: str) -> bytes:
    return text.replace('"', '""').encode()


def _in_column(column: Any, ids: Sequence[str]) -> bool:
    """Return whether an id is a cell of a column of whole or decimal numbers; in columns of text it stands as it is."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return False
    cells = column.cast(pa.float64(), safe=False)
    numbers = pa.array([float(one) for one in ids if _is_number(one)], pa.float64())
    return bool(pc.any(pc.is_in(cells, numbers)).as_py())


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


__all__ = ["OUT_OF_REACH", "Erasure", "erase"]
