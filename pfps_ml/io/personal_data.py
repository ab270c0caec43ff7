"""Columns of a roster that name a person (names, addresses, dates of birth), recognised by header and by content.

Nothing here is certain: a nickname in a column called `code` looks like a code. A column is reported by its place and
its kind, never by a value.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.core.errors import InputError
from pfps_ml.core.messages import Message
from pfps_ml.domain.synonyms import plain
from pfps_ml.io.cells import texts
from pfps_ml.io.csv_chunks import delimiter_of, head_of
from pfps_ml.io.readers import Size, open_source, pieces, read_piece
from pfps_ml.io.roster_rows import NAMES

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
_GIVEN = re.compile(r"[^\W\d_][\w'\u2019.-]*(,? [^\W\d_][\w'\u2019.-]*){1,3}")
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
        header, columns = _HEADS.get(path.suffix.lower(), _first_piece)(path)
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
    return match is not None and int(match[1] or match[2]) <= date.today().year - _YOUNGEST


def _is_phone(cell: str) -> bool:
    digits = sum(letter.isdigit() for letter in cell)
    return bool(_PHONE.fullmatch(cell)) and not _DATE.match(cell) and not _DECIMAL.fullmatch(cell) and digits >= 7


def _is_name(cell: str) -> bool:
    return _GIVEN.fullmatch(cell) is not None and all(word[0].isupper() for word in re.split(r",? ", cell))


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


_HEADS: dict[str, Callable[[Path], Any]] = {".csv": _csv_head, ".parquet": _parquet_head}

__all__ = [
    "ADDRESS",
    "BIRTH",
    "DOCUMENT",
    "EMAIL",
    "NAME",
    "PHONE",
    "TEXT",
    "Spotted",
    "spot",
    "spot_in_head",
    "warning",
]
