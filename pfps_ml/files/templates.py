"""An empty roster as a workbook: lists to choose from, limits that the spreadsheet holds to, and what each cell is."""

from typing import Any

from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.field import Field

HEADER = 5  # the row of the names; what stands above it explains them, and is not read
_ROWS = 5_000  # below the header, that have lists and limits
_EXAMPLE: dict[str, str | float] = {
    "runner_id": "R-001", "club": "first team", "age_years": 27, "sex": "female", "height_cm": 168, "weight_kg": 61.5,
    "running_experience_years": 4, "weekly_distance_km": 32, "sessions_per_week": 4, "longest_run_spike_pct": 15,
    "weekly_change_pct": 10, "step_rate_spm": 172, "hip_abduction_nm_kg": 1.45, "hip_external_rotation_nm_kg": 0.6,
    "knee_extension_nm_kg": 2.6, "foot_posture_index": 3, "navicular_drop_mm": 6.5, "squat_fppa_deg": 8,
}  # fmt: skip


def template_book() -> bytes:
    """Return the workbook: above the names, in grey, what each is, its limits, who can tell it, and an example."""
    from openpyxl import Workbook

    from pfps_ml.files.bookwriting import settled_book

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "roster"
    for place, field in enumerate(INPUTS, start=1):
        _write_column(sheet, place, field)
    sheet.freeze_panes = sheet.cell(HEADER + 1, 2)
    return settled_book(book)


def _write_column(sheet: Any, place: int, field: Field) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    letter = get_column_letter(place)
    required = "required" if field.required else f"may be blank; from: {field.obtained}"
    for row, text in enumerate((field.label, field.limits, required, _example(field)), start=1):
        cell = sheet.cell(row, place, text)
        cell.font, cell.alignment = Font(color="808080", italic=row == HEADER - 1), Alignment(wrap_text=True)
    head = sheet.cell(HEADER, place, field.name)
    head.font = Font(bold=True)
    head.comment = Comment(f"{field.question}\n\n{field.meaning}\n\nExpected: {field.limits}.", "pfps-ml", width=320)
    sheet.column_dimensions[letter].width = max(len(field.name) + 2, 12)
    if field.kind != "text":
        sheet.add_data_validation(_validation(field, f"{letter}{HEADER + 1}:{letter}{HEADER + _ROWS}"))


def _validation(field: Field, cells: str) -> Any:
    from openpyxl.worksheet.datavalidation import DataValidation

    limits: dict[str, Any] = {"type": "decimal", "operator": "between", "formula1": field.low, "formula2": field.high}
    if field.kind == "whole":
        limits["type"] = "whole"
    if field.kind == "choice":
        limits = {"type": "list", "formula1": f'"{",".join(field.levels)}"'}
    rule = DataValidation(**limits, allow_blank=True, showErrorMessage=True, showInputMessage=True)
    rule.error, rule.errorTitle = f"Expected {field.limits}, or nothing.", field.label
    rule.prompt, rule.promptTitle = field.question[:255], field.label[:32]
    rule.add(cells)
    return rule


def _example(field: Field) -> str | float | None:
    if field.asked == "visit":
        return None
    return _EXAMPLE.get(field.name, field.levels[0] if field.levels else None)


__all__ = ["HEADER", "template_book"]
