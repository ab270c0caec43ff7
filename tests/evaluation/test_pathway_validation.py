"""A bundle's pathways on patients from outside: right figures, and an account of what cannot be said."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import Config, ValidationConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.evaluation.external_validation import observed_shares, validate, validate_pathways
from pfps_ml.evaluation.metrics import measure
from pfps_ml.evaluation.validation_report import as_json, lines_of, records_of, write_validation
from pfps_ml.evaluation.verdict import Conclusion, FigureVerdict
from pfps_ml.io.study_data import read_patients
from tests.cohorts import DONE, cohort_frame, cohort_of, patients_frame, written

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))


def frame_of(frames, rows=1600):
    return frames.treatment.drop(columns="draw").head(rows)


def patients_of(folder, frame):
    return read_patients(written(folder, frame, "patients.parquet"))


@pytest.fixture(scope="module")
def found(bundle, patients):
    return validate_pathways(bundle, patients, QUICK)


@pytest.fixture(scope="module")
def trial(bundle, frames, tmp_path_factory):
    """Return a trial of hip strengthening against usual care, of one clinic."""
    frame = frame_of(frames, 900).query("arm in ('hip', 'usual_care')").drop(columns="club")
    cohort = patients_of(tmp_path_factory.mktemp("trial"), frame)
    return validate_pathways(bundle, cohort, QUICK, randomised=True)


def test_success_is_judged_under_the_arm_that_each_patient_had(found, bundle, patients):
    success = bundle.predictor.predict(patients.values.reindex(columns=list(BY_NAME))).success
    p = np.array([success[arm].value[at] for at, arm in enumerate(patients.arm)])
    assert found.figures.set_index("metric")["value"].to_dict() == pytest.approx(measure(patients.y, p))
    assert {"pathway", "sex", "age", "club"} == set(found.tables["cells"]["field"])


def test_each_adjusted_effect_stands_beside_what_the_bundle_predicts(found, bundle, patients):
    table = found.tables["effects"].set_index("arm")
    assert list(table.index) == ["hip", "orthotic", "injection"]
    effect = bundle.predictor.predict(patients.values.reindex(columns=list(BY_NAME))).effect["hip"].value
    assert table.loc["hip", "predicted"] == pytest.approx(effect.mean())
    assert (table["predicted_low"] < table["predicted"]).all()
    inside = table["predicted"].between(table["low"], table["high"])
    inside |= table["effect"].between(table["predicted_low"], table["predicted_high"])
    assert table["predicted_inside"].tolist() == inside.tolist()
    assert (table["off_high"] - table["off_low"] > table["high"] - table["low"]).all()


def test_everything_asked_of_pathways_is_there_where_clinics_chose(found):
    assert {"arms", "effects", "heterogeneity", "policies", "areas", "gate", "earned", "preferences", "drift", "size",
            "overlap", "strength", "yardstick", "sensitivity", "propensities"} <= set(found.tables)  # fmt: skip
    assert {"calibration", "effects", "policies", "sensitivity", "propensities"} <= set(found.pictures)


def test_fields_of_a_visit_are_held_to_patients_and_the_others_are_told_and_not_judged(found):
    drift = found.tables["drift"].set_index("field")
    assert set(drift[drift["against"] == "patients"].index) >= {"akps", "worst_pain_mm", "bilateral"}
    assert set(drift.loc[drift["against"] == "patients", "drift"]) == {"none"}
    assert set(drift.loc[drift["against"] == "runners", "drift"]) == {"not judged"}


def test_too_few_patients_is_the_normal_verdict_and_says_how_many_it_takes(found):
    assert found.verdict.conclusion == Conclusion.NONE
    slopes = found.tables["verdict"].query("kind == 'slope'")
    assert set(slopes["verdict_code"]) == {FigureVerdict.FEW_PATIENTS}
    most = float(f"{found.tables['verdict']['needed'].max():.2g}")
    assert f"takes some {most:,.0f} patients such as these" in found.verdict.text


def test_a_trial_of_one_arm_against_usual_care_speaks_of_that_arm_only(trial):
    arms = trial.tables["arms"].set_index("pathway")["state_code"]
    assert arms["Hip strengthening"] == "arm_compared"
    assert arms["Foot orthoses"] == "arm_had_by_nobody"
    assert trial.tables["effects"].dropna(subset="effect")["arm"].tolist() == ["hip"]
    for name in ("heterogeneity", "areas"):
        assert set(trial.tables[name]["arm"]) == {"hip"}
    assert set(trial.tables["overlap"]["arm"]) == {"usual_care", "hip"}
    assert set(trial.tables["policies"]["policy"]) == {"best_predicted", "usual_care", "hip", "as_treated"}
    assert "patients: fewer than" in trial.subject["intervals"]


def test_where_chance_allocated_the_chances_are_the_shares_and_nothing_is_hidden(trial):
    assert not {"sensitivity", "strength", "yardstick"} & set(trial.tables)
    assert len(trial.tables["preferences"]) == 1
    assert trial.subject["randomised"]
    assert "chance allocated" in "".join(map(str, _texts(trial)))


def _texts(found):
    from pfps_ml.evaluation.validation_report import _sections

    return [section.text for section in _sections(found)]


def test_observed_shares_are_those_among_patients_to_whom_the_same_arms_are_open():
    X = pd.DataFrame({"failed_conventional_care": [1.0, 1.0, 0.0, 0.0, 0.0]})
    shares = observed_shares(X, np.array(["injection", "hip", "hip", "usual_care", "usual_care"], dtype=object))
    assert shares.loc[0].to_dict() == {"usual_care": 0, "hip": 0.5, "orthotic": 0, "injection": 0.5}
    assert shares.loc[4].to_dict() == pytest.approx({"usual_care": 2 / 3, "hip": 1 / 3, "orthotic": 0, "injection": 0})


def test_an_arm_with_fewer_than_five_events_shows_no_figure(bundle, frames, tmp_path):
    frame = frame_of(frames, 500)
    few = frame.query("arm == 'orthotic'").head(6)
    cohort = patients_of(tmp_path, pd.concat([frame.query("arm in ('hip', 'usual_care')"), few]))
    own = validate_pathways(bundle, cohort, QUICK)
    arms = own.tables["arms"].set_index("pathway")
    assert arms.loc["Foot orthoses", ["successes", "observed", "predicted"]].isna().all()
    assert arms.loc["Foot orthoses", "state_code"] == "arm_too_few_to_compare"
    assert own.tables["effects"].set_index("arm").loc[["orthotic", "injection"], "effect"].isna().all()
    assert "orthotic" not in set(own.tables["strength"][["better", "other"]].to_numpy().ravel())
    assert all(picture.plot().axes for picture in own.pictures.values())
    cells = own.tables["cells"].query("level == 'Foot orthoses'")
    assert cells[["events", "value"]].isna().all(axis=None)


def test_small_trials_show_neither_groups_nor_the_steps_of_targeting(bundle, tmp_path):
    own = validate_pathways(bundle, cohort_of(tmp_path, patients_frame(90, 40)), QUICK)
    assert not {"groups", "targeting"} & set(own.tables)
    assert {"areas", "effects"} <= set(own.tables)
    assert own.tables["heterogeneity"]["group_spread"].isna().all()


def test_an_arm_that_is_open_to_nobody_by_the_records_says_what_is_lacking(bundle, tmp_path):
    frame = patients_frame().assign(arm=["usual_care", "hip", "injection"] * 100)
    own = validate_pathways(bundle, cohort_of(tmp_path, frame), QUICK)
    said = own.tables["arms"].set_index("pathway").loc["Botulinum-toxin injection", "state"]
    assert "failed_conventional_care yes" in said
    assert "injection" not in set(own.tables["heterogeneity"]["arm"])


@pytest.mark.parametrize("arms", [["hip"], ["hip", "orthotic"]])
def test_without_usual_care_success_is_judged_and_effects_are_not(bundle, tmp_path, arms):
    own = validate_pathways(bundle, cohort_of(tmp_path, patients_frame().assign(arm=arms * (300 // len(arms)))), QUICK)
    assert own.verdict.conclusion == Conclusion.NONE
    assert "C07" in own.verdict.text
    assert "effects" not in own.tables
    assert own.figures["value"].notna().any()
    page, data = write_validation(own, tmp_path / "report")
    assert page.exists()
    assert data.exists()
    assert ("preference earned here", "none is given") in lines_of(own)


def test_runners_are_refused_where_patients_are_wanted_and_the_other_way_round(bundle, patients, tmp_path):
    with pytest.raises(CohortError, match="--arm NAME"):
        validate_pathways(bundle, cohort_of(tmp_path, cohort_frame()), QUICK)
    with pytest.raises(CohortError, match="got one of patients"):
        validate(bundle, patients, QUICK)


def test_pathways_are_not_judged_on_the_patients_who_moved_them(bundle, patients):
    update = {"cohort": patients.digest, "patients": 1600}
    seen = replace(bundle, name="pfps-seen", manifest={**bundle.manifest, "updates": [update]})
    with pytest.raises(CohortError, match="the one that pfps-seen was updated on"):
        validate_pathways(seen, patients, QUICK)


def test_pictures_show_what_was_predicted_and_only_the_arms_that_were_given(trial):
    shown = trial.pictures["effects"].plot().axes[0].get_legend()
    assert "Predicted" in [text.get_text() for text in shown.get_texts()]
    panels = trial.pictures["propensities"].plot().axes
    assert [axes.get_title() for axes in panels if axes.get_visible()] == ["Usual care", "Hip strengthening"]


def test_outcomes_that_follow_the_bundle_hold_and_others_do_not(bundle, frames, tmp_path):
    wide = ValidationConfig(width_observed_expected=9, width_slope=9, width_auroc=0.9, width_effect=2,
                            width_differences=1e4)  # fmt: skip
    own = replace(QUICK, validation=wide)
    frame = frame_of(frames).query("arm in ('hip', 'usual_care')")
    cohort = patients_of(tmp_path, frame)
    success = bundle.predictor.predict(cohort.values.reindex(columns=list(BY_NAME))).success
    p = np.array([success[arm].value[at] for at, arm in enumerate(cohort.arm)])
    right = replace(cohort, y=(np.linspace(0, 1, len(p)) * 7919 % 1 < p).astype(float))
    assert validate_pathways(bundle, right, own, randomised=True).verdict.conclusion == Conclusion.HOLDS
    wrong = replace(cohort, y=(np.linspace(0, 1, len(p)) * 7919 % 1 < p**3).astype(float))
    verdict = validate_pathways(bundle, wrong, own, randomised=True).verdict
    assert verdict.conclusion == Conclusion.DOES_NOT_HOLD
    assert "success: observed / expected" in verdict.text


@pytest.mark.slow
def test_both_files_hold_the_same_and_no_id_of_a_patient(found, patients, tmp_path):
    page, data = write_validation(found, tmp_path / "report")
    content, text = json.loads(data.read_text(encoding="utf-8")), page.read_text(encoding="utf-8")
    assert content["format"] == "pfps-validation-pathways/2"
    assert set(content["tables"]) == set(found.tables)
    told = text + as_json(found).decode() + repr(records_of(found, tmp_path))
    assert not any(person in told for person in patients.person)
    assert "https://" not in text


def test_records_and_lines_name_every_effect_beside_the_prediction(found, tmp_path):
    records = {getattr(each, "name", "file"): each for each in records_of(found, tmp_path)}
    assert {"success_auroc", "effect_hip", "slope_hip", "verdict", "C07"} <= set(records)
    lines = dict(lines_of(found))
    assert "predicted" in lines["effect: Botulinum-toxin injection"]
    assert lines["successes among them"] == f"{int(found.tables['account']['rows'].iloc[-1]):,}"


@pytest.mark.slow
def test_the_command_judges_patients_and_logs_when_asked(bundle, tmp_path, monkeypatch, pfps):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    path, out = written(tmp_path, patients_frame().assign(arm=[1, 2, 3] * 100)), tmp_path / "report"
    levels = [word for level in ("1=usual_care", "2=hip", "3=orthotic") for word in ("--arm-level", level)]
    code, shown, _ = pfps("evaluate", bundle.path, path, "-o", out, "--randomised", "--mlflow", *levels)
    assert code == 0
    assert "effect: Hip strengthening" in " ".join(shown.split())
    assert {each.name for each in out.iterdir()} == {"report.html", "report.json"}


def test_a_randomised_cohort_of_runners_is_refused(bundle, tmp_path, pfps):
    runners, out = written(tmp_path, cohort_frame()), tmp_path / "report"
    code, _, said = pfps("evaluate", bundle.path, runners, "-o", out, "--randomised")
    assert code == 2
    assert "--randomised" in said
    assert not out.exists()


def test_whom_an_effect_is_about_is_asked_of_patients_only(bundle, tmp_path, pfps):
    runners, out = written(tmp_path, cohort_frame()), tmp_path / "report"
    code, _, said = pfps("evaluate", bundle.path, runners, "-o", out, "--estimand", "overlap")
    assert code == 2 and "--estimand" in said and not out.exists()


def test_an_effect_that_was_asked_for_and_is_withheld_ends_with_2_and_offers_the_overlap(bundle, tmp_path, pfps):
    """Whoever is in pain gets hip work, and whoever is not gets none: hardly anybody had a choice."""
    frame = patients_frame(600, 300).assign(arm=lambda own: np.where(own["worst_pain_mm"] > 50, "hip", "usual_care"))
    frame.loc[::40, "arm"] = "usual_care"
    path = written(tmp_path, frame)
    code, shown, said = pfps("evaluate", bundle.path, path, "-o", tmp_path / "all", "--estimand", "all")
    assert code == 2
    assert "expected effects about all" in said and "--estimand overlap" in said
    assert "withheld for all" in " ".join(shown.split())
    code, shown, _ = pfps("evaluate", bundle.path, path, "-o", tmp_path / "none")
    line = " ".join(shown.split())
    assert code == 0 and "in the overlap" in line
    effects = json.loads((tmp_path / "none" / "report.json").read_text(encoding="utf-8"))["tables"]["effects"]
    assert {row["estimand"] for row in effects if row["arm"] == "hip"} == {"overlap"}


def test_the_terminal_says_the_level_and_the_raw_difference_beside_the_adjusted(found):
    line = dict(lines_of(found))["effect: Hip strengthening"]
    assert line.count("(95%: ") == 2 and "; raw " in line and "in all to whom it is open" in line


@pytest.mark.parametrize("successes", [0, 4])
def test_too_few_successes_are_refused_and_nothing_is_written(bundle, tmp_path, pfps, successes):
    path, out = written(tmp_path, patients_frame(300, successes)), tmp_path / "report"
    code, _, said = pfps("evaluate", bundle.path, path, "-o", out)
    assert code == 2
    assert f"{successes} and {300 - successes}" in said
    assert not out.exists()


def test_where_no_cell_has_enough_successes_there_is_no_picture_of_subgroups(bundle, tmp_path):
    own = validate_pathways(bundle, cohort_of(tmp_path, patients_frame(60, 6)), QUICK)
    assert "subgroups" not in own.pictures
    assert own.tables["cells"][["events", "value"]].isna().all(axis=None)


def test_fewer_than_ten_successes_fail_a_check_and_get_no_verdict(bundle, tmp_path, pfps):
    path = written(tmp_path, patients_frame(300, 8))
    own = validate_pathways(bundle, read_patients(path), QUICK)
    assert own.verdict.text.startswith("No verdict: the cohort fails C06")
    code, shown, said = pfps("audit", path)
    assert code == 2
    assert "fails C06" in said
    assert DONE not in shown
