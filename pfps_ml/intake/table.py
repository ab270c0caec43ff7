"""A cohort file's own columns: those that the dictionary has no field for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
            faults = [Fault(None, None, f"expected the column {name!r} in the file, got none") for name in lacking]
            raise InvalidInput(
                f"expected every column that was named, got {len(lacking)} that are not in the file; an outcome of "
                "another name is told with --outcome NAME, a column of arms with --arm NAME.", faults,
            )  # fmt: skip

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
        found = level_texts(self.cells(name))
        return np.asarray(found.astype(object).where(found.notna(), None).to_numpy(dtype=object))


def arm_levels(told: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Return the levels and the arms that they mean, told as LEVEL=ARM; what has no sign between them means none."""
    parts = [each.rpartition("=") for each in told or []]
    return tuple((level.strip(), arm.strip()) for level, _, arm in parts)


def arms_of(table: Table, name: str, levels: Sequence[tuple[str, str]] = ()) -> NDArray[np.object_]:
    """Return the dictionary's arms, told by name, label or level, None where blank.

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
        If there are others, which are counted and not told; or a level is not there, or means no arm.
    """
    found, ours = np.asarray(table.texts(name)), [arm.name for arm in ARMS]
    theirs = level_texts([level for level, _ in levels])
    known = {arm.label.lower(): arm.name for arm in ARMS} | {each: each for each in ours}
    known |= dict(zip(theirs, (meant for _, meant in levels), strict=True))
    if not set(known.values()) <= set(ours) or not set(theirs) <= set(found) or theirs.duplicated().any():
        raise InvalidInput(
            f"expected levels of the column {name!r} and the arms that they mean ({', '.join(ours)}), got a level that "
            "is not in the column, one that is told twice, or one that means no arm of the dictionary. Say each once: "
            "--arm-level 1=usual_care --arm-level 2=hip."
        )
    read = pd.Series(found).map(known.get, na_action="ignore")
    odd = pd.Series(found)[read.isna() & ~pd.isna(found)]
    if len(odd):
        raise InvalidInput(
            f"expected arms of the dictionary ({', '.join(ours)}) in the column {name!r}, got {odd.nunique():,} "
            f"other(s) in {len(odd):,} rows. Say what each means, for example --arm-level 2=hip, once for each."
        )
    return np.asarray(read.astype(object).where(read.notna(), None).to_numpy(dtype=object))


__all__ = ["Table", "arm_levels", "arms_of"]
