"""Many runners in one request: each is validated alone, the valid ones are assessed at once, and all come back."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pfps_ml.assess import assess
from pfps_ml.bundle import Bundle
from pfps_ml.errors import Fault
from pfps_ml.files.duplicates import plain_ids
from pfps_ml.knowledge.checker import check
from serving.messages import Meanings, columns_of, read_row


def assess_rows(bundle: Bundle, rows: Sequence[Any], reasons: int) -> dict[str, Any]:
    """Assess the rows of a request; see design 4.4 for the shape of the answer.

    Parameters
    ----------
    rows
        What the sender sent as runners, each of any shape.
    reasons
        How many reasons of each are named; the parts of all other fields are one sum.
    """
    meanings: Meanings = {}
    read = [read_row(row, at, meanings) for at, row in enumerate(rows)]
    ids = [row.get("runner_id") if isinstance(row, dict) else None for row in rows]
    ids = [each if isinstance(each, str) else None for each in ids]
    faults = [[*unnamed, *wrong] for unnamed, (_, wrong) in zip(_of_ids(ids), read, strict=True)]
    good = [at for at, found in enumerate(faults) if not found]
    checked = check(columns_of([runner for at in good if (runner := read[at][0])]))
    for fault in checked.faults:  # the checker of rosters has the last word
        faults[good[fault.row or 0]].append(fault)
    kept = checked.values[~checked.rejected].reset_index(drop=True)
    answers = assess(bundle, kept)
    found = iter(range(len(kept)))
    told = [None if wrong else answers.as_dict(next(found), reasons) for wrong in faults]
    return {
        "bundle": bundle.name,
        "counts": {"in": len(rows), "scored": len(kept), "rejected": len(rows) - len(kept)},
        "rows": [_row(*each) for each in zip(ids, faults, told, strict=True)],
    }


def _of_ids(ids: Sequence[str | None]) -> list[list[Fault]]:
    """Return what is wrong with the pseudonyms: rows of a roster must be told apart."""
    plain = plain_ids(pd.Series(ids, dtype=object))
    known, twice = plain.notna(), plain.duplicated(keep=False)
    return [
        [Fault(at, ("runner_id",), "shared_id" if named else "id_missing")] if shared or not named else []
        for at, (named, shared) in enumerate(zip(known, twice, strict=True))
    ]


def _row(runner_id: str | None, faults: Sequence[Fault], assessment: Any) -> dict[str, Any]:
    return {
        "runner_id": runner_id, "status": "rejected" if faults else "scored",
        "problems": "; ".join(fault.line for fault in faults), "faults": [fault.as_dict() for fault in faults],
        "assessment": assessment,
    }  # fmt: skip


__all__ = ["assess_rows"]
