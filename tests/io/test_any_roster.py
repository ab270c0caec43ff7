"""Rosters that nobody thought of: read row for row with their ids in order, or refused with what to do."""

import csv
import io
import tomllib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.core.errors import InputError
from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.io.mapping_dialogue import map_text
from pfps_ml.io.mapping_suggestions import propose
from pfps_ml.io.readers import open_source
from pfps_ml.io.roster import NAMES, read_roster
from tests.io.books import book
from tests.io.proposed import TODAY
from tests.rosters import GOOD

OURS = [field.name for field in INPUTS if not field.required]
THEIRS = [
    "Age", "Geschlecht", "Größe (m)", "Weight lb", "weekly miles", "km par semaine", "DOB", "hip abd N", "Quads Nm",
    "VAS", "knee pain", "Sexe", "cadence", "FPI", "Naam", "e-mail", "notes", "", "risk_12m", "status", "heigth_cm",
    "=1+1", "Ü\n(cm)",
]  # fmt: skip
CELLS = [
    "", "30", "1,75", "1.234,5", "1,234", "5'11\"", "12 %", "999", "-1", "1e400", "nan", "inf", "ja", "NO ", "✓",
    "m", "F", "0", "1", "2", "3/4/1998", "31.12.97", "1998", "2026-05-01", "=1+1", "@x", "-", "?", "n/a", "#REF!",
    "#N/A", "'=x", "a;b", 'say "ow"', "two\nlines", "Zoë", "\u00a0", "\u202f", "\uff13", "\u0663",
    "0x1F", "1_000", "TRUE", "x" * 300, "\t", "a@b.example",
]  # fmt: skip
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs",)), max_size=8)
WRITTEN = ("csv", "csv ;", "csv \t", "csv marked", "csv latin", "xlsx", "parquet")


@dataclass(frozen=True)
class Made:
    """A roster as somebody might have made it, and how it is written."""

    header: list[str]
    rows: list[list[str]]
    written: str
    above: int


@st.composite
def rosters(draw):
    """Draw a roster: mostly with our names, mostly whole, with an id in the first cell of each row."""
    base = draw(st.sampled_from([["runner_id", "age_years", "sex"]] * 4 + [["Nr", "Age", "M/F"]]))
    names = st.one_of(st.sampled_from(OURS), st.sampled_from(THEIRS)) if draw(st.booleans()) else st.sampled_from(OURS)
    header = [*base, *draw(st.lists(names, max_size=6, unique=True))]
    ids = st.one_of(st.integers(0, 30).map("R-{}".format), TEXTS.filter(lambda text: text.strip()))
    cell = st.one_of(st.sampled_from(CELLS), TEXTS)
    width = st.integers(len(header) - 2, len(header) + 2) if draw(st.integers(0, 4)) == 0 else st.just(len(header))
    rows = draw(
        st.lists(
            st.tuples(ids, width).flatmap(
                lambda told: st.lists(cell, min_size=told[1] - 1, max_size=told[1] - 1).map(
                    lambda cells: [told[0], *cells]
                )
            ),
            max_size=6,
        )
    )
    return Made(header, rows, draw(st.sampled_from(WRITTEN)), draw(st.integers(0, 2)))


def written(made, folder):
    kind, _, how = made.written.partition(" ")
    path, title = folder / f"made.{kind}", [["Squad"]] * made.above
    if kind == "xlsx":
        rows = [[cell[1:] if cell.startswith("=") else cell or None for cell in row] for row in made.rows]
        path.write_bytes(book([*title, made.header, *rows]))
    elif kind == "parquet":
        rows = [[*row, *[""] * len(made.header)][: len(made.header)] for row in made.rows]
        columns = [pa.array([row[at] for row in rows], pa.string()) for at in range(len(made.header))]
        pq.write_table(pa.Table.from_arrays(columns, made.header), path)
    else:
        text = io.StringIO()
        csv.writer(text, delimiter=how if how in (";", "\t") else ",").writerows([*title, made.header, *made.rows])
        encoding = {"marked": "utf-8-sig", "latin": "latin-1"}.get(how, "utf-8")
        path.write_bytes(text.getvalue().encode(encoding, errors="replace"))
    return path


def is_read_or_refused(made, path, mapping=None):
    """Check that a roster is refused in words, or comes with every row, in order."""
    try:
        read = read_roster(path, mapping)
    except InputError as error:
        assert error.message.startswith("expected ")
        return False
    assert len(read.ids) == len(made.rows) == read.table.num_rows == len(read.values)
    summary = read.summary
    assert summary.balances and summary.rows == len(made.rows)
    if "latin" not in made.written and not path.name.endswith("xlsx"):
        assert [str(found).strip() for found in read.ids] == [plainly(row[0]) for row in made.rows]
    return True


def plainly(text):
    """Return an id without the apostrophe that keeps a spreadsheet from running it."""
    found = text[1:] if text.startswith("'") and text.lstrip("'")[:1] in ("=", "+", "-", "@", "\t", "\r") else text
    return found.strip()


def check_any(made, folder):
    path = written(made, folder)
    is_read_or_refused(made, path)
    try:
        told = map_text(propose(open_source(path, NAMES), None, TODAY))
    except InputError:
        return
    tomllib.loads(told)
    (folder / "map.toml").write_text(told, encoding="utf-8")
    is_read_or_refused(made, path, folder / "map.toml")


@settings(max_examples=40)
@given(made=rosters())
def test_any_roster_is_read_row_for_row_or_refused_and_so_it_is_by_its_proposed_map(tmp_path, made):
    check_any(made, tmp_path)


@pytest.mark.slow
@settings(max_examples=5_000)
@given(made=rosters())
def test_five_thousand_rosters_are_read_row_for_row_or_refused(tmp_path, made):
    check_any(made, tmp_path)


def damaged(folder, at, cut, put):
    """Return whether a good roster with some bytes replaced by others is read."""
    content = GOOD.encode()
    path = folder / "made.csv"
    path.write_bytes(content[: at % len(content)] + put + content[at % len(content) + cut :])
    try:
        read = read_roster(path)
    except InputError as error:
        assert error.message.startswith("expected ")
        return
    assert read.summary.balances and read.summary.rows == len(read.ids) == read.table.num_rows


BYTES = {"at": st.integers(0, len(GOOD)), "cut": st.integers(0, 9), "put": st.binary(max_size=6)}


@settings(max_examples=40)
@given(**BYTES)
def test_any_bytes_in_a_roster_are_read_or_refused(tmp_path, at, cut, put):
    damaged(tmp_path, at, cut, put)


@pytest.mark.slow
@settings(max_examples=2_000)
@given(**BYTES)
def test_two_thousand_damaged_rosters_are_read_or_refused(tmp_path, at, cut, put):
    damaged(tmp_path, at, cut, put)
