"""The release gate: what a candidate must hold on clubs that it has not seen before it may become the current release.

The held-out clubs have some 200 cases, so most figures are refused only where their whole 95 % interval lies outside
the acceptable range: the gate stops what has been shown to be wrong, and cannot show that the rest is right. The AUROC
has to prove itself: its whole interval must lie above chance. The limits are in `config.ReleaseConfig`.

What `pfps evaluate` wrote of a bundle: read back, held to the bundle that it is of, and put into words.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Fault, InputError, Message, ReleaseConfig, ReleaseRefused, normal_quantile, sentence
from pfps_ml.domain import REFERENCE_ARM, has_seen
from pfps_ml.evaluation.check_catalogue import CheckVerdict
from pfps_ml.evaluation.external_validation import AGAINST
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.evaluation.validation_report import DIGEST, JSON, digest_of
from pfps_ml.evaluation.verdict import Conclusion
from pfps_ml.model import Bundle

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
        contents = content["tables"]
        tables = {name: pd.DataFrame(contents[name]) for name in (*_TABLES[models], *({AGAINST} & contents.keys()))}
        if models == ONSET:
            tables[ONSET] = tables[ONSET].astype(dict.fromkeys(("value", "low", "high"), float))
        verdict = content["verdict"]
        codes = tuple(message["code"] for message in verdict["messages"])
        validated = Validated(content["subject"], Conclusion(verdict["conclusion"]), verdict["text"], codes, tables)
        _ = validated.runners, validated.cases
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        about = {"people": _PEOPLE[models], "file": str(folder / JSON)}
        raise InputError(Message("validation_not_there", about)) from error
    if not whole:
        raise InputError(Message("validation_edited", {"file": str(folder / JSON)}))
    if validated.subject.get(models) != bundle.model_digest(_OUTCOME[models]):
        about = {"bundle": bundle.name, "other": validated.subject["bundle"]}
        raise InputError(Message("validation_of_other_bundle", about))
    if has_seen(bundle.manifest, validated.subject["cohort"], _PEOPLE[models]):
        raise InputError(Message("validation_on_seen_cohort", {"bundle": bundle.name, "people": _PEOPLE[models]}))
    return validated


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


READ = ("onset", "answered", "effects", "overlap", "policies", "heterogeneity")


class Figure(StrEnum):
    """The codes of what the gate looks at."""

    AUROC = "gate_auroc"
    SCALED_BRIER = "gate_scaled_brier"
    SLOPE = "gate_calibration_slope"
    OBSERVED_EXPECTED = "gate_observed_expected"
    CALIBRATION_INDEX = "gate_calibration_index"
    ROWS_ANSWERED = "gate_rows_answered"
    CHANCE_OF_ARMS = "gate_chance_of_arms"
    CHOOSING = "gate_choosing_by_model"
    WHO_GAINS = "gate_who_gains_most"
    COHORT_CHECKS = "gate_cohort_checks"
    PATIENT_CHECKS = "gate_patient_checks"
    LOG_LOSS_SAVED = "gate_log_loss_saved"
    PATHWAYS = "gate_pathways_moved"


class Outcome(StrEnum):
    """What the gate says of a figure; there may be too few runners to judge it."""

    HOLDS = "holds"
    REFUSED = "refused"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True)
class Check:
    """One figure, its value, what must hold of it, and what the gate says."""

    figure: Message
    value: Message
    limit: Message
    outcome: Outcome

    @property
    def holds(self) -> bool:
        """Whether it lets the candidate pass."""
        return self.outcome is not Outcome.REFUSED

    @property
    def what(self) -> str:
        """The name of the figure, as a person reads it."""
        return self.figure.text

    @property
    def found(self) -> str:
        """The value, as a person reads it."""
        return self.value.text

    @property
    def expected(self) -> str:
        """What must hold, as a person reads it."""
        return self.limit.text

    @property
    def verdict(self) -> str:
        """What the gate says, as a person reads it."""
        return sentence(_SENTENCES[self.outcome])


_SENTENCES = {
    Outcome.HOLDS: "gate_holds",
    Outcome.REFUSED: "gate_refused",
    Outcome.NOT_JUDGED: "gate_not_judged",
}


def _check(figure: Message | Figure, value: Message, limit: Message, holds: bool) -> Check:
    name = figure if isinstance(figure, Message) else Message(figure)
    return Check(name, value, limit, Outcome.HOLDS if holds else Outcome.REFUSED)


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the tables that the gate and the card need.

    Raises
    ------
    InputError
        If one is not there: the folder holds no evaluation, or one of an older version.
    """
    try:
        return {name: pd.read_csv(folder / f"{name}.csv") for name in READ}
    except (OSError, ValueError) as error:
        file = getattr(error, "filename", None)
        cause = Message("evaluation_file", {"file": str(file)}) if file else Message("evaluation_some_table")
        raise InputError(Message("evaluation_expected", {"folder": str(folder), "cause": cause.as_dict()})) from error


