"""Training on patients: prognosis and effects move with outcomes, and a preference has to be earned on them again."""

from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.errors import CohortError
from pfps_ml.core.numbers import generator
from pfps_ml.core.records import Metric
from pfps_ml.domain.dictionary import ACTIVE_ARMS
from pfps_ml.domain.input_validation import complete
from pfps_ml.io.study_data import Columns, read_patients
from pfps_ml.model.additive import probability
from pfps_ml.training.update_basis import PathwayDecomposition, scaled
from pfps_ml.workflows.recalibrate import facts_of_update, recalibrate, write_recalibrated
from pfps_ml.workflows.train_on_cohort import (
    Treated,
    gate_of,
    lines_of_patients,
    success_under,
    train_on_patients,
    trained_pathways,
    treated_of,
)
from tests.cohorts import patients_frame, written


@pytest.fixture(scope="module")
def cohort(frames, tmp_path_factory):
    """Return the patients of the small cohort, as a file is read."""
    return read_patients(
        written(tmp_path_factory.mktemp("patients"), frames.treatment.drop(columns="draw"), "all.parquet")
    )


@pytest.fixture(scope="module")
def patients(cohort):
    rows = len(cohort.y)
    every, given = np.arange(rows), np.asarray(cohort.arm).astype(object)
    return Treated(complete(cohort.values), given, cohort.y, every % 5, every, np.full(rows, None, dtype=object))


def drawn(sight, given, name, prognosis=0.0, **effects):
    """Draw success from the bundle's own chances, moved by something for everybody and for those of an arm."""
    moved = sight.margin(given)[:, 0] + prognosis + sum((given == arm) * size for arm, size in effects.items())
    return (generator(11, name).random(len(given)) < probability(moved)).astype(float)


def with_success(patients, y):
    return replace(patients, y=y)


def effects(predictor, patients):
    success = success_under(predictor, patients.values)
    return {name: float((success[name] - success["usual_care"]).mean()) for name in ACTIVE_ARMS}


def test_the_few_coefficients_are_how_the_log_odds_move(bundle, patients):
    sight = PathwayDecomposition.of(bundle.predictor, patients.values)
    centres, at = sight.centres, np.array([0.3, 0.2, 0.5, -0.4, 0.0, 0.1, -0.2, 0.3])
    moved = sight.margin(patients.given)[:, 0] + sight.coef_columns(patients.given, centres) @ at
    ones = np.ones(len(bundle.predictor.prognosis.intercept))
    usual = scaled(bundle.predictor.prognosis, 0.3 * ones, 0.2 * ones, centres[0]).margin(patients.values)[:, 0]
    for place, name in enumerate(ACTIVE_ARMS):
        own = scaled(
            bundle.predictor.modifiers[name], at[2 + 2 * place] * ones, at[3 + 2 * place] * ones, centres[1 + place]
        )
        had = patients.given == name
        np.testing.assert_allclose((usual + own.margin(patients.values)[:, 0])[had], moved[had], atol=1e-9)
    assert np.abs(sight.coef_offsets(centres)[0]).max() < 1e-9


def test_an_effect_that_is_larger_here_is_found_and_the_others_stay_near_where_they_were(bundle, patients):
    sight = PathwayDecomposition.of(bundle.predictor, patients.values)
    y = drawn(sight, patients.given, "larger", hip=1.0)
    before, after = (
        effects(bundle.predictor, patients),
        effects(trained_pathways(bundle, with_success(patients, y)), patients),
    )
    usual, hip = sight.usual[:, 0], sight.usual[:, 0] + sight.added["hip"][:, 0]
    true = float((probability(hip + 1.0) - probability(usual)).mean())
    assert abs(after["hip"] - true) < abs(before["hip"] - true) / 2
    assert abs(after["orthotic"] - before["orthotic"]) < 0.1


def test_clinics_that_do_better_whatever_they_give_lend_nothing_to_the_arm_that_they_give(bundle, patients):
    clinic = np.arange(len(patients.y)) % 8
    lean = np.linspace(-1.5, 1.5, 8)[clinic]
    hip = generator(11, "leaning clinics").random(len(lean)) < probability(lean)
    given = np.where(hip, "hip", "usual_care").astype(object)
    y = drawn(PathwayDecomposition.of(bundle.predictor, patients.values), given, "clinics", prognosis=0.5 * lean)
    before = effects(bundle.predictor, patients)["hip"]
    moved = {told: effects(trained_pathways(bundle, replace(patients, given=given, y=y, club=club)), patients)["hip"]
             for told, club in (("told", clinic.astype(object)), ("untold", patients.club))}  # fmt: skip
    assert abs(moved["told"] - before) < 0.5 * (moved["untold"] - before)


