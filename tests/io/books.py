"""Workbooks for tests: written by openpyxl, or changed in their XML as no program would write them."""

import io
import zipfile

from openpyxl import Workbook

HEAD = ("runner_id", "age_years", "sex", "weight_kg", "notes")
ROWS = (("R-1", 30, "female", 61.5, None), ("R-2", 41, "male", 72, "ok"))
SHEET = "xl/worksheets/sheet1.xml"


def book(*sheets, change=None):
    """Return a workbook with sheets of rows, the first as openpyxl's active one."""
    made = Workbook()
    for number, rows in enumerate(sheets):
        sheet = made.active if number == 0 else made.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
    if change:
        change(made)
    return saved(made)


def saved(made):
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def good(change=None):
    return book((HEAD, *ROWS), change=change)


def remade(content, part, change, method=zipfile.ZIP_DEFLATED):
    """Return a workbook with one part changed; a change that is no function takes its place, None takes it out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(made, "w", method) as after:
        for name in before.namelist():
            told = before.read(name)
            if name == part:
                told = change(told) if callable(change) else change
            if told is not None:
                after.writestr(name, told)
    return made.getvalue()


def with_strings(content, told):
    """Return a workbook with a list of shared texts, which openpyxl does not write."""
    made, rels = io.BytesIO(content), "xl/_rels/workbook.xml.rels"
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", told)
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    rel = b'<Relationship Id="strings" Type="%s" Target="sharedStrings.xml"/></Relationships>' % kind
    return remade(made.getvalue(), rels, lambda before: before.replace(b"</Relationships>", rel))


def sheet_of(rows):
    """Return the XML of a sheet, given that of its rows."""
    return (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + rows
        + b"</sheetData></worksheet>"
    )


def row_of(number, *cells):
    """Return the XML of a row of texts and numbers."""
    written = b"".join(_cell(place, number, cell) for place, cell in enumerate(cells) if cell is not None)
    return b'<row r="%d">%s</row>' % (number, written)


def _cell(place, number, cell):
    at = b"%c%d" % (65 + place, number)
    if isinstance(cell, str):
        return b'<c r="%s" t="inlineStr"><is><t>%s</t></is></c>' % (at, cell.encode())
    return b'<c r="%s"><v>%s</v></c>' % (at, str(cell).encode())


def raw(*rows):
    """Return a workbook whose sheet has some rows of texts and numbers, at the numbers that they are given."""
    return remade(good(), SHEET, sheet_of(b"".join(row_of(number, *cells) for number, cells in rows)))
