"""Rosters over HTTP: rows of JSON that are assessed, and a file that is asked about, or scored and sent back.

A file is read, scored and written by the functions that `pfps score` calls. They work on files, and files about
people's health do not belong on a server's disk: these are in memory.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pfps_ml.batch.rosters import DEFAULT_OPTIONS, score_roster
from pfps_ml.core import Fault, InputError, Message, MissingLibrary, PfpsError
from pfps_ml.domain import STATUSES, Checked, check
from pfps_ml.io.duplicates import plain_ids
from pfps_ml.io.mapping_dialogue import dialogue_of, like, with_answers
from pfps_ml.io.readers import CSV, ENDINGS, Size, written_format
from pfps_ml.io.roster import propose_map
from pfps_ml.model import Bundle
from pfps_ml.model.assess import assess
from serving.active_bundle import ActiveBundle
from serving.errors import UPLOAD_PREFIX
from serving.microbatch import RosterQueue, temporary_files_in
from serving.middleware import note_answer
from serving.requests import ENDPOINTS, JSON, LikelyFields, RosterRequest, columns_of, read, read_row

MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of this process's own is made in it)
MAX_BYTES = ENDPOINTS["/score_roster"].max_bytes
_SMALL = 100_000  # bytes of a request that this process reads: to hand it over would take longer than the work
# small pieces, so that what is made of one is written before the next is read
_OPTIONS = replace(DEFAULT_OPTIONS, workers=1, in_turn=True, size=Size(rows=1 << 14, characters=1 << 21))
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")


def roster_routes(active: ActiveBundle, queue: RosterQueue) -> list[BaseRoute]:
    """Return the routes of this module; they share one queue."""
    return [
        Route("/assess_roster", partial(_assess_roster, active, queue), methods=["POST"]),
        Route("/score_roster", partial(_score_roster, active, queue), methods=["POST"]),
        Route("/map", partial(_map_roster, active, queue), methods=["POST"]),
    ]


async def _assess_roster(active: ActiveBundle, queue: RosterQueue, request: Request) -> Response:
    bundle = active.current()
    body = await request.body()
    work = (_assessed, bundle, body) if len(body) <= _SMALL else (queue.worker.run, _assessed, bundle, body)
    content, facts = await queue.run(*work)
    note_answer(bundle.name, **facts)
    return Response(content, media_type=JSON)


def _assessed(bundle: Bundle, body: bytes) -> tuple[bytes, dict[str, list[Any]]]:
    message = read(RosterRequest, body)
    answer = assess_rows(bundle, message.runners, message.reasons)  # type: ignore[attr-defined]
    risks = [row["assessment"] and row["assessment"]["risk"] for row in answer["rows"]]
    people = [row["runner_id"] if row["assessment"] else None for row in answer["rows"]]
    return bytes(JSONResponse(answer).body), {
        "risks": [risk and risk["probability"] for risk in risks],
        "people": people,
    }


async def _score_roster(active: ActiveBundle, queue: RosterQueue, request: Request) -> Response:
    bundle = active.current()
    upload = await read_upload(request.headers, await request.body())
    # the page shows CSV whatever the format of the roster; any other client gets the format it sent, if we write it
    to_csv = request.headers.get("accept") == media_type(CSV.ending) or upload.ending not in ENDINGS
    ending = CSV.ending if to_csv else upload.ending
    content, counts = await queue.run(_apart, queue, score_upload, bundle, upload, ending)
    note_answer(bundle.name, counts=counts)
    headers = {
        "content-disposition": f'attachment; filename="scored{ending}"',
        "x-pfps-counts": "; ".join(f"{name}={count}" for name, count in counts.items()),
    }
    return Response(content, headers=headers, media_type=media_type(ending))


async def _map_roster(active: ActiveBundle, queue: RosterQueue, request: Request) -> Response:
    bundle = active.current()
    upload = await read_upload(request.headers, await request.body(), frozenset({"map", "answers"}))
    content = await queue.run(_apart, queue, map_upload, upload)
    note_answer(bundle.name)
    return Response(content, media_type=JSON)


def _apart(queue: RosterQueue, function: Callable[..., Any], *work: Any) -> Any:
    """Work on a roster in a process of its own; what that leaves in memory when it is ended is taken away at once."""
    if not MEMORY.is_dir():
        raise MissingLibrary(Message("memory_folder_missing", {"memory": MEMORY}))
    try:
        return queue.worker.run(function, *work)
    except PfpsError:
        sweep_uploads()
        raise


def assess_rows(bundle: Bundle, rows: Sequence[Any], reasons: int) -> dict[str, Any]:
    """Assess the rows of a request; every row is validated alone, and all are answered.

    Parameters
    ----------
    rows
        The runners of the request, of any shape.
    reasons
        How many reasons an assessment names; the parts of all other fields are one sum.

    Returns
    -------
    dict
        `{bundle, counts: {in, scored, partly, rejected}, rows: [{runner_id, status, problems, faults, assessment |
        null}]}`, the rows in the order of the request.
    """
    likely_fields: LikelyFields = {}
    messages = [read_row(row, at, likely_fields) for at, row in enumerate(rows)]
    ids = [row.get("runner_id") if isinstance(row, dict) else None for row in rows]
    ids = [runner_id if isinstance(runner_id, str) else None for runner_id in ids]
    checked = _checked([runner for runner, _ in messages], [*_id_faults(ids), *(faults for _, faults in messages)])
    answered = ~checked.rejected
    assessed = assess(bundle, checked.values[answered].reset_index(drop=True))
    places = np.where(answered, np.cumsum(answered) - 1, -1)
    answers = [assessed.as_dict(int(place), reasons) if place >= 0 else None for place in places]
    faults = checked.faults_by_row
    return {
        "bundle": bundle.name,
        "counts": {"in": len(rows)} | {name: int((checked.status == at).sum()) for at, name in enumerate(STATUSES)},
        "rows": [_row(*parts) for parts in zip(ids, checked.status, faults, answers, strict=True)],
    }


def _checked(runners: Sequence[Any], faults: Sequence[Sequence[Fault]]) -> Checked:
    """Check the rows that can be read, and add what is wrong with the others; the roster's rules decide."""
    readable = [at for at, runner in enumerate(runners) if runner]
    checked = check(columns_of([runners[at] for at in readable]))
    values = pd.DataFrame(np.nan, index=range(len(runners)), columns=checked.values.columns)
    values.iloc[readable] = checked.values.to_numpy()
    later = [replace(fault, row=readable[fault.row or 0]) for fault in checked.faults]
    return Checked(values, (*(fault for row_faults in faults for fault in row_faults), *later))


