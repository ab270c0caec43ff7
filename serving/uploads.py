"""A roster file in, a roster file out: read, scored and written by the product's own functions.

They work on files, and files about people's health do not belong on a server's disk: these are in memory.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pfps_ml.bundle import Bundle
from pfps_ml.errors import InputError, MissingLibrary
from pfps_ml.files.dialects import Size
from pfps_ml.roster import EFFORT, score_roster
from serving.errors import TooLarge
from serving.requests import ROUTES

MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of this process's own is made in it)
LARGEST = ROUTES["/score_roster"].largest
MOST = 100_000  # rows: in memory some 400 MB, and two seconds for whoever waits
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
    if (rows := _rows(upload)) > MOST:
        raise TooLarge(f"expected at most {MOST:,} rows, got {rows:,}; `pfps score` scores rosters of any size")
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


__all__ = ["CSV", "LARGEST", "MEMORY", "MOST", "Upload", "media_type", "read_upload", "score_upload"]
