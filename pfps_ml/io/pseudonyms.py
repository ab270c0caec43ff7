"""Rosters that leave the club: columns that name a person are recognised, and ids become pseudonyms.

A pseudonym is a keyed hash (HMAC-SHA256) of the id: the same id has the same pseudonym in every file, and nobody
without the key can work out the id. There is no list of both: to go back, the ids of the original are hashed again.
Pseudonymised data are still personal data: a birth year, a club and a height may be enough for a person who knows the
squad.

Columns that name a person (names, addresses, dates of birth) are recognised by header and by content. Nothing of this
is certain: a nickname in a column called `code` looks like a code. A column is reported by its place and its kind,
never by a value.
"""

import csv
import datetime as dt
import hmac
import io
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.core import (
    InputError,
    Message,
    OutputError,
    check_apart,
    check_output,
    explained,
    locked_record,
    write_whole,
)  # fmt: skip
from pfps_ml.domain.synonyms import plain
from pfps_ml.io.cells import texts
from pfps_ml.io.csv_chunks import delimiter_of, head_of
from pfps_ml.io.mapping import translate
from pfps_ml.io.output_writer import Draft, read_draft, write_draft
from pfps_ml.io.readers import CSV, ENDINGS, PARQUET, Format, Size, format_of, open_source, pieces, read_piece
from pfps_ml.io.roster import NAMES

NAME, EMAIL, PHONE, BIRTH = "names", "email addresses", "phone numbers", "dates of birth"
ADDRESS, DOCUMENT, TEXT = "postal addresses", "numbers of documents", "free text"
_WORDS = {
    BIRTH: "birth dob birthday birthdate geburtsdatum geburtstag geboren naissance nacimiento nascita geboortedatum",
    EMAIL: "email emails mail courriel correo",
    PHONE: "phone telephone tel mobile mobil handy telefon telefono telefoon cell whatsapp",
    ADDRESS: "address adresse street strasse postcode zip plz direccion calle indirizzo adres rue",
    DOCUMENT: "passport ssn nhs bsn mrn insurance versicherungsnummer licence license",
    NAME: "name names surname forename firstname lastname fullname nickname initials vorname nachname familienname "
    "prenom nom nombre nombres apellido apellidos nome cognome naam voornaam achternaam "
    "coach trainer physio doctor parent guardian contact",
    TEXT: "note notes comment comments remark remarks bemerkung bemerkungen notiz notizen commentaire commentaires "
    "notas observaciones commenti opmerking opmerkingen",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
# a club's or a shoe's name is nobody's
_THINGS = {
    "club",
    "team",
    "squad",
    "school",
    "group",
    "shoe",
    "shoes",
    "device",
    "file",
    "sheet",
    "course",
    "event",
    "race",
}
_PEOPLE = frozenset({"player", "athlete", "patient", "client", "spieler", "joueur", "jugador", "giocatore", "speler"})
_CODES = frozenset({"id", "nr", "no", "number", "code"})  # a player's number is no name
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.\w{2,}")
_DATE = re.compile(r"\d{1,2}[-./ ]\d{1,2}[-./ ](\d{4})|(\d{4})[-./]\d{1,2}[-./]\d{1,2}")
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_DECIMAL = re.compile(r"(0|[1-9]\d*)\.\d+")
_PHONE = re.compile(r"(?=[+(0]|\d+[ ()/-])\+?[\d ()/.-]{7,20}")
_GIVEN_NAMES = re.compile(r"[^\W\d_][\w'\u2019.-]*(,? [^\W\d_][\w'\u2019.-]*){1,3}")
_LOOKED_AT = 1_000  # rows of a roster that shall be scored
_HEAD = 1 << 20  # bytes of it
_YOUNGEST = 10  # years, of the dictionary; later dates are of screenings


@dataclass(frozen=True)
class Spotted:
    """A column that seems to say who somebody is: its place, from 1, and what it holds."""

    column: int
    kind: str


def spot(header: Sequence[str], columns: Sequence[Sequence[str | None]]) -> list[Spotted]:
    """Return the columns that seem to say who somebody is.

    Parameters
    ----------
    header
        The field that each column is, or its own name. Of the dictionary's columns only `runner_id` is looked at.
    columns
        Their cells, as text.
    """
    spotted = []
    for at, (name, cells) in enumerate(zip(header, columns, strict=True), start=1):
        if name not in NAMES or name == "runner_id":
            kind = _kind(name, [cell.strip() for cell in cells if cell and cell.strip()])
            spotted += [Spotted(at, kind)] if kind else []
    return spotted


def spot_in_head(roster: Path) -> list[Spotted]:
    """Return the columns that seem to name a person by the first rows of a roster; none if it cannot be read.

    Free text is left out.

    A folder is judged by the first of its files.
    """
    try:
        path = next(iter(sorted(roster.rglob("*.parquet"))), roster) if roster.is_dir() else roster
        header, columns = _HEADS.get(format_of(path), _first_piece)(path)
    except (OSError, InputError, UnicodeError, pa.ArrowException, csv.Error, StopIteration):
        return []  # scoring explains what is wrong with it
    # free text is left out: the columns that scoring adds are texts, and name nobody
    return [column for column in spot(header, columns) if column.kind != TEXT]


def warning(spotted: Sequence[Spotted]) -> Message:
    """Return the warning about spotted columns: their places and kinds, no values."""
    return Message("personal_columns", {"columns": [f"column {one.column} ({one.kind})" for one in spotted]})


def _kind(name: str, cells: list[str]) -> str | None:
    if any(_EMAIL.search(cell) for cell in cells):
        return EMAIL
    kind = _by_header(name) or _by_content(cells)
    return None if kind == BIRTH and _ages_alone(cells) else kind


def _ages_alone(cells: list[str]) -> bool:
    """Return whether all are born on the same day of a year, as `pfps pseudonymise` writes it: no more than an age."""
    return len(cells) > 1 and len({cell[4:] for cell in cells}) == 1 and all(map(_ISO.fullmatch, cells))


def _by_header(name: str) -> str | None:
    words = plain(name.replace("_", " ")).split()
    if _THINGS.intersection(words):
        return None
    if _PEOPLE.intersection(words) and not _CODES.intersection(words):
        return NAME
    return next((_KINDS[word] for word in words if word in _KINDS), None)


def _by_content(cells: list[str]) -> str | None:
    distinct = set(cells)
    if _most(cells, _is_birth):
        return BIRTH
    if _most(cells, _is_phone):
        return PHONE
    if len(distinct) >= max(3, 0.9 * len(cells)) and _most(cells, _is_name):
        return NAME
    return TEXT if any(len(cell) > 40 or cell.count(" ") >= 5 for cell in distinct) else None


def _most(cells: list[str], test: Callable[[str], bool]) -> bool:
    return sum(map(test, cells)) > len(cells) / 2


def _is_birth(cell: str) -> bool:
    match = _DATE.match(cell)
    return match is not None and int(match[1] or match[2]) <= dt.date.today().year - _YOUNGEST


def _is_phone(cell: str) -> bool:
    digits = sum(letter.isdigit() for letter in cell)
    return bool(_PHONE.fullmatch(cell)) and not _DATE.match(cell) and not _DECIMAL.fullmatch(cell) and digits >= 7


def _is_name(cell: str) -> bool:
    return _GIVEN_NAMES.fullmatch(cell) is not None and all(word[0].isupper() for word in re.split(r",? ", cell))


def _csv_head(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open("rb") as file:
        data = file.read(_HEAD)
    text = data.decode("utf-8-sig", errors="replace")
    delimiter = delimiter_of(text, NAMES)
    header, end, _, _ = head_of(text, delimiter, NAMES, len(data) == _HEAD)
    body = list(islice(csv.reader(io.StringIO(text[end:], newline=""), delimiter=delimiter), _LOOKED_AT))
    return header, [[row[at] if at < len(row) else "" for row in body] for at in range(len(header))]


def _parquet_head(path: Path) -> tuple[list[str], list[list[str]]]:
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=_LOOKED_AT))
    return batch.schema.names, [texts(column).to_pylist() for column in batch.columns]


