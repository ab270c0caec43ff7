"""What a request, a roster and a connection may take: the one home of these figures, and of their variables.

Each can be set by an environment variable, which is read once, at the start. `python -m serving.limits` writes the
table of docs/SERVICE.md.
"""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pfps_ml.core import FactError, Message, write_whole
from pfps_ml.core.markup import markdown_table
from pfps_ml.io.cells import Limits
from serving.requests import ENDPOINTS

PAGE = Path("docs/SERVICE.md")
_START, _END = "<!-- limits: python -m serving.limits -->\n", "<!-- end of limits -->\n"
_HEADS = ("limit", "variable", "default", "beyond it")
Declared = TypeVar("Declared")


def _limit(default: Any, variable: str, unit: str, what: str, answer: str, most: int = 10**9) -> Any:
    """Return a limit of a class of limits; it is above 0 and at most `most`."""
    about = {"variable": variable, "unit": unit, "what": what, "answer": answer, "most": most}
    return field(default=default, metadata=about)


# What a file may hold here, where that is less than on the command line: what is more is refused within seconds.
FILES: Mapping[str, int] = {
    "grid": 3_000_000, "characters": 1 << 27, "footer": 1 << 22, "groups": 1_000, "chunks": 20_000,
    "sheet": 160_000_000, "unpacked": 256_000_000, "tags": 12_000_000, "elements": 4_500_000, "idle": 400_000,
    "markup": 12_000_000, "glimpsed": 30_000, "described": 200_000, "texts": 400_000, "mapping": 50_000,
    "lines": 2_000_000, "row": 1 << 22, "faults": 250_000,
}  # fmt: skip


_NAMES = {
    "columns": "columns of a file", "cell": "characters of a cell of a workbook", "cells": "filled cells of a sheet",
    "texts": "texts that cells of a workbook share", "sheet": "bytes of a sheet, once unpacked",
    "unpacked": "bytes that are unpacked of a workbook", "tags": "tags of XML in a sheet",
    "idle": "elements of XML in a sheet beside its filled cells", "markup": "bytes of XML beside its filled cells",
    "sheets": "sheets of a workbook", "groups": "row groups of a Parquet file",
    "footer": "bytes in which a Parquet file describes itself", "characters": "bytes of texts in memory at once",
    "grid": "cells in memory at once, filled or blank", "lines": "lines of a CSV file", "row": "bytes of a line of CSV",
    "faults": "cells that cannot be read, in a piece: 16,384 rows, of CSV 2 MB", "mapping": "bytes of a map of columns",
}  # fmt: skip


