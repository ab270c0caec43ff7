"""The questionnaire of the dictionary, to be answered by a runner: a workbook, or a page that works from the disk.

Questions, levels, units and limits are the dictionary's. A workbook has a question a row and an answer a column, with
the names of fields in a hidden column; `xlsx_tables` reads it as a roster. The page writes a row of a roster as a file.
A folder of such files is read as one roster.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from markupsafe import Markup

from pfps_ml.core import Fault, InputError, InvalidInput, Message
from pfps_ml.core.markup import templates_of
from pfps_ml.domain import INPUTS, NOTICE, SCREENING, Field
from pfps_ml.io.cells import Dialect, texts
from pfps_ml.io.readers import CSV, WORKBOOK, Sheet, Source, format_of, open_source, read_all
from pfps_ml.io.xlsx_tables import FORM_ANSWERS, FORM_MARK, answer_rule, settled_book

TITLE = "Questions before a season of running"
MOST = 200  # answers in one workbook
_TITLES = {
    "identifier": "About you", "questionnaire": "About you",
    "log": "From a training log (leave blank what you do not know)",
    "field test": "Measured by the physio", "dynamometry": "Measured by the physio, with a dynamometer",
}  # fmt: skip
_VISIT = "At a visit"
_NUMBER = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Section:
    """Questions under a heading."""

    title: str
    fields: tuple[Field, ...]


def sections(visit: bool) -> list[Section]:
    """Return the questions by who can answer them; those of a visit if they are wanted."""
    fields = INPUTS if visit else SCREENING
    titles = {field.name: _title(field) for field in fields}
    return [
        Section(title, tuple(field for field in fields if titles[field.name] == title))
        for title in dict.fromkeys(titles.values())
    ]


def _title(field: Field) -> str:
    if field.asked == "visit":
        return _VISIT
    return _TITLES[field.obtained]


def form_book(answers: int = 1, visit: bool = False) -> bytes:
    """Return the workbook: a question a row, an answer a column, with lists to choose from and limits.

    Parameters
    ----------
    answers
        For how many runners.
    visit
        Whether the questions of a visit are asked, too.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "form"
    sheet.append(["", TITLE])
    sheet.append(["", NOTICE])
    heads = ["Answer"] if answers == 1 else [f"Answer {at}" for at in range(1, answers + 1)]
    sheet.append([FORM_MARK, "Question", "What it is", "Expected", *heads])
    last = get_column_letter(FORM_ANSWERS + answers)
    for section in sections(visit):
        sheet.append(["", section.title])
        sheet.cell(sheet.max_row, 2).font = Font(bold=True)
        for field in section.fields:
            _ask(sheet, field, last)
    sheet.append(["", NOTICE])
    for column, width in zip("ABCD", (8, 60, 46, 30), strict=True):
        sheet.column_dimensions[column].width = width
    for row in sheet.iter_rows(min_row=3, min_col=2, max_col=FORM_ANSWERS):
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    sheet["B1"].font = sheet["B3"].font = Font(bold=True)
    sheet.column_dimensions["A"].hidden = True
    sheet.freeze_panes = sheet.cell(4, FORM_ANSWERS + 1)
    return settled_book(book)


def _ask(sheet: Any, field: Field, last: str) -> None:
    required = "" if field.required else ", or blank"
    sheet.append([field.name, field.question, field.meaning, f"{field.limits}{required}"])
    if field.kind != "text":
        row = sheet.max_row
        sheet.add_data_validation(answer_rule(field, f"E{row}:{last}{row}"))


