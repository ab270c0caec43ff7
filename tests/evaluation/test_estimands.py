"""Whom an effect is about: each estimand's own true value is covered, and what patients cannot tell is withheld."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.logistic import expit
from pfps_ml.core.numbers import generator
from pfps_ml.domain import Estimand
from pfps_ml.domain.dictionary import ARMS, REFERENCE_ARM
from pfps_ml.evaluation.estimands import Patients, adjusted_effects, effects_by_estimand, recalibrated

NAMES = [arm.name for arm in ARMS]


def hip_or_usual(rows, name, chance, usual, effect):
    """Return patients of whom some had hip work, and the true effect of each; functions of one standard normal."""
    stream = generator(81, name)
    x = stream.standard_normal(rows)
    share = np.broadcast_to(chance(x), (rows,))
    arm = np.where(stream.random(rows) < share, "hip", REFERENCE_ARM).astype(object)
    gain = np.broadcast_to(effect(x), (rows,))
    p = usual(x) + np.where(arm == "hip", gain, 0.0)
    y = (stream.random(rows) < p).astype(float)
    frames = {each: np.zeros(rows) for each in NAMES}
    propensity = pd.DataFrame(frames | {"hip": share, REFERENCE_ARM: 1 - share})
    eligible = pd.DataFrame({each: np.full(rows, each in {"hip", REFERENCE_ARM}) for each in NAMES})
    outcome = pd.DataFrame({each: np.full(rows, 0.5) for each in NAMES})
    patients = Patients(y, arm, outcome, propensity, eligible, np.arange(rows).astype(object))
    return patients, pd.DataFrame({"x": x}), gain


def with_recalibration(patients, X):
    expected = recalibrated(X, patients.y, patients.arm, patients.outcome, patients.groups)
    return replace(patients, expected=expected)


def of_hip(patients):
    table = effects_by_estimand(patients)
    return table[table["arm"] == "hip"].set_index("estimand")


def true_means(patients, gain):
    """Return the true mean effect of each estimand, by its definition."""
    chance = patients.propensity["hip"].to_numpy()
    weights = {"all": np.ones(len(gain)), "treated": patients.arm == "hip", "overlap": chance * (1 - chance)}
    return {name: float(np.average(gain, weights=weight)) for name, weight in weights.items()}


def test_each_estimand_has_the_mean_of_its_own_patients():
    about = {
        "chance": lambda x: expit(0.8 * x),
        "usual": lambda x: expit(-1 + 0.5 * x),
        "effect": lambda x: 0.15 * (x > 0),
    }
    patients, X, gain = hip_or_usual(60_000, "three means", **about)
    found, true = of_hip(with_recalibration(patients, X)), true_means(patients, gain)
    assert true["treated"] - true["all"] > 0.02  # otherwise the three could not be told apart
    for name, mean in true.items():
        assert found.loc[name, "low"] <= mean <= found.loc[name, "high"]
        assert found.loc[name, "high"] - found.loc[name, "low"] < 0.025


@pytest.mark.slow
def test_intervals_hold_the_true_mean_in_95_of_100_where_both_models_are_fitted():
    from pfps_ml.core import fit_logistic

    hits, repeats = dict.fromkeys(map(str, Estimand), 0), 400
    for repeat in range(repeats):
        patients, X, gain = hip_or_usual(
            500, f"fitted {repeat}", lambda x: expit(0.8 * x), lambda x: expit(-1 + 0.5 * x), lambda x: 0.15 * (x > 0)
        )
        design = np.column_stack((np.ones(500), X["x"]))
        chance = expit(design @ fit_logistic(design, (patients.arm == "hip").astype(float)))
        fitted = replace(patients, propensity=patients.propensity.assign(hip=chance, usual_care=1 - chance))
        found = of_hip(with_recalibration(fitted, X))
        for name, mean in true_means(patients, gain).items():
            hits[name] += found.loc[name, "low"] <= mean <= found.loc[name, "high"]
    spread = 3 * (0.95 * 0.05 / repeats) ** 0.5
    assert all(0.95 - spread <= count / repeats <= 0.95 + spread for count in hits.values()), hits


def test_a_rare_randomised_arm_without_an_effect_is_not_given_one():
    held, repeats = 0, 100
    for repeat in range(repeats):
        patients, X, _ = hip_or_usual(
            2_000, f"rare {repeat}", lambda _: 0.015, lambda x: expit(-0.5 + x), lambda _: 0.0
        )
        trial = with_recalibration(replace(patients, randomised=True), X)
        row = of_hip(trial).loc["all"]
        held += row["low"] <= 0 <= row["high"]
    assert held >= 88  # of 100 intervals at 95 %: fewer happen once in 300 such tests


def test_chances_that_a_trial_allocated_are_not_moved():
    patients, *_ = hip_or_usual(3_000, "allocated", lambda _: 0.015, lambda _: 0.4, lambda _: 0.0)
    chosen, trial = (of_hip(replace(patients, randomised=which)) for which in (False, True))
    assert chosen.loc["all", "withheld"] == "effect_withheld_overlap"
    assert trial.loc["all", "withheld"] is None
    raw = patients.y[patients.arm == "hip"].mean() - patients.y[patients.arm == REFERENCE_ARM].mean()
    assert trial.loc["all", "effect"] == pytest.approx(raw)  # one chance for all: nothing to adjust


def test_few_trial_patients_among_many_others_tell_no_effect_for_all_and_one_of_the_overlap():
    """445 patients like nobody else, among 16,000: as in the observational re-analyses of job trials."""
    about = {"chance": lambda x: expit(-9 + 4 * x), "usual": lambda x: expit(1.5 - 1.2 * x), "effect": lambda _: 0.11}
    patients, X, _ = hip_or_usual(16_445, "few among many", **about)
    found = of_hip(with_recalibration(patients, X))
    assert found.loc["all", "withheld"] == "effect_withheld_overlap" and np.isnan(found.loc["all", "effect"])
    offered = adjusted_effects(with_recalibration(patients, X)).set_index("arm").loc["hip"]
    assert offered["estimand"] == "overlap" and offered["low"] <= 0.11 <= offered["high"]
    assert abs(found.loc["overlap", "naive"] - 0.11) > 0.1  # the raw difference is far off


def test_an_arm_that_hardly_anybody_carries_is_withheld_whatever_is_asked():
    patients, *_ = hip_or_usual(400, "nine", lambda _: 0.5, lambda _: 0.4, lambda _: 0.0)
    arm = np.full(400, REFERENCE_ARM, dtype=object)
    arm[:9] = "hip"
    found = of_hip(replace(patients, arm=arm))
    assert set(found["withheld"]) == {"effect_withheld_few"}


def test_predictions_that_are_wrong_here_cost_a_large_trial_no_width():
    """A published effect of 1 in 100 among 40,000, with a bundle that expects ten times the successes."""
    patients, X, _ = hip_or_usual(40_000, "wide", lambda _: 0.5, lambda x: 0.02 + 0.02 * (x > 0), lambda _: 0.01)
    trial = replace(patients, randomised=True)
    outcome = trial.outcome.assign(hip=0.55, usual_care=0.45 + 0.05 * (X["x"] > 0))
    found = of_hip(with_recalibration(replace(trial, outcome=outcome), X)).loc["all"]
    width, raw = found["high"] - found["low"], found["naive_high"] - found["naive_low"]
    assert width <= 1.1 * min(raw, regression_adjusted_width(trial, X))
    assert found["low"] <= 0.01 <= found["high"]


def regression_adjusted_width(patients, X):
    """Return the width of a 95 % interval of least squares with the arm, the field and their product (Lin 2013)."""
    treated, x = (patients.arm == "hip").astype(float), X["x"].to_numpy()
    centred = x - x.mean()
    design = np.column_stack((np.ones(len(x)), treated, centred, treated * centred))
    inverse = np.linalg.inv(design.T @ design)
    residual = patients.y - design @ (inverse @ design.T @ patients.y)
    covariance = inverse @ (design.T * residual**2) @ design @ inverse
    return 2 * 1.96 * covariance[1, 1] ** 0.5


def test_recalibration_looks_at_no_patient_of_the_same_fold():
    patients, X, _ = hip_or_usual(300, "folds", lambda _: 0.5, expit, lambda _: 0.0)
    groups = np.arange(300) // 10
    first = recalibrated(X, patients.y, patients.arm, patients.outcome, groups)
    turned = np.where(groups == 0, 1 - patients.y, patients.y)
    second = recalibrated(X, turned, patients.arm, patients.outcome, groups)
    same = groups == 0
    pd.testing.assert_frame_equal(first[same], second[same])
    assert not first[~same].equals(second[~same])


def test_recalibration_takes_fields_that_are_missing_or_alike():
    patients, X, _ = hip_or_usual(200, "gaps", lambda _: 0.5, expit, lambda _: 0.0)
    odd = X.assign(same=1.0, never=np.nan, at_times=np.where(np.arange(200) % 2, np.nan, 3.0))
    found = recalibrated(odd, patients.y, patients.arm, patients.outcome, patients.groups)
    assert ((found > 0) & (found < 1)).to_numpy().all()


def test_patients_who_stand_for_others_count_as_many():
    patients, *_ = hip_or_usual(2_000, "weights", lambda _: 0.5, lambda _: 0.4, lambda _: 0.1)
    whole = of_hip(patients).loc["all", "effect"]
    lost = (patients.y == 1) & (patients.arm == "hip") & (np.arange(2_000) % 2 == 0)  # every second success of hip
    kept = {name: getattr(patients, name)[~lost] for name in ("y", "arm", "groups")}
    frames = {
        name: getattr(patients, name)[~lost].reset_index(drop=True) for name in ("outcome", "propensity", "eligible")
    }
    half = replace(patients, **kept, **frames)
    weight = np.where((half.y == 1) & (half.arm == "hip"), 2.0, 1.0)
    assert of_hip(half).loc["all", "effect"] < whole - 0.1
    assert of_hip(replace(half, weight=weight)).loc["all", "effect"] == pytest.approx(whole, abs=0.03)


def test_an_arm_that_one_clinic_alone_had_has_an_effect_without_an_interval():
    patients, *_ = hip_or_usual(400, "one clinic", lambda _: 0.5, lambda _: 0.4, lambda _: 0.0)
    groups = np.where(patients.arm == "hip", 0, np.arange(400) % 10).astype(object)
    row = of_hip(replace(patients, groups=groups)).loc["all"]
    assert np.isfinite(row["effect"]) and row[["low", "high"]].isna().all()
