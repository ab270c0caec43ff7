"""What the header of a roster file, and a map, decide for all of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from pfps_ml.core.messages import Message
from pfps_ml.domain.roster_columns import ACCOUNT, added_by_scoring
from pfps_ml.domain.roster_columns import scored_before as scored
from pfps_ml.errors import InvalidInput
from pfps_ml.files.dialects import Source
from pfps_ml.files.headers import check_header
from pfps_ml.files.mapping import Mapping, rename
from pfps_ml.files.naming import second_header
from pfps_ml.knowledge.dictionary import ARMS, INPUTS, VISIT

_ACCOUNT_BEFORE = ACCOUNT[:2]  # of versions that wrote no codes
NAMES = frozenset(field.name for field in INPUTS)
_ARMS = tuple(arm.name for arm in ARMS)


@dataclass(frozen=True)
class Plan:
    """What the header of a file and a map decide for all of its rows.

    Attributes
    ----------
    header
        The names of the file's columns, in order: the dictionary's name, or else the name in the file.
    passing
        The places of the columns that pass through: all but those of an earlier scoring.
    mapping
        What the map says.
    decimal_comma
        Whether text such as `1,75` means 1.75.
    visit
        Whether the file has any visit column.
    """

    header: tuple[str, ...]
    passing: tuple[int, ...]
    mapping: Mapping
    decimal_comma: bool
    visit: bool

    @property
    def places(self) -> dict[str, int]:
        """Where the known columns stand in the file."""
        return {self.header[at]: at for at in self.passing if self.header[at] in NAMES}


def plan_of(source: Source, mapping: Mapping) -> Plan:
    """Decide what the columns of a file are.

    Raises
    ------
    InvalidInput
        If the header is not that of a roster, or the map does not fit it.
    """
    passing, taken = _without_ours(source.header, mapping)
    renamed = rename([source.header[at] for at in passing], mapping)
    read = [name for name in renamed if name not in mapping.leave]
    check_header([*read, *(field for field, _ in mapping.constants)], taken, source.filled)
    if second_header(source.first, source.header):
        raise InvalidInput(Message("second_header"))
    header = list(source.header)
    for at, name in zip(passing, renamed, strict=True):
        header[at] = name if name not in mapping.leave else ""
    visit = any(field.name in read for field in VISIT)
    return Plan(tuple(header), tuple(passing), mapping, source.decimal_comma, visit)


def scored_before(header: Sequence[str]) -> bool:
    """Return whether a file came from us: scored, or the rejected rows of one that was."""
    return scored(header) or tuple(header[-3:]) == ACCOUNT or tuple(header[-2:]) == _ACCOUNT_BEFORE


def _without_ours(header: tuple[str, ...], mapping: Mapping) -> tuple[list[int], list[str]]:
    """Return the places of the file's columns without those of an earlier scoring; and names that scoring needs.

    In a file that was never scored, every column passes, and a name that scoring adds is one too many.
    """
    ours = added_by_scoring(header, _ARMS)
    if not scored_before(header):
        return list(range(len(header))), [name for name in dict.fromkeys(header) if name in ours]
    # the earlier scoring added the id that the map made
    made = {"runner_id"}.intersection(column.field for column in mapping.columns if column.field != column.source)
    return [place for place, name in enumerate(header) if name not in ours | made], []


__all__ = ["ACCOUNT", "NAMES", "Plan", "plan_of", "scored_before"]