def form_page(visit: bool = False) -> str:
    """Return the page: one file without a word from elsewhere, whose answers are saved as a row of a roster."""
    folder = Path(__file__).parent / "templates"
    style, script = (Markup((folder / name).read_text(encoding="utf-8")) for name in ("form.css", "form.js"))  # noqa: S704
    template = templates_of("pfps_ml.io").get_template("form.html")
    shown = {"title": TITLE, "notice": NOTICE, "sections": sections(visit), "style": style, "script": script}
    draft = template.render(**shown, policy="")
    # a browser hashes what stands between the tags, line breaks included
    hashes = {tag: _hash(draft.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]) for tag in ("style", "script")}
    policy = f"default-src 'none'; style-src '{hashes['style']}'; script-src '{hashes['script']}'"
    return template.render(**shown, policy=f"{policy}; base-uri 'none'; form-action 'none'")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def is_answers(folder: Path) -> bool:
    """Return whether a folder has answers of forms: rosters that are no Parquet files, and none that are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    endings = {format_of(path) for path in files}
    return bool(endings & {CSV, WORKBOOK}) and not any(path.suffix.lower() == ".parquet" for path in files)


def open_answers(folder: Path, known: frozenset[str]) -> Source:
    """Open a folder of answers as one roster, a file a runner or more, in the order of their names.

    Raises
    ------
    InputError
        If files cannot be read: all of them, by their place, because their names may be those of people.
    """
    paths = [path for path in sorted(folder.rglob("*")) if format_of(path) in (CSV, WORKBOOK) and _is_answer(path)]
    sheets, faults, digest = list[Sheet](), list[Fault](), hashlib.sha256()
    for at, path in enumerate(paths, start=1):
        try:
            sheet, source = _answers_in(path, known)
        except InputError as error:
            faults += [one.within("fault_in_file", file=at, files=len(paths)) for one in error.as_faults()]
            continue
        digest.update(source.digest.encode())
        sheets.append(sheet)
    if faults:
        raise InvalidInput(Message("answers_invalid", {"n": len(faults)}), faults)
    table, wrong = _joined(sheets)
    first = tuple(cell or "" for cell in (column[0].as_py() for column in table.columns)) if table.num_rows else ()
    return Source(
        folder, tuple(table.column_names), Dialect(bom=True), table.num_rows, digest.hexdigest(),
        max(table.num_rows, 1), first=first, sheet=Sheet(table, tuple(wrong)),
    )  # fmt: skip


def _is_answer(path: Path) -> bool:
    return path.is_file() and not path.name.startswith((".", "~$"))


def _answers_in(path: Path, known: frozenset[str]) -> tuple[Sheet, Source]:
    source = open_source(path, known)
    sheet = read_all(source)
    columns = [texts(column.combine_chunks()) for column in sheet.table.columns]
    if source.decimal_comma:  # of a spreadsheet that saved it anew: others of the folder write points
        columns = [pa.array([_pointed(cell) for cell in column.to_pylist()], pa.string()) for column in columns]
    return replace(sheet, table=pa.Table.from_arrays(columns, list(source.header))), source


def _pointed(cell: str | None) -> str | None:
    return cell.replace(",", ".") if cell and _NUMBER.fullmatch(cell.strip()) else cell


def _joined(sheets: list[Sheet]) -> tuple[Any, list[Fault]]:
    """Return all answers in one table, whose columns are those of any of them, and the faults of their rows."""
    names = list(dict.fromkeys(name for sheet in sheets for name in sheet.table.column_names))
    parts, faults, start = list[Any](), list[Fault](), 0
    for sheet in sheets:
        rows = sheet.table.num_rows
        faults += [replace(fault, row=start + (fault.row or 0)) for fault in sheet.faults]
        parts.append(pa.Table.from_arrays(list(_columns(sheet.table, names, rows)), names))
        start += rows
    return pa.concat_tables(parts).combine_chunks(), faults


def _columns(table: Any, names: list[str], rows: int) -> Iterator[Any]:
    for name in names:
        places = [at for at, other in enumerate(table.column_names) if other == name]
        yield table.column(places[0]) if places else pa.array([""] * rows, pa.string())


__all__ = ["MOST", "TITLE", "Section", "form_book", "form_page", "is_answers", "open_answers", "sections"]
