"""Trials of other things through the pathway code: on made-up frames, and on the open data where they are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.trial_effects import average_effects, read_trial, tried
from benchmarks.trial_nulls import dealt
from benchmarks.trial_page import Found, _worth, found_in, picture, trial_lines
from benchmarks.trials import TRIALS, class_frame, recovery_frame, smoking_frame
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import SUCCESS
from pfps_ml.io.mapping import load_mapping
from pfps_ml.io.study_data import ARM
from pfps_ml.model.preference import NONE

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
KNEE, RECOVERY, CLASSES, SMOKING = TRIALS


@pytest.fixture(autouse=True)
def _from_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def knee_rows(rows=160):
    """Return made-up patients: pain falls by about 1 with therapy, whoever has it."""
    random = generator(1, "knee")
    before, treated = random.integers(2, 6, rows), np.arange(rows) % 2
    after = np.clip(before - treated - (random.random(rows) < 0.5), 1, 5)
    return pd.DataFrame({
        "N": np.arange(rows), "Th": treated + 1, "Age": 18 + np.arange(rows) * 7 % 40, "Sex": np.arange(rows) // 2 % 2,
        "R1": before, "R2": before, "R3": after, "R4": after,
    })  # fmt: skip


def class_rows(schools=12, pupils=40):
    """Return made-up pupils: weak schools have many small classes, which add 8 points; an aide adds none."""
    random, parts = generator(2, "classes"), []
    for school in range(schools):
        weak = school % 2
        share = [0.5, 0.25, 0.25] if weak else [0.2, 0.4, 0.4]
        arm = random.choice(["small", "regular", "regular+aide"], pupils, p=share)
        score = 500 - 30 * weak + 8 * (arm == "small") + random.normal(0, 5, pupils)
        parts.append(pd.DataFrame({"schoolidk": float(school), "stark": arm, "mathk": score, "readk": score}))
    frame = pd.concat(parts, ignore_index=True)
    at = np.arange(len(frame))
    return frame.assign(birth="1980 Q" + pd.Series(at % 4 + 1).astype(str), gender=np.where(at % 3, "male", "female"),
                        lunchk=np.where(at % 5, "free", "non-free"), ethnicity="cauc")  # fmt: skip


@pytest.fixture(scope="module")
def knee():
    came = tried(KNEE, knee_rows())
    return Found(KNEE, came, dealt(came.patients, 1))


def test_an_effect_that_all_share_is_found_in_its_own_unit(knee):
    pain = knee.tried.effects.set_index("outcome").loc["pain"]
    truth = -0.875  # 1, but 0.5 for the quarter that begins at 2 and cannot fall below 1
    assert pain["low"] < truth < pain["high"] < -0.6
    assert pain["found"] == (KNEE.known[0].low <= pain["effect"] <= KNEE.known[0].high)
    assert knee.tried.effects.set_index("outcome").loc[SUCCESS.column, "effect"] > 0.1


def test_an_effect_that_all_share_prefers_nobody(knee):
    assert not knee.tried.gate.passed
    assert (knee.tried.preferred == NONE).all()


def test_only_arms_that_the_trial_had_are_open_and_judged(knee):
    assert knee.tried.patients.may.any().to_dict() == {"usual_care": True, "hip": True, "orthotic": False,
                                                       "injection": False}  # fmt: skip
    assert set(knee.tried.differ["arm"]) == {"hip"}
    assert "orthotic" not in set(knee.tried.policies["policy"])


def test_a_trial_is_dealt_with_nobody_who_responds_and_with_planted_responders(knee):
    ways = {way.name: way for way in knee.dealt}
    assert set(ways) == {"arms", "fields", "planted"}
    for way in ways.values():
        assert way.passed <= way.times == 1
        assert way.named == 0 or way.passed
        assert np.isnan(way.right) == (way.named == 0)


def test_the_page_says_what_stands_for_what_and_that_it_is_no_trial_of_runners_knee(knee):
    text = "\n".join(trial_lines([knee]))
    assert "say nothing of runner's knee" in text
    for column, meaning in KNEE.columns.items():
        assert f"| {column} | {meaning} |" in text
    assert "| arm | therapy | Hip strengthening |" in text
    assert "a preference is named for nobody" in text
    assert "Where nobody responds it was passed 0 of 2 times" in text


def test_the_page_says_what_choosing_by_prediction_leads_the_best_arm_by():
    policies = pd.DataFrame({"policy": ["best_predicted", "usual_care", "hip", "as_treated"],
                             "value": [0.70, 0.40, 0.66, 0.90], "lead": [0, 0.30, 0.04, -0.2],
                             "lead_low": [0, 0.2, -0.01, -0.3], "lead_high": [0, 0.4, 0.09, -0.1]})  # fmt: skip
    said = _worth(policies, dict(KNEE.arms))
    assert said.endswith("success to 70%, therapy for everybody to 66%: a lead of +0.040 (-0.010 to +0.090).")
    policies.loc[2, ["lead", "lead_low", "lead_high"]] = 0
    assert _worth(policies, dict(KNEE.arms)) == "The best prediction is therapy for everybody."


def test_what_is_the_same_in_every_row_is_said():
    given = dict(load_mapping(RECOVERY.mapping).constants)
    assert given == {"sex": "female"}


def test_the_picture_shows_every_known_effect_beside_ours(knee):
    axes = picture([knee]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["therapy\npain at day 10",
                                                                      "therapy\nshare with success"]  # fmt: skip
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["Known",
                                                                           "Ours (95 %)"]  # fmt: skip


def test_effects_are_those_within_schools_where_schools_randomised():
    patients = read_trial(CLASSES, class_rows())
    found = average_effects(patients, "percentile").set_index("arm")
    means = class_frame(class_rows()).groupby(["schoolidk", ARM])["percentile"].mean().unstack()
    assert found.loc["hip", "effect"] == pytest.approx((means["hip"] - means["usual_care"]).mean(), abs=2)
    assert found.loc["hip", "low"] > 0
    assert found.loc["hip", "naive"] < found.loc["hip", "effect"] - 3  # small classes stand in weak schools
    assert found.loc["orthotic", "low"] < 0 < found.loc["orthotic", "high"]


def test_dealing_leaves_every_school_its_own_shares_of_arms():
    from benchmarks.trial_nulls import _other_arms

    patients = read_trial(CLASSES, class_rows())
    new, _ = _other_arms(patients, "arms/0")
    assert not new.arm.equals(patients.arm)
    pd.testing.assert_frame_equal(pd.crosstab(new.club, new.arm), pd.crosstab(patients.club, patients.arm))


def test_a_pupil_ranks_among_regular_classes_and_succeeds_above_the_schools_own_median():
    raw = class_rows()
    found = class_frame(raw)
    regular = found["stark"] != "small"
    assert found.loc[regular, "percentile"].mean() == pytest.approx(50)
    assert found["percentile"].between(0, 100).all()
    assert (found.groupby("schoolidk")[SUCCESS.column].mean() <= 0.5).all()
    raw.loc[::2, "mathk"] = np.nan
    assert class_frame(raw)["percentile"].notna().all()
    assert class_frame(raw.assign(mathk=np.nan, readk=np.nan)).empty


def test_women_without_an_outcome_and_smokers_without_a_second_weight_are_left_out():
    women = pd.DataFrame({"physt1": [40.0, 40, 50], "physt3": [46.0, 44, np.nan], "cesdt1": [9, 9, 9],
                          "cesdt3": [5.0, 10, np.nan], "cond": [1, 2, 3]})  # fmt: skip
    found = recovery_frame(women)
    assert found[ARM].tolist() == ["hip", "orthotic"]
    assert found["function"].tolist() == [6, 4]
    assert found["mood"].tolist() == [4, -1]
    assert found[SUCCESS.column].tolist() == [1, 0]
    smokers = smoking_frame(pd.DataFrame({"qsmk": [0, 1, 1], "wt82_71": [7.0, 4.9, np.nan]}))
    assert smokers[ARM].tolist() == ["usual_care", "hip"]
    assert smokers[SUCCESS.column].tolist() == [0, 1]


def test_a_map_says_nothing_of_a_column_that_the_page_does_not_explain(subtests):
    for trial in TRIALS:
        with subtests.test(trial=trial):
            mapped = {column.source for column in load_mapping(trial.mapping).columns if column.field != "runner_id"}
            assert mapped == set(trial.columns)
            assert {arm for arm, _ in trial.arms} >= {"usual_care", *(each.arm for each in trial.known)}


def test_trials_that_are_not_there_are_not_tried(tmp_path):
    assert found_in(tmp_path) == []
    assert list(trial_lines([])) == []


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / KNEE.name).is_dir(), reason="the open data are not here")
@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_known_effects_are_found_in_the_open_data_and_no_responders_are_invented(trial):
    found = tried(trial, pd.read_csv(DATA / trial.name / trial.file))
    assert found.effects["found"].all()
    assert not found.gate.passed
    assert (found.preferred == NONE).all()