def checks(tables: Mapping[str, pd.DataFrame], limits: ReleaseConfig) -> list[Check]:
    """Hold the figures of an evaluation to the limits, all of them."""
    return [*_onset(tables["onset"].set_index("metric"), limits), *_rows(tables, limits), *_pathways(tables, limits)]


def checks_outside(validation: Validated, limits: ReleaseConfig) -> list[Check]:
    """Hold the figures of a bundle on a cohort that it had not seen to the limits, all of them.

    The calibration index of a perfect model is above 0 by chance: it is judged only where the rate of cases, which is
    easier to know, is known to within the limit (95 %).

    Parameters
    ----------
    validation
        The validation; if it was compared with another bundle, that is judged, too.
    limits
        What must hold.
    """
    tables, rate = validation.tables, validation.cases / validation.runners
    enough = normal_quantile(LEVEL) * float(np.sqrt(rate * (1 - rate) / validation.runners)) <= limits.ici_up_to
    onset = [check if enough or check.figure.code != Figure.CALIBRATION_INDEX
             else replace(check, outcome=Outcome.NOT_JUDGED)
             for check in _onset(tables["onset"].set_index("metric"), limits)]  # fmt: skip
    return [*onset, _sound(validation, Figure.COHORT_CHECKS), *_against(tables.get(AGAINST))]


def checks_of_patients(validation: Validated | None) -> list[Check]:
    """Hold pathways that patients moved to what other patients say of them; none may have been shown to be wrong.

    Parameters
    ----------
    validation
        The validation on patients; None if there is none, which is refused.
    """
    limit = Message("gate_not_shown_wrong_on_others")
    if validation is None:
        return [_check(Figure.PATHWAYS, Message("gate_not_validated"), limit, False)]
    value = Message(_CONCLUSIONS[validation.conclusion])
    return [_check(Figure.PATHWAYS, value, limit, validation.conclusion is not Conclusion.DOES_NOT_HOLD),
            _sound(validation, Figure.PATIENT_CHECKS)]  # fmt: skip


_CONCLUSIONS = {
    Conclusion.HOLDS: "conclusion_holds",
    Conclusion.DOES_NOT_HOLD: "conclusion_does_not_hold",
    Conclusion.NONE: "conclusion_none",
}


def hold_to_gate(checks: list[Check]) -> None:
    """Refuse a candidate of which a check does not hold.

    Raises
    ------
    ReleaseRefused
        With every check that failed.
    """
    if failed := [check for check in checks if not check.holds]:
        raise ReleaseRefused(
            Message("gate_refuses", {"failed": len(failed), "checks": len(checks)}),
            [_refusal(check) for check in failed],
        )


def _refusal(check: Check) -> Fault:
    about = {"expected": check.limit.as_dict(), "got": check.value.as_dict()}
    return Fault(None, (check.what,), "release_check_failed", about)


