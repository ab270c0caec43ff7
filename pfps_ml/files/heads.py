"""Where the header of a CSV file stands, and which sign separates its cells."""

import csv
import io
from contextlib import closing, suppress
from itertools import islice
from statistics import mode

from pfps_ml.errors import InputError
from pfps_ml.files.blocks import cells_up_to, records
from pfps_ml.files.naming import HEAD_ROWS, header_at

_DELIMITERS = (",", ";", "\t")
_NAMES = 1 << 20  # characters that tell the delimiter
_NAMED = 2  # names that we know, for the first row to be the header without a look at the others


def delimiter_of(text: str, known: frozenset[str]) -> str:
    """Return the sign with which the first rows have most of the names that we know, or else most columns."""

    def score(delimiter: str) -> tuple[int, int, int]:
        reader = csv.reader(io.StringIO(text[:_NAMES], newline=""), delimiter=delimiter)
        rows = list(islice((row for row in reader if row), HEAD_ROWS)) or [[]]
        names = [len(known.intersection(name.strip() for name in row)) for row in rows]
        # the usual number of cells: a title above the header may have any number of commas in it
        return names[0], max(names), mode(map(len, rows))

    with cells_up_to(len(text)):
        return max(_DELIMITERS, key=score)


def head_of(text: str, delimiter: str, known: frozenset[str], cut: bool) -> tuple[list[str], int, list[str], int]:
    """Return the header, where it ends, the row below it, and how many rows stand above it."""
    with closing(records(text, delimiter)) as rows:
        top = list(islice(rows, 1))
        try:
            top += islice(rows, 1)
        except InputError:
            if not cut:
                raise
        if top and len(known.intersection(top[0][0])) < _NAMED:
            with suppress(InputError):  # it is raised again when its row is read
                top += islice(rows, HEAD_ROWS - 1)
    at = header_at([[cell.strip() for cell in row] for row, _ in top], known)
    header, end = top[at] if top else ([], 0)
    return header, end, top[at + 1][0] if at + 1 < len(top) else [], at


__all__ = ["delimiter_of", "head_of"]
