"""A CSV file in blocks of whole rows: its delimiter and header, where the blocks stand, and the cells of one block.

Arrow reads a block twenty times as fast as Python. Python's reader decides what a CSV file means, so it reads each
block that has a row too short or too long, a quote inside a cell, or a lone carriage return.
"""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mode
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from pfps_ml.core import Fault, InputError, Message, NDArray, TooLarge
from pfps_ml.io.cells import limits, unguarded
from pfps_ml.io.column_matching import HEAD_ROWS, header_at, joined_header, surely_named, upper_header

SHAPE_CODES = ("row_too_short", "row_too_long")
_NOT_IN_WINDOWS = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
_QUOTE = ord('"')


@dataclass(frozen=True)
class Script:
    """How the bytes of a CSV file become text: all of them decide, so that no block is read another way.

    Attributes
    ----------
    encoding
        UTF-8, or Latin-1 with or without the dashes and quotes that Windows puts in.
    marked
        Whether the answer shall carry UTF-8's mark: as the file does, or because the file is not UTF-8.
    start
        The first byte after the mark.
    digest
        The hash of the file.
    """

    encoding: str
    marked: bool
    start: int
    digest: str


@dataclass(frozen=True)
class Span:
    """A block of whole rows: its first byte, its length, the number of its first line, and if its quotes are plain.

    Quotes are plain if each opens a cell, closes one, or is half of a doubled one inside it.
    """

    start: int
    length: int
    line: int
    plain: bool


@dataclass(frozen=True)
class Block:
    """The cells of a block: its columns as text, by place, and a fault for each row that does not fit the header."""

    columns: dict[int, Any]
    rows: int
    faults: tuple[Fault, ...] = ()