def _first_piece(path: Path) -> tuple[Sequence[str], list[list[str]]]:
    source = open_source(path, NAMES)
    table = read_piece(source, next(pieces(source, Size()))).table.slice(0, _LOOKED_AT)
    return source.header, [texts(column.combine_chunks()).to_pylist() for column in table.columns]


_HEADS: dict[Format | None, Callable[[Path], Any]] = {CSV: _csv_head, PARQUET: _parquet_head}


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


def mark_key(record: Path, make: bool = False) -> bytes:
    """Return the key of the marks of persons in an audit trail, which stands beside the trail.

    Raises
    ------
    InputError
        If there is none, and none is to be made; or if others than its owner can read it.
    OutputError
        If it cannot be made.
    """
    path = record.with_name(f"{record.name}.key")
    if make and not path.exists():
        with locked_record(record):  # several processes have one key
            if not path.exists():
                write_whole(path, os.urandom(SHORTEST).hex().encode() + b"\n")
    return read_key(path)


def mark(runner_id: str, key: bytes) -> str:
    """Return what stands for a person in the audit trail: a keyed hash of the id, as ids are compared."""
    return pseudonym(runner_id.strip(), key)


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
            days = [_birthday(on, int(age)) if age.isdigit() else None for age in ages]
            table = table.set_column(at, declared.source, pa.array(days, pa.string()))
    return table


def _birthday(on: dt.date, age: int) -> str:
    """Return a date of birth that gives an age on a day: that day of the year itself, or the 28th if it is later."""
    return f"{on.year - age:04d}-{on.month:02d}-{min(on.day, 28):02d}"


def _cells(draft: Draft) -> list[list[str | None]]:
    """Return the cells that came from the club, as text; of columns that scoring added, none."""
    theirs = set(draft.theirs)
    columns = enumerate(draft.table.columns)
    return [texts(column.combine_chunks()).to_pylist() if at in theirs else [] for at, column in columns]


__all__ = [
    "ADDRESS", "BIRTH", "DOCUMENT", "EMAIL", "LONGEST", "NAME", "PHONE", "SHORTEST", "TEXT", "Spotted", "give_back",
    "mark", "mark_key", "new_key", "pseudonym", "pseudonymise", "read_key", "spot", "spot_in_head", "warning",
]  # fmt: skip
