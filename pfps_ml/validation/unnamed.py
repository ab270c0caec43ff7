"""A validation that may leave the house: clubs are numbers, because a tracker is told no names."""

from dataclasses import replace
from typing import Any

import pandas as pd

from pfps_ml.validation.external import Validation

_CELLS, _PICTURE = "cells", "subgroups"


def unnamed(found: Validation) -> Validation:
    """Return a validation with its clubs numbered, the largest first, in the table of cells and in its picture."""
    cells = found.tables[_CELLS]
    clubs = cells[cells["field"] == "club"].drop_duplicates("level").sort_values("n", ascending=False, kind="stable")
    numbers = {name: f"Club {at}" for at, name in enumerate(clubs["level"], 1)}
    tables = {**found.tables, _CELLS: _renamed(cells, numbers)}
    pictures = dict(found.pictures)
    if _PICTURE in pictures:
        drawn: Any = pictures[_PICTURE]
        pictures[_PICTURE] = replace(drawn, table=_renamed(drawn.table, numbers))
    return replace(found, tables=tables, pictures=pictures)


def _renamed(table: pd.DataFrame, numbers: dict[str, str]) -> pd.DataFrame:
    club = table["field"] == "club"
    return table.assign(level=table["level"].mask(club, table["level"].map(numbers)))


__all__ = ["unnamed"]