@dataclass(frozen=True)
class WorkLimits:
    """What one roster may take.

    Attributes
    ----------
    seconds
        Of work, from its start to its answer.
    megabytes
        Of memory that a worker uses beyond what it begins with.
    output
        Megabytes of the file that is written.
    rows
        Rows of a file.
    waiting
        Rosters in hand or waiting: every one of them holds its body in memory.
    """

    seconds: float = _limit(30.0, "PFPS_ROSTER_SECONDS", "s", "time of the work on a roster", "413 `too_large`", 3_600)
    megabytes: int = _limit(450, "PFPS_ROSTER_MEGABYTES", "MB", "memory of the work", "413 `too_large`", 1_000_000)
    output: int = _limit(128, "PFPS_ROSTER_OUTPUT", "MB", "the scored file", "413 `too_large`", 100_000)
    rows: int = _limit(100_000, "PFPS_ROSTER_ROWS", "", "rows of a file (records, without the header)",
                       "413 `too_large`")  # fmt: skip
    waiting: int = _limit(
        16, "PFPS_ROSTER_WAITING", "", "rosters in hand or waiting", "429 `too_many_requests`", 10_000
    )


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there are at once, and the seconds after which one is closed.

    Attributes
    ----------
    connections
        At once. For one more, the oldest that has sent no whole request is closed.
    headers
        Seconds from the start of a connection, or the end of an answer, to the end of the next headers.
    body
        Seconds from the headers to the end of the body.
    idle
        Seconds from an answer to the first byte of the next request.
    reading
        Seconds that a client may leave an answer unread.
    """

    connections: int = _limit(512, "PFPS_CONNECTIONS", "", "connections at once",
                              "the oldest that has sent no whole request is closed", 60_000)  # fmt: skip
    headers: float = _limit(10.0, "PFPS_HEADER_SECONDS", "s", "headers of a request", "408 and closed", 3_600)
    body: float = _limit(30.0, "PFPS_BODY_SECONDS", "s", "body of a request", "408 and closed", 3_600)
    idle: float = _limit(5.0, "PFPS_IDLE_SECONDS", "s", "idle after an answer", "closed", 3_600)
    reading: float = _limit(30.0, "PFPS_READING_SECONDS", "s", "an answer that is not read", "closed", 3_600)


@dataclass(frozen=True)
class RequestLimits:
    """What requests may take.

    Attributes
    ----------
    seconds
        From the first byte of a request to the last of its answer.
    bodies
        Megabytes of all bodies that are in memory at once.
    """

    seconds: float = _limit(60.0, "PFPS_REQUEST_SECONDS", "s", "a whole request", "504", 3_600)
    bodies: int = _limit(128, "PFPS_BODIES_MEGABYTES", "MB", "bodies in memory at once", "429 `too_many_requests`",
                         100_000)  # fmt: skip


@dataclass(frozen=True)
class ServiceLimits:
    """All limits of a service."""

    work: WorkLimits = WorkLimits()
    connections: ConnectionLimits = ConnectionLimits()
    requests: RequestLimits = RequestLimits()


def limits_from(environment: Mapping[str, str] | None = None) -> ServiceLimits:
    """Return what the environment sets, or the defaults.

    Raises
    ------
    FactError
        If a variable holds no number above 0, or one that is too large.
    """
    variables = os.environ if environment is None else environment
    return ServiceLimits(
        _declared(WorkLimits, variables),
        _declared(ConnectionLimits, variables),
        _declared(RequestLimits, variables),
    )


def _declared(kind: type[Declared], environment: Mapping[str, str]) -> Declared:
    named = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    values = {name: environment.get(one.metadata["variable"], "").strip() for name, one in named.items()}
    return kind(**{name: _number(named[name], value) for name, value in values.items() if value})


def _number(declared: Any, value: str) -> float:
    whole, about = isinstance(declared.default, int), declared.metadata
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = math.nan
    if not 0 < number <= about["most"]:
        facts = {"variable": about["variable"], "most": about["most"]}
        raise FactError(Message("limit_not_a_whole_number" if whole else "limit_not_a_number", facts))
    return number


def table_of_limits() -> str:
    """Return the table of all limits that can be set, as Markdown."""
    return markdown_table(_HEADS, list(_rows()))


def _rows() -> Iterator[tuple[str, ...]]:
    yield "bytes of a roster's upload", "", f"{ENDPOINTS['/score_roster'].max_bytes:,}", "413 `too_large`"
    for name, what in _NAMES.items():
        yield what, "", f"{FILES.get(name, getattr(Limits(), name)):,}", "413 `too_large`"
    for kind in (RequestLimits, WorkLimits, ConnectionLimits):
        for one in fields(kind):
            about = one.metadata
            yield about["what"], f"`{about['variable']}`", f"{one.default:,g} {about['unit']}".strip(), about["answer"]


def page_with_table(page: str) -> str:
    """Return docs/SERVICE.md with the table of the limits as they are declared."""
    before, _, rest = page.partition(_START)
    return f"{before}{_START}\n{table_of_limits()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    write_whole(PAGE, page_with_table(PAGE.read_text(encoding="utf-8")).encode())

__all__ = ["FILES", "PAGE", "ConnectionLimits", "RequestLimits", "ServiceLimits", "WorkLimits", "limits_from",
           "page_with_table", "table_of_limits"]  # fmt: skip
