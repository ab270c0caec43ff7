"""Rosters that leave the club: ids become pseudonyms, and columns that name a person are left out.

A pseudonym is a keyed hash (HMAC-SHA256) of the id: the same id has the same pseudonym in every file, and nobody
without the key can find the id. There is no list of both: to go back, the ids of the original are hashed again.

Pseudonymised data are still personal data: a birth year, a club and a height may be enough for a person who knows the
squad.
"""

import hmac
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pfps_ml.core.atomic_output import check_apart, check_output, explained
from pfps_ml.core.errors import InputError, OutputError
from pfps_ml.core.messages import Message
from pfps_ml.io.cells import texts
from pfps_ml.io.mapping import translate
from pfps_ml.io.output_writer import Draft, read_draft, write_draft
from pfps_ml.io.personal_data import spot
from pfps_ml.io.readers import ENDINGS

SHORTEST = 32  # bytes of a key: as long as the hash
LONGEST = 1 << 16
_LETTERS = 24  # of a pseudonym: 96 bits, so that two ids of a federation never meet
Lines = list[tuple[str, str]]


def new_key(path: Path) -> None:
    """Write a new key, which only the owner of the file can read.

    Raises
    ------
    OutputError
        If there is such a file already, or it cannot be written.
    """
    with explained(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise OutputError(Message("key_exists", {"path": str(path)})) from error
        with os.fdopen(handle, "w", encoding="ascii") as file:
            # a secret needs the randomness of the system; that of simulations can be repeated
            file.write(os.urandom(SHORTEST).hex() + "\n")


def read_key(path: Path) -> bytes:
    """Read a key.

    Raises
    ------
    InputError
        If it is not there, is no file, is too short or too long, or others than its owner can read it.
    """
    try:
        mode = path.stat().st_mode
        readable = stat.S_ISREG(mode) and path.stat().st_size <= LONGEST  # a pipe would be waited for without end
        key = path.read_bytes().strip() if readable else b""
    except OSError as error:
        raise InputError(Message("key_unreadable", {"path": str(path), "reason": error.strerror})) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(Message("key_not_private", {"path": str(path)}))
    if not readable:
        raise InputError(Message("key_is_no_key", {"path": str(path), "most": LONGEST}))
    if len(key) < SHORTEST:
        raise InputError(Message("key_too_short", {"path": str(path), "least": SHORTEST, "bytes": len(key)}))
    return key


def pseudonym(text: str, key: bytes) -> str:
    """Return the pseudonym of an id."""
    # a letter first, or a spreadsheet might take it for a number
    return "P-" + hmac.digest(key, text.encode(), "sha256").hex()[:_LETTERS]


def pseudonymise(roster: Path, key_file: Path, out: Path, new: bool = False, mapping: Path | None = None) -> Lines:
    """Write a roster with pseudonyms in place of ids, and without the columns that seem to say who somebody is.

    Parameters
    ----------
    roster, mapping
        As for `pfps_ml.io.roster.read_roster`.
    key_file
        The key; with `new`, where a new one goes.
    out
        .csv, .xlsx or .parquet.

    Returns
    -------
    Lines for a person: places and kinds of columns, no values.

    Raises
    ------
    InputError
        If the roster or the key cannot be used; nothing is written.
    OutputError
        If the key or the result cannot be written.
    """
    check_output(out, ENDINGS)
    check_apart(out, roster, key_file)  # without both there is no way back
    draft = read_draft(roster, mapping)
    if new:
        new_key(key_file)
    key = read_key(key_file)
    personal = [column for column in spot(draft.known, _cells(draft)) if column.column - 1 != draft.place]
    taken = {column.column - 1 for column in personal}
    ids = [None if pd.isna(text) else pseudonym(text, key) for text in draft.ids]
    left = [at for at in range(draft.table.num_columns) if at not in taken]
    table = _without_birthdays(draft, _with_ids(draft, ids)).select(left)
    write_draft(out, table, draft.dialect)
    lines = [("rows", f"{len(ids):,}"), ("runners", f"{len(set(ids) - {None}):,}")]
    lines += [("columns kept", f"{table.num_columns:,}"), ("columns left out", f"{len(personal):,}")]
    return [*lines, *((f"  column {column.column}", column.kind) for column in personal)]


def give_back(scored: Path, key_file: Path, roster: Path, out: Path, mapping: Path | None = None) -> Lines:
    """Write a file with pseudonyms with the ids of the original roster, and the columns that it has besides.

    Parameters
    ----------
    scored
        What came back: any file with pseudonyms in the column `runner_id`.
    key_file
        The key that they were made with.
    roster, mapping
        The original, and the map of both.
    out
        .csv, .xlsx or .parquet; the rows of `scored`, in order.

    Raises
    ------
    InputError
        If a file cannot be read, or no pseudonym is that of an id of the original.
    OutputError
        If the result cannot be written.
    """
    check_output(out, ENDINGS)
    check_apart(out, roster, key_file)
    key, back, original = read_key(key_file), read_draft(scored, mapping), read_draft(roster, mapping)
    counts = Counter(original.ids.dropna())
    known = {pseudonym(text, key): text for text in counts}
    ids = [known.get(text) for text in back.ids]
    if not any(ids):
        raise InputError(Message("pseudonyms_unknown"))
    places = {text: at for at, text in enumerate(original.ids) if counts.get(text) == 1}
    table, missing = _joined(back, original, ids, [places.get(text or "") for text in ids])
    write_draft(out, table, back.dialect)
    shared = sum(counts[text] > 1 for text in ids if text)
    lines = [("rows", f"{len(ids):,}"), ("given their id back", f"{sum(map(bool, ids)):,}")]
    lines += [("of nobody in the original", f"{sum(not text for text in ids):,}")]
    lines += [("of an id that several rows of the original have", f"{shared:,}")] * (shared > 0)
    return [*lines, ("columns of the original put back", f"{missing:,}")]


def _with_ids(draft: Draft, ids: list[str | None]) -> Any:
    """Return a table with other ids: in their own column, and in the one that scoring by a map adds to it."""
    table, column = draft.table, pa.array(ids, pa.string(), from_pandas=True)
    for at, name in enumerate(table.column_names):
        if at == draft.place or name == "runner_id":
            table = table.set_column(at, name, column)
    return table


def _joined(back: Draft, original: Draft, ids: list[str | None], rows: list[int | None]) -> tuple[Any, int]:
    """Return what came back with its ids and what was left out of it or changed in it, and how many columns that is."""
    names, places = original.table.column_names, pa.array(rows, pa.int64())
    table = _with_ids(back, [text or mark for text, mark in zip(ids, back.ids, strict=True)])
    after = back.place
    changed = {declared.source for declared in original.mapping.columns if declared.born and declared.on}
    missing = [at for at in original.theirs if names[at] not in table.column_names]
    for at in missing:
        after += 1
        table = table.add_column(after, names[at], original.table.column(at).combine_chunks().take(places))
    for name in changed.intersection(table.column_names):
        column = original.table.column(names.index(name)).combine_chunks().take(places)
        table = table.set_column(table.column_names.index(name), name, column)
    return table, len(missing) + len(changed)


def _without_birthdays(draft: Draft, table: Any) -> Any:
    """Move each date of birth that a map makes an age of to a day that gives the same age: no more of it is left."""
    for declared in draft.mapping.columns:
        if declared.born and declared.on:
            at, on = table.column_names.index(declared.source), declared.on
            cells = pd.Series(texts(table.column(at).combine_chunks()).to_pylist(), dtype=object)
            ages = [str(age) for age in translate(cells, declared, False)]
            days = [f"{on.year - int(age)}-{on.month:02d}-{min(on.day, 28)}" if age.isdigit() else None for age in ages]
            table = table.set_column(at, declared.source, pa.array(days, pa.string()))
    return table


def _cells(draft: Draft) -> list[list[str | None]]:
    """Return the cells that came from the club, as text; of columns that scoring added, none."""
    theirs = set(draft.theirs)
    columns = enumerate(draft.table.columns)
    return [texts(column.combine_chunks()).to_pylist() if at in theirs else [] for at, column in columns]


__all__ = ["LONGEST", "SHORTEST", "give_back", "new_key", "pseudonym", "pseudonymise", "read_key"]
