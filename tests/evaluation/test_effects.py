import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import CohortError
from pfps_ml.core.numbers import generator
from pfps_ml.domain import Estimand
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.evaluation.effects import (
    RARE,
    arm_scores,
    pehe,
    policy_share,
    propensity_counts,
    propensity_overlap,
)
from pfps_ml.evaluation.estimands import Patients, adjusted_effects

NAMES = [arm.name for arm in ARMS]
TRUE_EFFECT = {"hip": 0.15, "orthotic": 0.0, "injection": 0.05}


def clinic(rows, name="clinic"):
    """Patients of whom the severe ones get hip work more often and do worse; the injection is for some of them only."""
    stream = generator(21, name)
    severe = stream.random(rows) < 0.5
    failed = stream.random(rows) < 0.4
    eligible = pd.DataFrame({arm: np.ones(rows, dtype=bool) for arm in NAMES}).assign(injection=failed)
    wish = pd.DataFrame({"usual_care": np.where(severe, 0.15, 0.5), "hip": np.where(severe, 0.5, 0.15),
                         "orthotic": 0.25, "injection": np.where(failed, 0.2, 0.0)})  # fmt: skip
    propensity = wish.div(wish.sum(axis=1), axis=0)[NAMES]
    arm = np.array(NAMES)[(propensity.cumsum(axis=1).lt(stream.random(rows), axis=0)).sum(axis=1)]
    usual = np.where(severe, 0.25, 0.6)
    truth = pd.DataFrame({name: usual + TRUE_EFFECT.get(name, 0.0) for name in NAMES})
    y = (stream.random(rows) < truth.to_numpy()[np.arange(rows), [NAMES.index(name) for name in arm]]).astype(float)
    return {"y": y, "arm": arm, "propensity": propensity, "eligible": eligible, "truth": truth,
            "groups": stream.integers(0, 25, rows)}  # fmt: skip


def judged(world, outcome=None, propensity=None):
    outcome = world["truth"] if outcome is None else outcome
    propensity = world["propensity"] if propensity is None else propensity
    about = (world["y"], world["arm"], outcome, propensity, world["eligible"], world["groups"])
    return adjusted_effects(Patients(*about), Estimand.ALL).set_index("arm")


def test_confounding_misleads_the_raw_difference_and_not_the_adjusted_effect():
    world = clinic(8_000)
    table = judged(world)
    assert list(table.index) == list(ACTIVE_ARMS) and (table["estimand"] == "all").all()
    assert table.loc["hip", "naive"] < 0 and table.loc["hip", "low"] > 0.1
    for arm, true in TRUE_EFFECT.items():
        assert table.loc[arm, "low"] <= true <= table.loc[arm, "high"]
    assert table.loc["injection", "n"] == world["eligible"]["injection"].sum() < table.loc["hip", "n"] == 8_000


def test_an_outcome_in_a_unit_of_its_own_has_its_effects_in_that_unit():
    world = clinic(2_000)
    points = {**world, "y": 100 - 80 * world["y"], "truth": 100 - 80 * world["truth"]}
    found, shares = judged(points), judged(world)
    for name, mirrored in (("effect", "effect"), ("low", "high"), ("high", "low"), ("naive", "naive")):
        np.testing.assert_allclose(found[name], -80 * shares[mirrored])
    with pytest.raises(CohortError, match="expected an outcome for each of 2000 patients"):
        judged({**world, "y": np.append(np.nan, world["y"][1:])})


@pytest.mark.parametrize("wrong", ["outcome", "propensity"])
def test_the_effect_survives_one_wrong_model_of_the_two(wrong):
    world = clinic(20_000)
    flat = pd.DataFrame({name: np.full(20_000, 0.3) for name in NAMES})
    table = judged(world, **{wrong: flat})
    for arm, true in TRUE_EFFECT.items():
        assert table.loc[arm, "effect"] == pytest.approx(true, abs=0.04)