def scan(path: Path, size: int) -> Script:
    """Read a file once, `size` bytes at a time, for its encoding and its digest.

    Raises
    ------
    InputError
        If it is no text.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return _script(file, size)


def decode(data: bytes, known: frozenset[str]) -> str:
    """Return the text of a CSV file that is in memory; `known` are names of columns to expect.

    Raises
    ------
    InputError
        If it is no text.
    """
    script = _script(io.BytesIO(data), max(len(data), 1))
    return data[script.start :].decode(encoding_of(data, script.encoding, known), errors="replace")


def _script(file: BinaryIO, size: int) -> Script:
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    utf8, windows, lines, breaks, unbroken = True, True, 1, 0, 0
    start = file.read(4)
    _refuse_binary(start)
    block = start + file.read(size)
    while block:
        digest.update(block)
        if b"\x00" in block:
            lines += block[: block.index(b"\x00")].count(b"\n")
            raise InputError(Message("csv_with_nul_byte", {"line": lines}))
        lines += block.count(b"\n")
        breaks += _breaks(block)
        unbroken = (
            len(block) - 1 - end if (end := max(map(block.rfind, (b"\n", b"\r")))) >= 0 else unbroken + len(block)
        )
        _check_lines(breaks, unbroken, lines)
        utf8 = utf8 and _decodes(decoder, block)
        windows = windows and (block.isascii() or len(block.translate(None, _NOT_IN_WINDOWS)) == len(block))
        block = file.read(size)
    marked = start.startswith(codecs.BOM_UTF8)
    if utf8 and _decodes(decoder, b"", final=True):
        return Script("utf-8", marked, 3 * marked, digest.hexdigest())
    return Script("cp1252" if windows else "latin-1", True, 0, digest.hexdigest())


def _check_lines(breaks: int, unbroken: int, line: int) -> None:
    """Refuse more lines than rows can have, and a line that is longer than a row may be."""
    most = limits()
    if most.lines is not None and breaks > most.lines:
        raise TooLarge(Message("csv_too_many_lines", {"most": most.lines}))
    if unbroken > most.row:
        raise TooLarge(Message("csv_row_too_long", {"megabytes": most.row >> 20, "line": line}))


_OTHER_ENCODINGS = ("mac_roman", "cp850")  # of old spreadsheets, whose letters with accents are other bytes
# a sign where no word has one: what such a letter becomes in the wrong encoding
_GARBLED = re.compile(
    r"[^\W\d_][\x80-\x9f\u201e\u201d\u201a\u02c6\u2030\u2039\u2022\u2122\u203a\u2020\u2021\u0192¤¦§©«¬®¯¶¿¡¢£¥][a-z]|[a-z][ŽŠŸ]"
)


def encoding_of(data: bytes, guess: str, known: frozenset[str]) -> str:
    """Return the encoding in which a file's header has the most names that are known.

    Parameters
    ----------
    data
        The file's first bytes.
    guess
        What their values allow: UTF-8, which is certain, or one that any bytes would do.
    known
        Names of columns to expect.

    Raises
    ------
    InputError
        If letters with accents must be in an encoding that the header does not tell.
    """
    if guess == "utf-8" or data.isascii():
        return guess
    best = max((guess, *_OTHER_ENCODINGS), key=lambda encoding: _names_known(data, encoding, known))
    if best == guess and _GARBLED.search(data.decode(guess, errors="ignore")):
        raise InputError(Message("encoding_suspected", {"encodings": _OTHER_ENCODINGS}))
    return best


def _names_known(data: bytes, encoding: str, known: frozenset[str]) -> int:
    text = data[: 1 << 16].decode(encoding, errors="ignore")
    with suppress(InputError):
        header = head_of(text, delimiter_of(text, known), known, cut=True)[0]
        return sum(name in known or surely_named(name) is not None for name in header)
    return 0


def records(text: str, delimiter: str, line: int = 1) -> Generator[tuple[list[str], int], None, None]:
    """Yield the rows of a text with the place where each ends; lines that hold nothing are no rows.

    Raises
    ------
    InputError
        If its quotes do not match; `line` is the number of its first line in the file.
    """
    lines = io.StringIO(text, newline="")
    # strict, because an unclosed quote would otherwise swallow the rows below it without a word
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        with cells_up_to(len(text)):
            for row in reader:
                if len(row) > 1 or (row and row[0].strip()):
                    yield row, lines.tell()
    except csv.Error as error:
        raise InputError(Message("csv_quotes_unmatched", {"line": line - 1 + reader.line_num})) from error


def spans(path: Path, start: int, delimiter: str, size: int) -> Iterator[Span]:
    """Yield the blocks of whole rows from a place in a file on, each of about `size` bytes.

    Raises
    ------
    TooLarge
        If a row is so long that a quote must be open.
    """
    with path.open("rb") as file:
        line = _breaks(file.read(start)) + 1
        rest, ended = b"", False
        while not ended:
            bytes_to_read = max(size, len(rest))
            block = file.read(bytes_to_read)
            data, ended = rest + block, len(block) < bytes_to_read
            length, plain = _whole_rows(data, delimiter, ended)
            if length:
                yield Span(start, length, line, plain)
            elif len(data) > (longest := limits().row):
                raise TooLarge(Message("csv_row_too_long", {"megabytes": longest >> 20, "line": line}))
            start, line, rest = start + length, line + _breaks(data[:length]), data[length:]


def read_span(path: Path, span: Span) -> bytes:
    """Return the bytes of a block."""
    with path.open("rb") as file:
        file.seek(span.start)
        return file.read(span.length)


def parse(text: bytes, delimiter: str, width: int, span: Span, places: list[int]) -> Block:
    """Read a block of UTF-8 text.

    Parameters
    ----------
    text
        Whole rows.
    delimiter, width
        What stands between two cells, and how many cells the header has.
    span
        Where it stood, and what its quotes are.
    wanted
        The places of the columns to return.

    Raises
    ------
    InputError
        If its quotes do not match.
    """
    lone = b"\r" in text and text.count(b"\r") > text.count(b"\r\n")
    if width > 1 and span.plain and not lone:
        try:
            return _parse_fast(text, delimiter, width, places)
        except pa.ArrowInvalid:
            pass  # a row that does not fit the header
    rows = [row for row, _ in records(text.decode(), delimiter, span.line)]
    faults = tuple(_shape_fault(place, row, width) for place, row in enumerate(rows) if len(row) != width)
    fitted = [_fit(row, width, delimiter) for row in rows]
    columns = {at: pa.array([row[at] if at < len(row) else "" for row in fitted], pa.string()) for at in places}
    return Block({at: unguarded(column) for at, column in columns.items()}, len(rows), faults)


@contextmanager
def cells_up_to(characters: int) -> Iterator[None]:
    """Let a cell be as long as the file; the limit of Python's reader would be taken for a fault in its quotes."""
    before = csv.field_size_limit(max(characters, csv.field_size_limit()))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parse_fast(text: bytes, delimiter: str, width: int, places: list[int]) -> Block:
    names = [str(place) for place in range(width)]
    quoted = b'"' in text
    table = pacsv.read_csv(
        pa.py_buffer(text),
        pacsv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        pacsv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted),
        pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=[names[at] for at in places]
        ),
    ).combine_chunks()
    columns = {at: _only(table.column(names[at])) for at in places}
    return Block({at: unguarded(column) for at, column in columns.items()}, table.num_rows)


