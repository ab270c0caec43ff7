"""Rosters over HTTP: rows of JSON that are assessed, and a file that is scored and sent back."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pfps_ml.assess import assess
from pfps_ml.bundle import Bundle
from pfps_ml.errors import Fault, InputError, MissingLibrary, PfpsError
from pfps_ml.files.dialects import ENDINGS, Size
from pfps_ml.files.duplicates import SHARED, plain_ids
from pfps_ml.knowledge.checker import check
from pfps_ml.roster import EFFORT, score_roster
from serving.active_bundle import ActiveBundle
from serving.errors import TooLarge, Unauthorised, error_reply
from serving.microbatch import RosterQueue
from serving.middleware import answered
from serving.pages import Tables, pages
from serving.requests import ROUTES, Meanings, RosterRequest, columns_of, read, read_row


def application(live: ActiveBundle) -> Starlette:
    """Return all routes that are not BentoML's own, the pages among them."""
    return Starlette(routes=[*pages(live), *desk(live)], exception_handlers={PfpsError: _explained})


def desk(live: ActiveBundle) -> list[BaseRoute]:
    """Return the routes of this file."""
    worker, tables = RosterQueue(), Tables()
    return [
        Route("/assess_roster", partial(_assess_roster, live, worker), methods=["POST"]),
        Route("/score_roster", partial(_score_roster, live, worker), methods=["POST"]),
        Route("/reload", partial(_reload, live), methods=["POST"]),
        Route("/tables", partial(_tables, live, tables), methods=["GET"]),
    ]


async def _assess_roster(live: ActiveBundle, worker: RosterQueue, request: Request) -> Response:
    bundle = live.current()
    reply, risks = await worker.do(_assessed, bundle, await request.body())
    answered(bundle.name, risks=risks)
    return reply


def _assessed(bundle: Bundle, body: bytes) -> tuple[Response, list[float | None]]:
    message = read(RosterRequest, body)
    found = assess_rows(bundle, message.runners, message.reasons)  # type: ignore[attr-defined]
    given = [row["assessment"] and row["assessment"]["risk"] for row in found["rows"]]
    return JSONResponse(found), [risk and risk["probability"] for risk in given]


async def _score_roster(live: ActiveBundle, worker: RosterQueue, request: Request) -> Response:
    bundle = live.current()
    upload = await read_upload(request.headers, await request.body())
    # a page shows CSV, whatever it was given; everybody else gets back what they sent, if we write that
    plain = request.headers.get("accept") == media_type(CSV) or upload.ending not in ENDINGS
    ending = CSV if plain else upload.ending
    content, counts = await worker.do(score_upload, bundle, upload, ending)
    answered(bundle.name, counts=counts)
    told = "; ".join(f"{name}={count}" for name, count in counts.items())
    name = f'attachment; filename="scored{ending}"'
    return Response(
        content, headers={"content-disposition": name, "x-pfps-counts": told}, media_type=media_type(ending)
    )


async def _reload(live: ActiveBundle, request: Request) -> Response:
    # without keys any page that a person on this machine looks at could ask; browsers say where they ask from
    if "origin" in request.headers:
        raise Unauthorised("expected to be asked by a program, got a request from a web page")
    before, now = await run_in_threadpool(live.take_over)
    return JSONResponse({"bundle": now, "before": before})


async def _explained(_: Request, error: Exception) -> Response:
    assert isinstance(error, PfpsError)
    return error_reply(error)


async def _tables(live: ActiveBundle, tables: Tables, request: Request) -> Response:
    return tables.reply(live.current(), request.headers)


_NAMELESS = "is required: expected a pseudonym, got nothing"


def assess_rows(bundle: Bundle, rows: Sequence[Any], reasons: int) -> dict[str, Any]:
    """Assess the rows of a request; see design 4.4 for the shape of the answer.

    Parameters
    ----------
    rows
        What the sender sent as runners, each of any shape.
    reasons
        How many reasons of each are named; the parts of all other fields are one sum.
    """
    meanings: Meanings = {}
    read = [read_row(row, at, meanings) for at, row in enumerate(rows)]
    ids = [row.get("runner_id") if isinstance(row, dict) else None for row in rows]
    ids = [each if isinstance(each, str) else None for each in ids]
    faults = [[*unnamed, *wrong] for unnamed, (_, wrong) in zip(_of_ids(ids), read, strict=True)]
    good = [at for at, found in enumerate(faults) if not found]
    checked = check(columns_of([runner for at in good if (runner := read[at][0])]))
    for fault in checked.faults:  # the checker of rosters has the last word
        faults[good[fault.row or 0]].append(fault)
    kept = checked.values[~checked.rejected].reset_index(drop=True)
    answers = assess(bundle, kept)
    found = iter(range(len(kept)))
    told = [None if wrong else answers.as_dict(next(found), reasons) for wrong in faults]
    return {
        "bundle": bundle.name,
        "counts": {"in": len(rows), "scored": len(kept), "rejected": len(rows) - len(kept)},
        "rows": [_row(*each) for each in zip(ids, faults, told, strict=True)],
    }