def test_an_arm_that_nobody_had_keeps_what_was_known_of_it_whatever_the_others_did(bundle, patients):
    some = patients.some(patients.given != "injection")
    # everybody who had an arm succeeds more often than the bundle says: that says nothing of the injection
    better = with_success(some, np.where(some.given == "usual_care", some.y, 1.0))
    after, before = trained_pathways(bundle, better), bundle.predictor
    assert after.modifiers["injection"] is before.modifiers["injection"]
    assert effects(after, patients)["hip"] > effects(before, patients)["hip"] + 0.1
    assert gate_of(bundle, some).comparisons[0].difference != 0


def test_what_stays_as_it_was_is_said_in_the_terminal_and_on_the_card(bundle, frames, tmp_path):
    own = frames.treatment.drop(columns="draw").query("arm != 'injection'")
    found = train_on_patients(bundle, read_patients(written(tmp_path, own, "without.parquet")), checks=[])
    assert found.facts["unchanged"] == ["injection"]
    assert "nobody had it" in dict(lines_of_patients(found))["unchanged"]
    write_recalibrated(found, bundle, tmp_path / "pfps-without")
    assert "nobody had, and so stays as it was" in (tmp_path / "pfps-without" / "card.md").read_text(encoding="utf-8")


def test_one_odds_ratio_for_all_is_one(bundle, patients):
    after = trained_pathways(bundle, patients, modified=False)
    for name in ACTIVE_ARMS:
        assert np.ptp(after.modifiers[name].member(0).margin(patients.values)) == 0


def test_outcomes_that_have_nothing_to_do_with_the_arms_earn_no_preference(bundle, patients):
    sight = PathwayDecomposition.of(bundle.predictor, patients.values)
    y = (generator(12, "nothing").random(len(patients.y)) < probability(sight.usual[:, 0])).astype(float)
    assert not gate_of(bundle, with_success(patients, y)).passed


def test_the_new_bundle_says_whom_it_was_trained_on_and_its_pathways_answer(bundle, cohort, tmp_path):
    found = train_on_patients(bundle, cohort, by="Clinic A")
    write_recalibrated(found, bundle, tmp_path / "pfps-local")
    assert found.facts["patients"] == len(cohort.y)
    assert sum(found.facts["arms"].values()) == len(cohort.y)
    assert dict(lines_of_patients(found))["patients"] == f"{len(cohort.y):,}"
    assert found.predictor.gate.passed == found.facts["gate_passed"]
    predicted = found.predictor.predict(complete(cohort.values))
    assert all(np.isfinite(each.value).all() for each in predicted.effect.values())
    told = {each.name: each.value for each in facts_of_update(found.facts) if isinstance(each, Metric)}
    assert told["update_patients"] == len(cohort.y)
    assert told["update_effect_hip_after"] == found.facts["effects_after"]["hip"]
    assert told["update_gate_passed"] == float(found.facts["gate_passed"])


def test_a_small_arm_is_not_counted_in_public(bundle, frames, tmp_path):
    own = frames.treatment.drop(columns="draw")
    kept = own[(own["arm"] != "injection") | (own.groupby("arm").cumcount() < 3)]
    found = train_on_patients(bundle, read_patients(written(tmp_path, kept, "few.parquet")), checks=[])
    assert found.facts["arms"]["injection"] is None
    write_recalibrated(found, bundle, tmp_path / "pfps-few")
    assert "fewer than 5" in (tmp_path / "pfps-few" / "card.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_clinics_that_are_few_or_not_named_do_not_make_the_folds(bundle, tmp_path):
    frame = patients_frame(300, 150)
    told = []
    for at, each in enumerate((frame, frame.assign(club="One clinic"), frame.drop(columns="club"))):
        path = written(tmp_path, each, f"{at}.parquet")
        told.append(train_on_patients(bundle, read_patients(path), checks=[]).facts)
    assert len({each["successes"] for each in told}) == 1
    assert told[1]["effects_after"] == told[2]["effects_after"]


def test_nobody_is_in_two_folds_of_the_gate(tmp_path):
    frame = patients_frame(300, 150).assign(club="One clinic", who=[f"P-{at // 2}" for at in range(300)])
    cohort = read_patients(written(tmp_path, frame, "twice.parquet"), Columns(person="who"))
    fold = treated_of(cohort).fold.reshape(-1, 2)
    assert (fold[:, 0] == fold[:, 1]).all()
    assert set(fold[:, 0]) == {0, 1, 2, 3, 4}


def test_patients_count_once(bundle, cohort):
    update = {"cohort": cohort.digest, "patients": 1600}
    seen = replace(bundle, manifest={**bundle.manifest, "updates": [update]})
    with pytest.raises(CohortError, match="would count twice"):
        train_on_patients(seen, cohort)


def test_patients_do_not_move_the_onset_model(bundle, cohort):
    with pytest.raises(CohortError, match=r"pipelines\.train --patients"):
        recalibrate(bundle, cohort)


def test_fewer_than_ten_successes_are_refused(bundle, tmp_path):
    few = read_patients(written(tmp_path, patients_frame(300, 9), "few.parquet"))
    with pytest.raises(CohortError, match=r"at least 10 successes.*got 9 and 291 \(C06\)"):
        train_on_patients(bundle, few)
