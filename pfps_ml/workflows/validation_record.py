"""What `pfps evaluate` wrote of a bundle: read back, held to the bundle that it is of, and put into words."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pfps_ml.core.errors import InputError
from pfps_ml.core.messages import Message
from pfps_ml.domain.schemas import has_seen
from pfps_ml.evaluation.check_catalogue import CheckVerdict
from pfps_ml.evaluation.external_validation import AGAINST
from pfps_ml.evaluation.validation_report import DIGEST, JSON, digest_of
from pfps_ml.evaluation.verdict import Conclusion
from pfps_ml.model.bundle import Bundle

ONSET, PATHWAYS = "onset", "pathways"
_OUTCOME = {ONSET: "onset", PATHWAYS: "success"}
_PEOPLE = {ONSET: "runners", PATHWAYS: "patients"}
_TABLES = {ONSET: ("account", "checks", "onset", "size", "drift", "cells"), PATHWAYS: ("account", "checks", "success")}


@dataclass(frozen=True, eq=False)
class Validated:
    """What is known of a bundle from a cohort that it had not seen.

    Attributes
    ----------
    subject
        Which bundle and cohort, by name and digest, and what intervals are over.
    conclusion, verdict
        Whether there is a verdict, and its sentences.
    codes
        Those of the messages that the verdict is made of.
    tables
        By name; no row of a runner is in them.
    """

    subject: Mapping[str, Any]
    conclusion: Conclusion
    verdict: str
    codes: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]

    @property
    def runners(self) -> int:
        """How many runners, or patients, were evaluated."""
        return int(self.subject["evaluated"])

    @property
    def cases(self) -> int:
        """How many of them were cases, or had success."""
        return int(self.subject["events"])


def read_validation(folder: Path, bundle: Bundle, models: str = ONSET) -> Validated:
    """Read the validation of a bundle.

    Parameters
    ----------
    folder
        What `pfps evaluate` wrote.
    bundle
        The bundle that it must be of.
    models
        Which of its models it must be of: those of onset, on runners, or of pathways, on patients.

    Raises
    ------
    InputError
        If there is none, it was edited, it is of another bundle, or its cohort is one that the bundle was updated on.
    """
    try:
        content = json.loads((folder / JSON).read_text(encoding="utf-8"))
        whole = content.get(DIGEST) == digest_of(content)
        held = content["tables"]
        tables = {name: pd.DataFrame(held[name]) for name in (*_TABLES[models], *({AGAINST} & held.keys()))}
        if models == ONSET:
            tables[ONSET] = tables[ONSET].astype(dict.fromkeys(("value", "low", "high"), float))
        verdict = content["verdict"]
        codes = tuple(message["code"] for message in verdict["messages"])
        found = Validated(content["subject"], Conclusion(verdict["conclusion"]), verdict["text"], codes, tables)
        _ = found.runners, found.cases
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        about = {"people": _PEOPLE[models], "file": str(folder / JSON)}
        raise InputError(Message("validation_not_there", about)) from error
    if not whole:
        raise InputError(Message("validation_edited", {"file": str(folder / JSON)}))
    if found.subject.get(models) != bundle.model_digest(_OUTCOME[models]):
        about = {"bundle": bundle.name, "other": found.subject["bundle"]}
        raise InputError(Message("validation_of_other_bundle", about))
    if has_seen(bundle.manifest, found.subject["cohort"], _PEOPLE[models]):
        raise InputError(Message("validation_on_seen_cohort", {"bundle": bundle.name, "people": _PEOPLE[models]}))
    return found


def outside_figures(found: Validated) -> dict[str, str]:
    """Return what answers quote of a validation, by name."""
    return {name: say(found) for name, say in FIGURES.items()}


def _of_whom(found: Validated) -> str:
    digest = found.subject["cohort"][:12]
    return f"{found.runners:,} runners with {found.cases:,} cases (cohort {digest}, the beginning of its digest)"


def _measured(found: Validated) -> Iterator[str]:
    for row in found.tables["onset"].dropna(subset="value").itertuples():
        yield f"{row.label} {row.value:.3f} ({row.low:.3f} to {row.high:.3f})"


_LOUDEST_FIRST = (CheckVerdict.FAIL, CheckVerdict.WARN, CheckVerdict.PASS, CheckVerdict.NOT_APPLICABLE)


def _checks(found: Validated) -> str:
    verdicts = found.tables["checks"].groupby("verdict")["code"].agg(", ".join)
    return "; ".join(f"{name}: {verdicts.get(name, 'none')}" for name in _LOUDEST_FIRST)


def _size(found: Validated) -> str:
    size = found.tables["size"]
    short = size[~size["enough"].astype(bool)]
    if short.empty:
        return f"enough for intervals of the widths asked for (the most, {size['needed'].max():,.0f})"
    # one that nobody can tell is null in the file
    needed = "more than can be told from here" if short["needed"].isna().any() else f"{short['needed'].max():,.0f}"
    return f"too few for {', '.join(short['label'])}: {needed} runners such as these are needed"


def _drift(found: Validated) -> str:
    drift = found.tables["drift"]
    if drift.empty:
        return "no field could be compared with training"
    parts = [f"{name}: {', '.join(drift.loc[drift['drift'] == name, 'label'])}" for name in ("large", "moderate")
             if (drift["drift"] == name).any()]  # fmt: skip
    return f"of {len(drift)} fields compared with training, drift is {'; '.join(parts) or 'large or moderate in none'}"


def _clubs(found: Validated) -> str:
    cells = found.tables["cells"]
    clubs = cells[cells["field"] == "club"] if len(cells) else cells
    if clubs.empty:
        return "The cohort does not name several clubs"
    shown = clubs.loc[clubs["value"].notna(), "level"].nunique()
    return f"{shown} of {clubs['level'].nunique()} clubs are large enough to show figures of their own in the report"


FIGURES: dict[str, Callable[[Validated], str]] = {
    "outside": _of_whom,
    "outside_figures": lambda found: "; ".join(_measured(found)),
    "outside_verdict": lambda found: found.verdict,
    "outside_checks": _checks,
    "outside_size": _size,
    "outside_enough": lambda found: "yes" if found.tables["size"]["enough"].all() else "no",
    "outside_drift": _drift,
    "outside_clubs": _clubs,
    "outside_over": lambda found: str(found.subject["intervals"]),
    "outside_account": lambda found: "; ".join(f"{r.what} {r.rows:,}" for r in found.tables["account"].itertuples()),
}

__all__ = ["FIGURES", "ONSET", "PATHWAYS", "Validated", "outside_figures", "read_validation"]
