"""A cohort file's own columns: those that the dictionary has no field for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.messages import Message
from pfps_ml.errors import Fault, InvalidInput
from pfps_ml.files.mapping import Mapping
from pfps_ml.intake.outcomes import level_texts
from pfps_ml.knowledge.dictionary import ARMS
from pfps_ml.roster import Roster


@dataclass(frozen=True)
class Table:
    """The file's own columns, by their own names."""

    roster: Roster
    mapping: Mapping

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        return list(self.roster.table.column_names)

    def expect(self, names: Sequence[str]) -> None:
        """Refuse a file that lacks a column, with all that it lacks."""
        if lacking := [name for name in dict.fromkeys(names) if name not in self.names]:
            faults = [Fault(None, (), "column_missing", {"name": name}) for name in lacking]
            raise InvalidInput(Message("columns_missing", {"n": len(lacking)}), faults)

    def source(self, field: str) -> str | None:
        """Return the column that a field comes from; None if the file has none."""
        mapped = self.mapping.target(field)
        name = field if mapped is None else mapped.source
        return name if name in self.names else None

    def cells(self, name: str) -> list[Any]:
        """Return a column as it was read."""
        return list(self.roster.table.column(name).to_pylist())

    def texts(self, name: str | None) -> NDArray[np.object_] | None:
        """Return a column's texts, in one spelling and None where blank; None for no column."""
        if name is None:
            return None
        texts = level_texts(self.cells(name))
        return np.asarray(texts.astype(object).where(texts.notna(), None).to_numpy(dtype=object))


def arm_levels(pairs: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Return levels and their arms from texts such as LEVEL=ARM; a text without the sign has a blank level."""
    parts = [pair.rpartition("=") for pair in pairs or []]
    return tuple((level.strip(), arm.strip()) for level, _, arm in parts)


def arms_of(table: Table, name: str, levels: Sequence[tuple[str, str]] = ()) -> NDArray[np.object_]:
    """Return the dictionary's arms by their names, labels or levels in the file; None where blank.

    Parameters
    ----------
    table
        The file.
    name
        The column of arms.
    levels
        What the file calls an arm, and its name in the dictionary.

    Raises
    ------
    InvalidInput
        If there are others, which are counted and not named; or a level is not there, or means no arm.
    """
    cells, arms = np.asarray(table.texts(name)), [arm.name for arm in ARMS]
    theirs = level_texts([level for level, _ in levels])
    known = {arm.label.lower(): arm.name for arm in ARMS} | {arm: arm for arm in arms}
    known |= dict(zip(theirs, (arm for _, arm in levels), strict=True))
    if not set(known.values()) <= set(arms) or not set(theirs) <= set(cells) or theirs.duplicated().any():
        raise InvalidInput(Message("arm_levels_invalid", {"column": name, "arms": arms}))
    read = pd.Series(cells).map(known.get, na_action="ignore")
    odd = pd.Series(cells)[read.isna() & ~pd.isna(cells)]
    if len(odd):
        counts = {"n": int(odd.nunique()), "rows": len(odd)}
        raise InvalidInput(Message("arms_unknown", {"column": name, "arms": arms, **counts}))
    return np.asarray(read.astype(object).where(read.notna(), None).to_numpy(dtype=object))


__all__ = ["Table", "arm_levels", "arms_of"]