def _id_faults(ids: Sequence[str | None]) -> list[list[Fault]]:
    """Return the faults of the pseudonyms: every row of a roster needs one of its own."""
    plain = plain_ids(pd.Series(ids, dtype=object))
    named, shared = plain.notna(), plain.duplicated(keep=False)
    return [
        [Fault(at, ("runner_id",), "shared_id" if has_id else "id_missing")] if is_shared or not has_id else []
        for at, (has_id, is_shared) in enumerate(zip(named, shared, strict=True))
    ]


def _row(runner_id: str | None, status: int, faults: Sequence[Fault], assessment: Any) -> dict[str, Any]:
    return {
        "runner_id": runner_id, "status": STATUSES[status],
        "problems": "; ".join(fault.line for fault in faults), "faults": [fault.as_dict() for fault in faults],
        "assessment": assessment,
    }  # fmt: skip


@dataclass(frozen=True)
class Upload:
    """The files of a request: the roster with the ending of its name, the map of its columns, and answers for one."""

    roster: bytes
    ending: str
    mapping: bytes | None = None
    answers: bytes | None = None


class _InMemory(MultiPartParser):
    spool_max_size = MAX_BYTES + 1  # a larger part would go to disk


async def read_upload(headers: Mapping[str, str], body: bytes, beside: frozenset[str] = frozenset({"map"})) -> Upload:
    """Read the files of a form: a roster, and perhaps files of other names beside it.

    Raises
    ------
    InputError
        If the body is no form, or does not have exactly one roster.
    """
    try:
        form = await _InMemory(Headers(headers), _stream(body), max_files=1 + len(beside), max_fields=0).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise InputError(Message("upload_not_a_form")) from error
    try:
        parts = form.multi_items()
        files = {name if name in beside else "": file for name, file in parts if isinstance(file, UploadFile)}
        if len(files) != len(parts) or "" not in files:
            raise InputError(Message("upload_of_other_parts"))
        ending = Path(files[""].filename or "").suffix.lower()
        mapping, answers = [await files[name].read() if name in files else None for name in ("map", "answers")]
        return Upload(await files[""].read(), ending if _ENDING.fullmatch(ending) else "", mapping, answers)
    finally:
        await form.close()


