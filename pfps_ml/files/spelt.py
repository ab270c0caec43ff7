"""Cells as people write them, such as `61,5 kg` or `Ja`: read where they can mean one thing only."""

from dataclasses import replace

import pandas as pd

from pfps_ml.errors import Fault
from pfps_ml.knowledge.checker import Checked, check
from pfps_ml.knowledge.field import Field
from pfps_ml.knowledge.spellings import level_of, read_number

_NOT_AVAILABLE = "#N/A"  # of a spreadsheet, which says it on purpose; its other errors are faults
_UNREAD = ("not_a_number", "not_a_level")


def check_spelt(cells: pd.Series, field: Field, decimal_comma: bool) -> Checked:
    """Check some cells, and those that cannot be read once more as people write them.

    Parameters
    ----------
    cells
        Text; each distinct one once.
    field
        What they should be.
    decimal_comma
        Whether `1,75` means 1.75.
    """
    checked = _check(cells, field, decimal_comma)
    unread = [fault.row for fault in checked.faults if fault.row is not None and fault.code in _UNREAD]
    respelt, unclear = dict[int, str](), set[int]()
    for row in unread:
        try:
            meaning = _meaning(str(cells.iloc[row]), field, decimal_comma)
        except ValueError:
            unclear.add(row)
        else:
            respelt |= {row: meaning} if meaning is not None else {}
    if respelt:
        again = [respelt.get(row, cell) for row, cell in enumerate(cells)]
        checked = _check(pd.Series(again, index=cells.index, dtype=object), field, decimal_comma)
    return Checked(checked.values, tuple(_with_reason(fault, unclear) for fault in checked.faults))


def _check(cells: pd.Series, field: Field, decimal_comma: bool) -> Checked:
    return check(pd.DataFrame({field.name: cells}), (field,), decimal_comma)


def _meaning(cell: str, field: Field, decimal_comma: bool) -> str | None:
    if cell.strip() == _NOT_AVAILABLE:
        return ""
    if field.kind == "choice":
        return level_of(cell, field)
    number = read_number(cell, field.unit, "," if decimal_comma else None)
    return None if number is None else repr(number)


def _with_reason(fault: Fault, unclear: set[int]) -> Fault:
    return replace(fault, code="ambiguous_thousands") if fault.row in unclear else fault


__all__ = ["check_spelt"]