def _only(column: Any) -> Any:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    if block.isascii() and block and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_binary(start: bytes) -> None:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(Message("csv_in_utf16"))
    if start == b"PK\x03\x04":
        raise InputError(Message("csv_is_a_zip_file"))


def _whole_rows(data: bytes, delimiter: str, ended: bool) -> tuple[int, bool]:
    """Return how many bytes at the start are whole rows (0: not one), and if their quotes are plain."""
    if b'"' not in data:
        return (len(data) if ended else data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1), True
    array, end = np.frombuffer(data, np.uint8), len(data)
    quotes = np.flatnonzero(array == _QUOTE)
    if ended:
        return end, _plain(array, quotes, delimiter)
    while (end := data.rfind(b"\n", 0, end)) >= 0:
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            if _plain(array[: end + 1], quotes[:before], delimiter):
                return end + 1, True
            break
        end = int(quotes[before - 1])  # every line down to it is inside the same quotes
    return _whole_rows_slowly(data, delimiter), False


def _whole_rows_slowly(data: bytes, delimiter: str) -> int:
    end = 0
    try:
        for _, place in records(data.decode("latin-1"), delimiter):  # of one byte a character, whatever it means
            end = place if data[place - 1 : place] in b"\r\n" and place < len(data) else end
    except InputError:
        pass  # of the row that is cut off; of any other when it is its turn
    return end


def _plain(text: NDArray[np.uint8], quotes: NDArray[np.intp], delimiter: str) -> bool:
    edge = np.zeros(256, dtype=bool)
    edge[list(delimiter.encode() + b'\r\n"')] = True
    opening, closing = quotes[0::2], quotes[1::2]
    opens = edge[text[opening - 1]] | (opening == 0)
    closes = edge[text[np.minimum(closing + 1, len(text) - 1)]] | (closing == len(text) - 1)
    return bool(len(quotes) % 2 == 0 and opens.all() and closes.all())


def _breaks(data: bytes) -> int:
    return data.count(b"\n") + (data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0)


def shape_fault(place: int, code: str, width: int) -> Fault:
    """Return the fault of a row that has more or fewer cells than the header: `row_too_long` or `row_too_short`.

    How many cells there were is left out: once the row is written to fit, nobody can tell, and the fault stays the
    same when a scored file is scored again.
    """
    return Fault(place, (), code, {"cells": width})


def _shape_fault(place: int, row: list[str], width: int) -> Fault:
    return shape_fault(place, SHAPE_CODES[len(row) > width], width)


def _fit(row: list[str], width: int, delimiter: str) -> list[str]:
    """Bring a row to the header's width without losing a character of it."""
    if len(row) > width:
        return [*row[: width - 1], delimiter.join(row[width - 1 :])]
    return row


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
            top += islice(rows, 2)
        except InputError:
            if not cut:
                raise
        if top and len(known.intersection(top[0][0])) < _NAMED:
            with suppress(InputError):  # it is raised again when its row is read
                top += islice(rows, HEAD_ROWS - 2)
    # names are compared with ours one by one, so a row that is too wide for any header is not looked at to its end
    widest = limits().columns
    at = header_at([[cell.strip() for cell in row[:widest]] for row, _ in top], known)
    header, end = top[at] if top else ([], 0)
    fits = len(header) <= widest
    if at and fits:
        header = upper_header(top[at - 1][0], header)
    if at + 1 < len(top) and fits:
        joined = joined_header(header, top[at + 1][0])
        if joined is not None:  # a second row of names
            return joined, top[at + 1][1], top[at + 2][0] if at + 2 < len(top) else [], at + 1
    return header, end, top[at + 1][0] if at + 1 < len(top) else [], at


__all__ = [
    "SHAPE_CODES", "Block", "Script", "Span", "cells_up_to", "decode", "delimiter_of", "encoding_of", "head_of",
    "parse", "read_span", "records", "scan", "shape_fault", "spans",
]  # fmt: skip