def test_two_wrong_models_do_not_remove_the_confounding():
    flat = pd.DataFrame({name: np.full(20_000, 0.3) for name in NAMES})
    assert judged(clinic(20_000), flat, flat).loc["hip", "effect"] < 0.1


@pytest.mark.slow
def test_intervals_of_adjusted_effects_cover_the_truth_about_95_times_in_100():
    hits = np.zeros(len(ACTIVE_ARMS))
    for repeat in range(200):
        table = judged(clinic(500, f"repeat {repeat}"))
        true = np.array([TRUE_EFFECT[arm] for arm in table.index])
        hits += (table["low"] <= true) & (true <= table["high"])
    assert (hits / 200 > 0.9).all() and (hits / 200 < 0.99).all()


def test_patients_of_one_clinic_who_are_alike_make_the_interval_wider():
    world = clinic(2_000)
    every_patient_ten_times = {key: value[np.repeat(np.arange(200), 10)] for key, value in world.items()
                               if isinstance(value, np.ndarray)}  # fmt: skip
    frames = {key: world[key].iloc[np.repeat(np.arange(200), 10)] for key in ("propensity", "eligible", "truth")}
    copied = {**every_patient_ten_times, **frames, "groups": np.repeat(np.arange(200), 10)}
    alone = {**copied, "groups": np.arange(2_000)}
    wide, narrow = judged(copied), judged(alone)
    ratio = (wide["high"] - wide["low"]) / (narrow["high"] - narrow["low"])
    assert ratio["hip"] == pytest.approx(np.sqrt(10), rel=0.05)


def test_a_patient_with_next_to_no_chance_of_an_arm_cannot_outweigh_the_others():
    world = clinic(1_000)
    few = np.broadcast_to(np.arange(1_000)[:, None] < 50, (1_000, len(NAMES)))
    tiny, floor = (world["propensity"].mask(few, chance) for chance in (1e-6, RARE))
    pd.testing.assert_frame_equal(judged(world, propensity=tiny), judged(world, propensity=floor))


def test_an_arm_that_nobody_had_keeps_its_row_without_figures():
    world = clinic(400)
    world["arm"] = np.where(world["arm"] == "injection", "hip", world["arm"])
    row = judged(world).loc["injection"]
    assert row[["effect", "low", "high", "naive"]].isna().all() and row["n"] > 0


def test_patients_of_one_clinic_only_give_an_effect_without_an_interval():
    world = clinic(400)
    world["groups"] = np.zeros(400)
    row = judged(world).loc["hip"]
    assert np.isfinite(row["effect"]) and row[["low", "high"]].isna().all()


def test_overlap_counts_the_chances_of_those_who_may_have_the_arm():
    eligible = pd.DataFrame({name: [True] * 4 for name in NAMES}).assign(injection=[True, True, False, False])
    propensity = pd.DataFrame({"usual_care": [0.5, 0.5, 0.7, 0.7], "hip": [0.01, 0.02, 0.03, 0.04],
                               "orthotic": 0.2, "injection": [0.29, 0.28, 0.0, 0.0]})  # fmt: skip
    table = propensity_overlap(propensity, ["hip", "injection", "usual_care", "hip"], eligible).set_index("arm")
    assert list(table.index) == NAMES
    assert table.loc["hip", "share"] == 0.5 and table.loc["hip", "min"] == 0.01 and table.loc["hip", "received"] == 2
    assert table.loc["injection", "eligible"] == 2 and table.loc["injection", "share"] == 1
    assert table.loc["injection", "median"] == pytest.approx(0.285)
    nobody = propensity_overlap(propensity, ["hip"] * 4, eligible.assign(injection=False)).set_index("arm")
    assert nobody.loc["injection", "eligible"] == 0 and nobody.loc["injection", "share":].isna().all()