def _onset(figures: pd.DataFrame, limits: ReleaseConfig) -> Iterator[Check]:
    value, low, high = (figures[name].astype(float) for name in ("value", "low", "high"))

    def shown(name: str) -> Message:
        return Message("gate_value", {"value": value[name], "low": low[name], "high": high[name]})

    above = Message("gate_interval_above", {"limit": limits.auroc_above})
    yield _check(Figure.AUROC, shown("auroc"), above, bool(low["auroc"] > limits.auroc_above))
    reaching = Message("gate_interval_reaches", {"limit": limits.scaled_brier_from})
    holds = bool(high["scaled_brier"] >= limits.scaled_brier_from)
    yield _check(Figure.SCALED_BRIER, shown("scaled_brier"), reaching, holds)
    for name, figure, (least, most) in (
        ("calibration_slope", Figure.SLOPE, limits.slope),
        ("observed_expected", Figure.OBSERVED_EXPECTED, limits.observed_expected),
    ):
        holds = bool(low[name] <= most and high[name] >= least)
        yield _check(figure, shown(name), Message("gate_interval_meets", {"least": least, "most": most}), holds)
    beginning = Message("gate_interval_begins", {"limit": limits.ici_up_to})
    yield _check(Figure.CALIBRATION_INDEX, shown("ici"), beginning, bool(low["ici"] <= limits.ici_up_to))


def _sound(validation: Validated, figure: Figure) -> Check:
    checks = validation.tables["checks"]
    failed = list(checks.loc[checks["verdict"] == CheckVerdict.FAIL, "code"])
    value = Message("gate_checks_failed", {"checks": failed}) if failed else Message("gate_no_check_failed")
    return _check(figure, value, Message("gate_no_check_failed"), not failed)


def _against(compared: pd.DataFrame | None) -> Iterator[Check]:
    if compared is None:
        return
    for row in compared[compared["gain"].notna() & (compared["metric"] == "log_loss")].to_dict("records"):
        gained = {name: float(row[f"gain{end}"]) for name, end in (("value", ""), ("low", "_low"), ("high", "_high"))}
        figure = Message(Figure.LOG_LOSS_SAVED, {"against": row["against"]})
        yield _check(figure, Message("gate_gain", gained), Message("gate_interval_not_below_0"), gained["high"] >= 0)


def _rows(tables: Mapping[str, pd.DataFrame], limits: ReleaseConfig) -> Iterator[Check]:
    least = float(tables["answered"]["answered"].min())
    limit = Message("gate_share_of_rows", {"limit": limits.rows_answered})
    yield _check(Figure.ROWS_ANSWERED, Message("gate_share", {"share": least}), limit, least >= limits.rows_answered)
    share = float(tables["overlap"]["share"].min())  # an arm that nobody may have has none
    limit = Message("gate_share_of_patients", {"limit": limits.overlap_from})
    yield _check(Figure.CHANCE_OF_ARMS, Message("gate_share", {"share": share}), limit, share >= limits.overlap_from)


def _pathways(tables: Mapping[str, pd.DataFrame], limits: ReleaseConfig) -> Iterator[Check]:
    values = tables["policies"].set_index("policy")
    lead, low, high = map(float, values.loc[REFERENCE_ARM, ["lead", "lead_low", "lead_high"]])
    value = Message("gate_lead", {"value": lead, "low": low, "high": high})
    yield _check(Figure.CHOOSING, value, Message("gate_interval_not_below_0"), high >= 0)
    tests = tables["heterogeneity"].set_index("arm")
    least = limits.wrong_way / max(len(tests), 1)
    limit = Message("gate_not_shown_reversed", {"p": least})
    for name, row in tests.iterrows():
        # without a spread of predictions there is nothing that could be the wrong way round
        p = 1 - float(row["p_differs"])
        slope = Message("gate_slope", {"slope": float(row["slope"]), "p": p})
        value = Message("gate_no_differences") if np.isnan(p) else slope
        yield _check(Message(Figure.WHO_GAINS, {"arm": str(name)}), value, limit, not p < least)


__all__ = [
    "FIGURES", "ONSET", "PATHWAYS", "READ", "Check", "Figure", "Outcome", "Validated", "checks", "checks_of_patients",
    "checks_outside", "hold_to_gate", "outside_figures", "read_tables", "read_validation",
]  # fmt: skip
