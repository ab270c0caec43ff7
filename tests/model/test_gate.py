"""The gate: what it lets pass, what it does not, and the score that it judges by."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.model.preference import RIVALS, Comparison, Gate, Held, Rival, gate_from_json, gate_to_json, judge

NAMES = [arm.name for arm in ARMS]
ROWS = 20_000


def patients(spread, seed=1):
    """Return patients whose effect of every arm is `spread` times a standard normal field, assigned by another one."""
    random = generator(seed, "gate")
    field, severity = random.normal(size=(2, ROWS))
    truth = pd.DataFrame({"usual_care": np.clip(0.4 + 0.1 * severity, 0.1, 0.7)})
    for name in ACTIVE_ARMS:
        truth[name] = np.clip(truth["usual_care"] + spread * field, 0.01, 0.99)
    odds = np.exp(np.column_stack([np.zeros(ROWS), *(0.5 * severity for _ in ACTIVE_ARMS)]))
    chance = pd.DataFrame(odds / odds.sum(axis=1, keepdims=True), columns=NAMES)
    at = (random.random(ROWS)[:, None] > chance.to_numpy().cumsum(axis=1)).sum(axis=1).clip(max=3)
    given = np.array(NAMES, dtype=object)[at]
    y = (random.random(ROWS) < truth.to_numpy()[np.arange(ROWS), at]).astype(float)
    return Held(y, given, pd.DataFrame(True, index=truth.index, columns=NAMES), chance), truth


def same_as(truth):
    return pd.DataFrame(dict.fromkeys(NAMES, truth["usual_care"]))


def nothing(rows=ROWS):
    return pd.DataFrame(0.0, index=range(rows), columns=list(ACTIVE_ARMS))


def test_effects_that_differ_between_patients_as_predicted_pass():
    held, truth = patients(0.15)
    found = judge(held, truth, same_as(truth), nothing())
    assert found.passed and not found.failed
    assert [each.against for each in found.comparisons] == list(RIVALS)
    # the loss saved is the mean squared effect, over three arms
    saved = sum(((truth[name] - truth["usual_care"]) ** 2).mean() for name in ACTIVE_ARMS)
    for each in found.comparisons:
        assert each.difference == pytest.approx(saved, abs=4 * each.standard_error)


def test_effects_that_are_invented_fail():
    held, truth = patients(0.0)
    invented = truth.assign(hip=truth["usual_care"] + 0.1 * generator(2, "invented").normal(size=ROWS))
    found = judge(held, invented, same_as(truth), nothing())
    assert not found.passed
    assert len(found.failed) == len(RIVALS)
    assert all(each.difference < 0 and each.p > 0.5 for each in found.failed)


def test_patients_who_are_counted_together_say_no_more_than_one_of_them():
    held, truth = patients(0.05)
    rows = np.arange(2_000)
    few, four = truth.iloc[rows], np.repeat(rows, 4)

    def judged(at, groups):
        own = Held(held.y[at], held.arm_of_patients[at], held.eligible.iloc[at], held.chance.iloc[at], groups)
        return judge(own, few.iloc[at], same_as(few.iloc[at]), nothing(len(at))).comparisons

    alone, single, together, copied = (judged(rows, None), judged(rows, rows), judged(four, four), judged(four, None))
    for a, b, c, d in zip(alone, single, together, copied, strict=True):
        assert b.standard_error == pytest.approx(a.standard_error, abs=1e-5)
        assert b.p == pytest.approx(a.p, abs=1e-3)
        assert (c.difference, c.standard_error, c.p) == pytest.approx((b.difference, b.standard_error, b.p), abs=1e-5)
        assert d.standard_error < 0.6 * c.standard_error
    assert [each.p for each in judged(rows, np.zeros(2_000))] == [1.0, 1.0, 1.0]
    assert all(each.p == 1.0 for each in judge(
        replace(held, groups=np.arange(ROWS)), same_as(truth), same_as(truth), nothing()).comparisons)  # fmt: skip


def test_an_arm_that_nobody_had_is_no_part_of_the_verdict():
    held, truth = patients(0.15)
    rows = held.arm_of_patients != "orthotic"
    held = Held(held.y[rows], held.arm_of_patients[rows], held.eligible[rows], held.chance[rows])
    truth = truth[rows]
    invented = truth.assign(orthotic=generator(3, "invented").random(len(truth)))
    found = judge(held, invented, same_as(truth), nothing(len(truth)))
    assert found == judge(held, truth, same_as(truth), nothing(len(truth)))
    assert found.passed


def test_effects_equal_to_a_rivals_are_not_better_than_it():
    held, truth = patients(0.15)
    found = judge(held, same_as(truth), same_as(truth), nothing())
    assert [each.p for each in found.comparisons] == [1.0] * 3


def test_the_loss_is_right_where_the_outcome_model_is_blind_if_assignment_is_known():
    held, truth = patients(0.15)
    blind = pd.DataFrame(0.5, index=truth.index, columns=NAMES)
    found = judge(held, truth, blind, nothing()).comparisons[0]
    saved = sum(((truth[name] - truth["usual_care"]) ** 2).mean() for name in ACTIVE_ARMS)
    assert found.difference == pytest.approx(saved, abs=4 * found.standard_error)


def test_the_loss_is_right_where_assignment_is_not_known_if_the_outcome_model_is_right():
    held, truth = patients(0.15)
    unknown = Held(held.y, held.arm_of_patients, held.eligible, pd.DataFrame(0.25, index=truth.index, columns=NAMES))
    found = judge(unknown, truth, truth, nothing()).comparisons[0]
    saved = sum(((truth[name] - truth["usual_care"]) ** 2).mean() for name in ACTIVE_ARMS)
    assert found.difference == pytest.approx(saved, abs=4 * found.standard_error)


def test_an_arm_that_is_closed_to_a_patient_does_not_count():
    held, truth = patients(0.15)
    closed = Held(held.y, held.arm_of_patients, held.eligible.assign(injection=False), held.chance)
    absurd = truth.assign(injection=0.0)
    assert judge(closed, absurd, same_as(truth), nothing()) == judge(closed, truth, same_as(truth), nothing())


def test_all_three_are_required_each_at_5_percent():
    def verdict(*p):
        return Gate(tuple(Comparison(name, 0.1, 0.05, each) for name, each in zip(RIVALS, p, strict=True)))

    assert verdict(0.01, 0.02, 0.049).passed
    assert [each.against for each in verdict(0.01, 0.02, 0.05).failed] == ["one_odds_ratio"]


def test_the_verdict_comes_back_from_json_and_another_shape_is_refused():
    held, truth = patients(0.15)
    found = judge(held, truth, same_as(truth), nothing())
    content = gate_to_json(found)
    assert gate_from_json(content) == found
    assert content["passed"] is True and content["comparisons"][0]["label"] == Rival.ZERO_EFFECT.label
    with pytest.raises(ValueError, match="lacks a comparison"):
        gate_from_json({"comparisons": content["comparisons"][:2]})
    with pytest.raises(ValueError, match="lacks a comparison"):
        gate_from_json({"comparisons": [{**each, "p": 1.5} for each in content["comparisons"]]})