def test_counts_of_chances_hold_every_eligible_patient_once_in_the_right_interval():
    world = clinic(500)
    table = propensity_counts(world["propensity"], world["arm"], world["eligible"])
    for name, rows in table.groupby("arm"):
        own = world["eligible"][name].to_numpy()
        had = own & (world["arm"] == name)
        assert rows["n_had"].sum() == had.sum() and rows["n_others"].sum() == (own & ~had).sum()
        chance = world["propensity"][name].to_numpy()[had]
        means = (rows["n_had"] * (rows["low"] + rows["high"]) / 2).sum() / rows["n_had"].sum()
        assert means == pytest.approx(chance.mean(), abs=0.025)


def test_error_of_effects_is_measured_among_the_eligible_beside_two_simple_guesses():
    truth = pd.DataFrame({"usual_care": [0.4, 0.4, 0.4], "hip": [0.5, 0.7, 0.6], "orthotic": 0.4, "injection": 0.5})
    eligible = pd.DataFrame({name: [True] * 3 for name in NAMES}).assign(injection=False, hip=[True, True, False])
    guess = pd.DataFrame({"hip": [0.2, 0.2, 9.0], "orthotic": [0.1, 0.1, 0.1], "injection": 0.0})
    table = pehe(guess, truth.assign(draw=0), eligible).set_index("arm")
    assert table.loc["hip"].tolist() == pytest.approx([2, 0.0, 0.1, np.sqrt(0.05), 0.1])
    assert table.loc["orthotic"].tolist() == pytest.approx([3, 0.1, 0.1, 0, 0], abs=1e-9)
    assert table.loc["injection", "n"] == 0 and table.loc["injection", "bias":].isna().all()


def test_a_policy_is_measured_between_usual_care_and_the_best_arm_each_patient_may_have():
    truth = pd.DataFrame({"usual_care": [0.4, 0.4], "hip": [0.6, 0.3], "orthotic": [0.5, 0.5], "injection": 0.9})
    eligible = pd.DataFrame({name: [True, True] for name in NAMES}).assign(injection=False)
    assert policy_share([REFERENCE_ARM] * 2, truth, eligible) == 0
    assert policy_share(["hip", "orthotic"], truth, eligible) == pytest.approx(1)
    assert policy_share(["orthotic", "orthotic"], truth, eligible) == pytest.approx(2 / 3)
    assert policy_share([REFERENCE_ARM, "hip"], truth, eligible) < 0
    with pytest.raises(CohortError, match="got 1 that they may not have"):
        policy_share(["hip", "injection"], truth, eligible)


def test_a_policy_has_no_share_where_nothing_can_be_gained():
    truth = pd.DataFrame({name: [0.4, 0.4] for name in NAMES})
    assert np.isnan(policy_share(["hip", "hip"], truth, truth > 0))


def test_frames_that_do_not_fit_are_refused_and_no_value_is_echoed():
    world = clinic(50)
    with pytest.raises(CohortError, match="none for hip"):
        judged(world, outcome=world["truth"].drop(columns="hip"))
    with pytest.raises(CohortError, match="expected 50 complete rows in propensity, got 49"):
        judged(world, propensity=world["propensity"].iloc[1:])
    with pytest.raises(CohortError, match="complete rows in outcome, got 50, or NaN"):
        judged(world, outcome=world["truth"].where(world["truth"] > 0.4))
    with pytest.raises(CohortError, match="an outcome for each of 50"):
        judged({**world, "y": world["y"][1:]})
    for y in (world["y"] + 1, world["y"][1:]):
        with pytest.raises(CohortError, match="outcome of 0 or 1 for each of 50"):
            arm_scores(y, world["arm"], world["truth"], world["propensity"])
    with pytest.raises(CohortError, match="a group for each of 50 patients, got 49"):
        judged({**world, "groups": world["groups"][1:]})
    with pytest.raises(CohortError, match="got 50 others") as told:
        judged({**world, "arm": np.repeat("a secret", 50)})
    assert "secret" not in str(told.value)
