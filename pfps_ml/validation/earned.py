"""Whether a preference between pathways is earned here: the gate, held again on patients of a cohort.

The simpler accounts are the bundle's own averages, so that nothing is fitted here and small cohorts can be asked, too:
no effect; for everybody the mean difference that it predicts; for everybody its mean odds ratio.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.evaluation.clusters import clustered_mean
from pfps_ml.evaluation.effects import RARE
from pfps_ml.evaluation.logistic import expit, logit
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, REFERENCE_ARM
from pfps_ml.learning.gate import Gate, Held, judge
from pfps_ml.validation.pathways import ARM_NAMES, Treated, gate_table

Floats = NDArray[np.float64]


def gate_here(treated: Treated) -> Gate:
    """Hold the bundle's effects against its own averages on these patients, over the arms that are open to them."""
    own, predicted = treated.patients, treated.predicted
    usual, same, flat = own.outcome[REFERENCE_ARM].to_numpy(float), own.outcome.copy(), predicted.copy()
    for name in ACTIVE_ARMS:
        may = own.eligible[name].to_numpy(bool)
        if may.any():
            flat[name] = predicted[name][may].mean()
            ratio = (logit(own.outcome[name].to_numpy(float)) - logit(usual))[may].mean()
            same[name] = expit(logit(usual) + ratio)
    held = Held(own.y, own.arm, own.eligible, own.propensity.clip(lower=RARE), own.groups)
    return judge(held, own.outcome, same, flat)


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
    rows = [
        ("When the bundle was made", _verdict(treated.gate)),
        ("On this cohort", _verdict(here)),
        ("Patients for whom a pathway is preferred", f"{named.sum():,} of {len(named):,}"),
    ]
    if here is not None and named.any():
        rows.append(("The preferred pathway less the others open to them", _lead(treated, named, fewest)))
    earned = here is not None and here.passed
    said = "none is given" if not named.any() else "yes" if earned else "not shown"
    tables = {"earned": pd.DataFrame([*rows, ("Earned here", said)], columns=["what", "found"])}
    if here is not None:
        then = treated.gate
        tables["gate"] = gate_table(here).assign(passed_when_made=None if then is None else gate_table(then)["passed"])
    return tables


def _verdict(gate: Gate | None) -> str:
    if gate is None:
        return "the gate was not held"
    beaten = len(gate.comparisons) - len(gate.failed)
    said = "passed" if gate.passed else "not passed"
    return f"{said}: the effects beat {beaten} of {len(gate.comparisons)} simpler accounts"


def _lead(treated: Treated, named: NDArray[np.bool_], fewest: int) -> str:
    """Return by how much the preferred pathway leads the mean of the others, among those who were told of one."""
    own, scores = treated.patients, treated.scores[ARM_NAMES].to_numpy(float)
    may, at = own.eligible[ARM_NAMES].to_numpy(bool), treated.preferences.preferred
    rows = np.flatnonzero(named)
    rows = rows[may[rows, at[rows]] & (may[rows].sum(axis=1) > 1)]
    y, had = own.y[rows], own.arm[rows] == treated.preferred[rows]
    cells = [y[had], y[~had]]
    if any(min(each.sum(), len(each) - each.sum()) < fewest for each in cells):
        return "too few successes, or others, among them to say"
    best = scores[rows, at[rows]]
    others = (np.where(may[rows], scores[rows], 0).sum(axis=1) - best) / (may[rows].sum(axis=1) - 1)
    value, low, high = clustered_mean(best - others, own.groups[rows], LEVEL)
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


__all__ = ["earned_tables", "gate_here"]