async def _stream(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def score_upload(bundle: Bundle, upload: Upload, ending: str) -> tuple[bytes, dict[str, int]]:
    """Score a roster and return it as a file of the format that the ending names, with the counts of its rows.

    Called in a worker, which ends with its roster.

    Raises
    ------
    InputError
        If the file cannot be read as a roster.
    TooLarge
        If the roster has more in it than is scored at once, however small the file is.
    """
    sweep_uploads()
    with _upload_folder() as folder:
        temporary_files_in(folder)
        source, out, mapping = (folder / name for name in (f"in{upload.ending}", f"out{ending}", "map"))
        source.write_bytes(upload.roster)
        if upload.mapping is not None:
            mapping.write_bytes(upload.mapping)
        done = score_roster(source, out, bundle, mapping if upload.mapping is not None else None, _OPTIONS)
        return out.read_bytes(), {"in": done.rows} | {name: getattr(done, name) for name in STATUSES}


def map_upload(upload: Upload) -> bytes:
    """Return as JSON what the columns of a roster seem to be, what is left to ask, and the map with the answers so far.

    Called in a worker, which ends with its roster. A map that came with the roster is that of an earlier file.

    Raises
    ------
    InputError
        If the file cannot be read as a table with a header, or an answer fits no open question.
    """
    sweep_uploads()
    with _upload_folder() as folder:
        temporary_files_in(folder)
        source, mapping = folder / f"in{upload.ending}", folder / "map"
        source.write_bytes(upload.roster)
        proposed = propose_map(source)
        if upload.mapping is not None:
            mapping.write_bytes(upload.mapping)
            proposed = like(proposed, mapping)
        return json.dumps(dialogue_of(with_answers(proposed, _answers_in(upload))), ensure_ascii=False).encode()


def _answers_in(upload: Upload) -> object:
    try:
        return json.loads(upload.answers or b"[]")
    except (ValueError, RecursionError) as error:
        raise InputError(Message("answers_unreadable")) from error


@contextmanager
def _upload_folder() -> Iterator[Path]:
    """Lend a folder in memory; it is locked as long as this process lives, and gone at the end."""
    while True:
        folder = Path(mkdtemp(prefix=UPLOAD_PREFIX, dir=MEMORY))
        with suppress(FileNotFoundError), _lock_of(folder):  # swept away before it was locked
            if folder.exists():
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder)
                return


@contextmanager
def _lock_of(folder: Path, wait: bool = True) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(lock)


def sweep_uploads() -> int:
    """Delete the uploads that a process of this user has left in memory when it was killed; return how many.

    A folder that somebody is working in is locked, and stays.
    """
    swept = 0
    for folder in MEMORY.glob(f"{UPLOAD_PREFIX}*"):
        with suppress(OSError):  # locked, gone meanwhile, or not ours
            if folder.lstat().st_uid == os.getuid():
                with _lock_of(folder, wait=False):
                    shutil.rmtree(folder)
                    swept += 1
    return swept


def media_type(ending: str) -> str:
    """Return the media type of a roster file."""
    return written_format(Path(f"roster{ending}")).media_type


__all__ = [
    "MAX_BYTES",
    "MEMORY",
    "Upload",
    "assess_rows",
    "map_upload",
    "media_type",
    "read_upload",
    "roster_routes",
    "score_upload",
    "sweep_uploads",
]