def _of_ids(ids: Sequence[str | None]) -> list[list[Fault]]:
    """Return what is wrong with the pseudonyms: rows of a roster must be told apart."""
    plain = plain_ids(pd.Series(ids, dtype=object))
    known, twice = plain.notna(), plain.duplicated(keep=False)
    return [
        [Fault(at, "runner_id", SHARED if named else _NAMELESS)] if shared or not named else []
        for at, (named, shared) in enumerate(zip(known, twice, strict=True))
    ]


def _row(runner_id: str | None, faults: Sequence[Fault], assessment: Any) -> dict[str, Any]:
    problems = "; ".join(f"{fault.field}: {fault.message}" if fault.field else fault.message for fault in faults)
    status = "rejected" if faults else "scored"
    return {"runner_id": runner_id, "status": status, "problems": problems, "assessment": assessment}


MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of this process's own is made in it)
LARGEST = ROUTES["/score_roster"].largest
MAX_FILE_ROWS = 100_000  # rows: in memory some 400 MB, and two seconds for whoever waits
_HERE = replace(EFFORT, workers=1, size=Size(rows=LARGEST, characters=LARGEST + 1))  # one piece, in this process
CSV = ".csv"
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")
_SHAPE = 'expected a form with a roster file and perhaps a map, which is called "map"'


@dataclass(frozen=True)
class Upload:
    """The files of a request: the roster, with the ending of its name, and the map of its columns."""

    roster: bytes
    ending: str
    mapping: bytes | None = None


class _InMemory(MultiPartParser):
    spool_max_size = LARGEST + 1  # what is larger would go to disk


async def read_upload(headers: Mapping[str, str], body: bytes) -> Upload:
    """Read the files of a form.

    Raises
    ------
    InputError
        If it is no form, or has not one roster.
    """
    try:
        form = await _InMemory(Headers(headers), _once(body), max_files=2, max_fields=0).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise InputError(f"{_SHAPE}, got something else") from error
    try:
        parts = form.multi_items()
        files = {name == "map": file for name, file in parts if isinstance(file, UploadFile)}
        if len(files) != len(parts) or False not in files:
            raise InputError(f"{_SHAPE}, got other parts")
        ending = Path(files[False].filename or "").suffix.lower()
        mapping = await files[True].read() if True in files else None
        return Upload(await files[False].read(), ending if _ENDING.fullmatch(ending) else "", mapping)
    finally:
        await form.close()


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def score_upload(bundle: Bundle, upload: Upload, ending: str) -> tuple[bytes, dict[str, int]]:
    """Score a roster and return it as a file of the format that the ending names, with the counts of its rows.

    Raises
    ------
    InputError
        If it cannot be read as a roster.
    TooLarge
        If it has more rows than are scored at once, however small it is as a file.
    MissingLibrary
        If this machine has no folder in memory.
    """
    if not MEMORY.is_dir():
        raise MissingLibrary(f"expected a folder in memory at {MEMORY}, got none; rosters are never put on a disk")
    if (rows := _rows(upload)) > MAX_FILE_ROWS:
        raise TooLarge(
            f"expected at most {MAX_FILE_ROWS:,} rows, got {rows:,}; `pfps score` scores rosters of any size"
        )
    with TemporaryDirectory(prefix="pfps-", dir=MEMORY) as folder:
        source, out, mapping = (Path(folder) / name for name in (f"in{upload.ending}", f"out{ending}", "map"))
        source.write_bytes(upload.roster)
        if upload.mapping is not None:
            mapping.write_bytes(upload.mapping)
        found = score_roster(source, out, bundle, mapping if upload.mapping is not None else None, _HERE)
        return out.read_bytes(), {"in": found.rows, "scored": found.scored, "rejected": found.rejected}


def _rows(upload: Upload) -> int:
    """Return how many rows a file has at most, or 0 if its reader counts them (a workbook) or cannot read it."""
    if upload.ending == ".parquet":
        try:
            return int(pq.read_metadata(BytesIO(upload.roster)).num_rows)
        except (pa.ArrowException, OSError):
            return 0
    return max(upload.roster.count(b"\n"), upload.roster.count(b"\r")) if upload.ending == CSV else 0


def media_type(ending: str) -> str:
    """Return the media type of a roster file."""
    return guess_type(f"roster{ending}")[0] or "application/octet-stream"


__all__ = [
    "CSV",
    "LARGEST",
    "MAX_FILE_ROWS",
    "MEMORY",
    "Upload",
    "application",
    "assess_rows",
    "desk",
    "media_type",
    "read_upload",
    "score_upload",
]
