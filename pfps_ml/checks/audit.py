"""All checks of one cohort, in the order of their codes."""

import pandas as pd

from pfps_ml.checks.arms import arms_overlap
from pfps_ml.checks.guide import Check
from pfps_ml.checks.leaks import stands_for_site, telling_gaps
from pfps_ml.checks.people import label_noise, repeated_runners
from pfps_ml.checks.size import enough_events
from pfps_ml.checks.timing import followed, outcome_first
from pfps_ml.intake.cohort import Cohort

_ALL = (
    *(outcome_first, followed, repeated_runners, stands_for_site),
    *(telling_gaps, enough_events, arms_overlap, label_noise),
)
NOT_ONSET = ("C01", "C02")  # a cohort that fails one of these did not observe onset


def audit(cohort: Cohort) -> list[Check]:
    """Run every check; none changes anything."""
    return [check(cohort) for check in _ALL]


def checks_table(checks: list[Check]) -> pd.DataFrame:
    """Return one row a check: code, title, verdict, why (sentences), page, reasons (the same as codes)."""
    rows = [(c.code, c.title, str(c.verdict), c.why, c.page, [reason.as_dict() for reason in c.reasons])
            for c in checks]  # fmt: skip
    return pd.DataFrame(rows, columns=["code", "title", "verdict", "why", "page", "reasons"])


__all__ = ["NOT_ONSET", "audit", "checks_table"]
