"""Whether a preference between pathways is earned here: the gate, held again on patients of a cohort.

The simpler accounts are the bundle's own averages, so that nothing is fitted here and small cohorts can be asked, too:
no effect; for everybody the mean difference that it predicts; for everybody its mean odds ratio.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.messages import Message, sentence
from pfps_ml.evaluation.clusters import clustered_mean
from pfps_ml.evaluation.effects import RARE
from pfps_ml.evaluation.logistic import expit, logit
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, REFERENCE_ARM
from pfps_ml.learning.gate import Gate, Held, judge
from pfps_ml.validation.pathways import ARM_NAMES, Treated, gate_table

Floats = NDArray[np.float64]
EARNED = "preference_earned_here"


def gate_here(treated: Treated) -> Gate:
    """Hold the bundle's effects against its own averages on these patients, over the arms that are open to them."""
    patients, predicted = treated.patients, treated.predicted
    usual, same, flat = patients.outcome[REFERENCE_ARM].to_numpy(float), patients.outcome.copy(), predicted.copy()
    for name in ACTIVE_ARMS:
        may = patients.eligible[name].to_numpy(bool)
        if may.any():
            flat[name] = predicted[name][may].mean()
            ratio = (logit(patients.outcome[name].to_numpy(float)) - logit(usual))[may].mean()
            same[name] = expit(logit(usual) + ratio)
    held = Held(patients.y, patients.arm, patients.eligible, patients.propensity.clip(lower=RARE), patients.groups)
    return judge(held, patients.outcome, same, flat)


def earned_tables(treated: Treated, here: Gate | None, fewest: int) -> dict[str, pd.DataFrame]:
    """Return the gate as it is here beside what it was when the bundle was made, and whether preferences are earned.

    Parameters
    ----------
    treated
        The patients, with only those arms open that can be compared.
    here
        The gate held on them; None where no arm can be compared.
    fewest
        Successes, and others, that a comparison of preferred arms must have.
    """
    named = treated.preferred != "none"
    counts = {"patients": int(named.sum()), "all": len(named)}
    rows = [
        ("gate_when_made", _gate_message(treated.gate)),
        ("gate_on_this_cohort", _gate_message(here)),
        ("patients_with_preference", Message("patients_of_all", counts)),
    ]
    if here is not None and named.any():
        rows.append(("lead_of_preferred", _lead(treated, named, fewest)))
    rows.append((EARNED, _earned(named, here)))
    tables = {"earned": pd.DataFrame(
        [(sentence(what), found.text, what, found.code) for what, found in rows],
        columns=["what", "found", "what_code", "found_code"],
    )}  # fmt: skip
    if here is not None:
        then = treated.gate
        tables["gate"] = gate_table(here).assign(passed_when_made=None if then is None else gate_table(then)["passed"])
    return tables


def _earned(named: NDArray[np.bool_], here: Gate | None) -> Message:
    if not named.any():
        return Message("no_preference_to_earn")
    return Message("preference_earned" if here is not None and here.passed else "preference_not_shown")


def _gate_message(gate: Gate | None) -> Message:
    if gate is None:
        return Message("gate_not_asked")
    beaten = len(gate.comparisons) - len(gate.failed)
    counts = {"beaten": beaten, "rivals": len(gate.comparisons)}
    return Message("gate_passed" if gate.passed else "gate_not_passed", counts)


def _lead(treated: Treated, named: NDArray[np.bool_], fewest: int) -> Message:
    """Return by how much the preferred pathway leads the mean of the others, among patients with a preferred one."""
    patients, scores = treated.patients, treated.scores[ARM_NAMES].to_numpy(float)
    may, at = patients.eligible[ARM_NAMES].to_numpy(bool), treated.preferences.preferred
    rows = np.flatnonzero(named)
    rows = rows[may[rows, at[rows]] & (may[rows].sum(axis=1) > 1)]
    y, had = patients.y[rows], patients.arm[rows] == treated.preferred[rows]
    cells = [y[had], y[~had]]
    if any(min(cell.sum(), len(cell) - cell.sum()) < fewest for cell in cells):
        return Message("lead_too_few")
    best = scores[rows, at[rows]]
    others = (np.where(may[rows], scores[rows], 0).sum(axis=1) - best) / (may[rows].sum(axis=1) - 1)
    value, low, high = clustered_mean(best - others, patients.groups[rows], LEVEL)
    return Message("lead_with_interval", {"value": float(value), "low": float(low), "high": float(high)})


__all__ = ["EARNED", "earned_tables", "gate_here"]
