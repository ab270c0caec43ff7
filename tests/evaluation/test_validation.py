"""External validation: right figures, honest silence where runners are few, and one report for people and programs."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.cli.main import main
from pfps_ml.core.config import Config, ValidationConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.core.numbers import generator
from pfps_ml.domain.input_validation import complete
from pfps_ml.evaluation.cohort_figures import resampled
from pfps_ml.evaluation.external_validation import validate
from pfps_ml.evaluation.metrics import measure
from pfps_ml.evaluation.validation_report import as_json, lines_of, records_of, write_validation
from pfps_ml.evaluation.verdict import Conclusion, FigureVerdict
from tests.cohorts import CASE, cohort_frame, cohort_of, written

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))


def frame_of(frames, rows=2000):
    return frames.onset.drop(columns="draw").head(rows)


@pytest.fixture(scope="module")
def found(bundle, cohort):
    return validate(bundle, cohort, QUICK)


def test_figures_are_those_of_the_evaluation_room(found, bundle, cohort):
    p = bundle.predictor.predict(complete(cohort.values)).risk.value
    expected = measure(cohort.y, p)
    table = found.tables["onset"].set_index("metric")
    assert table["value"].to_dict() == pytest.approx(expected)
    assert (table["low"] <= table["high"]).all()


def test_figures_stand_apart_by_sex_age_measurement_and_club(found):
    assert set(found.tables["cells"]["field"]) == {"sex", "age", "measured", "club"}


def test_no_figure_and_no_count_of_cases_is_reported_of_a_cell_under_five_events(found, cohort):
    cells = found.tables["cells"]
    small = cells["events"].isna()
    assert small.any() == (cells["value"].isna().groupby([cells["field"], cells["level"]]).all().any())
    assert cells.loc[small, ["value", "low", "high"]].isna().all(axis=None)
    assert (cells.loc[~small, "events"] >= 5).all()
    tenths = found.tables["calibration"]
    assert ((tenths["observed"] * tenths["n"]).round() >= 5).all()
    assert tenths["n"].sum() == cohort.used.sum()


def test_the_report_of_a_cohort_without_subgroups_has_a_section_less(found, tmp_path):
    fewer = replace(found, pictures={name: each for name, each in found.pictures.items() if name != "subgroups"})
    page, _ = write_validation(fewer, tmp_path)
    assert "Only those with enough cases" not in page.read_text(encoding="utf-8")


def test_too_few_cases_for_any_figure_are_refused_and_nothing_is_written(bundle, tmp_path, capsys):
    with pytest.raises(CohortError, match="got 4 and 296"):
        validate(bundle, cohort_of(tmp_path, cohort_frame(300, 4)), QUICK)
    path, out = written(tmp_path, cohort_frame(300, 4)), tmp_path / "report"
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", str(bundle.path), str(path), "-o", str(out)])
    assert caught.value.code == 2
    assert not out.exists()
    assert "Traceback" not in capsys.readouterr().err


def test_without_five_clubs_intervals_are_over_runners_and_say_so(bundle, tmp_path):
    frame = cohort_frame(300, 60)
    for spoilt in (frame.drop(columns="club"), frame.assign(club="One")):
        own = validate(bundle, cohort_of(tmp_path, spoilt), QUICK)
        assert "nothing is said of other clubs" in own.subject["intervals"]
        assert "club" not in set(own.tables["cells"]["field"])
        assert own.tables["onset"]["low"].notna().all()


def test_a_calibration_table_falls_to_one_part_rather_than_show_a_small_cell(bundle, tmp_path):
    own = validate(bundle, cohort_of(tmp_path, cohort_frame(300, 6)), QUICK)
    assert len(own.tables["calibration"]) == 1
    cells = own.tables["cells"]
    small = cells["events"].isna()
    assert small.any()
    assert cells.loc[small, ["value", "low", "high"]].isna().all(axis=None)
    assert (cells.loc[~small, "events"] >= 5).all()


def test_where_no_cell_has_enough_cases_there_is_no_picture_of_subgroups(bundle, tmp_path):
    frame = cohort_frame(300, 60).drop(columns=["club", "knee_extension_nm_kg"])
    few = frame[frame[CASE] == 1].head(5).assign(sex=["female", "male", "female", "male", "male"])
    few = few.assign(age_years=[20, 40, 20, 40, 20], step_rate_spm=[160, np.nan, 160, np.nan, 160])
    own = validate(bundle, cohort_of(tmp_path, pd.concat([few, frame[frame[CASE] == 0]])), QUICK)
    assert "subgroups" not in own.pictures


def test_small_cohorts_get_no_verdict_but_the_number_that_one_needs(found):
    assert found.verdict.conclusion == Conclusion.NONE
    most = found.tables["size"]["needed"].max()
    assert f"{most:,.0f} runners" in found.verdict.text
    assert FigureVerdict.FEW_RUNNERS in set(found.tables["verdict"]["verdict_code"])


def wide(width=50.0, area=0.9):
    sizes = ValidationConfig(
        width_observed_expected=width, width_slope=width, width_auroc=area, width_net_benefit=width
    )
    return replace(QUICK, validation=sizes)


def outcomes_of(frames, bundle, shift, rows=2000):
    """Return a cohort whose outcomes follow the bundle's own risks, moved by a shift of the log-odds."""
    frame = frame_of(frames, rows).reset_index(drop=True)
    values = read_values(frame)
    margin = bundle.predictor.predict(values).log_odds + shift
    frame[CASE] = (generator(5, "outcomes").random(rows) < 1 / (1 + np.exp(-margin))).astype(int)
    return frame


def read_values(frame):
    from pfps_ml.domain.input_validation import check

    return complete(check(frame).values)


def test_a_model_that_is_right_holds_and_one_that_is_off_does_not(frames, bundle, tmp_path):
    right = validate(bundle, cohort_of(tmp_path, outcomes_of(frames, bundle, 0.0), "a.parquet"), wide())
    assert right.verdict.conclusion == Conclusion.HOLDS
    off = validate(bundle, cohort_of(tmp_path, outcomes_of(frames, bundle, 1.0), "b.parquet"), wide())
    assert off.verdict.conclusion == Conclusion.DOES_NOT_HOLD
    assert "interval_leaves_range_out" in set(off.tables["verdict"]["verdict_code"])
    assert "observed / expected" in off.verdict.text
    assert off.tables["onset"].set_index("metric").loc["observed_expected", "value"] > 1.8


def test_a_bundle_is_not_judged_on_the_cohort_that_it_was_updated_on(bundle, cohort):
    update = {"cohort": cohort.digest, "runners": 2000}
    seen = replace(bundle, name="pfps-seen", manifest={**bundle.manifest, "updates": [update]})
    with pytest.raises(CohortError, match="the one that pfps-seen was updated on"):
        validate(seen, cohort, QUICK)


def test_clubs_that_differ_leave_too_much_open_for_a_model_to_hold(frames, bundle, tmp_path):
    frame = outcomes_of(frames, bundle, 0.0, 4000)
    # as many cases as the bundle expects, but nearly all of them in four of the twenty clubs
    cases, few = int(frame[CASE].sum()), frame["club"].isin(sorted(set(frame["club"]))[:4]).to_numpy()
    order = np.argsort(~few, kind="stable")
    ill = np.concatenate([order[: int(0.8 * cases) * 3 : 3], order[800 :: 3200 // (cases // 5)]])
    frame = frame.assign(**{CASE: np.isin(np.arange(4000), ill).astype(int)})
    own = validate(bundle, cohort_of(tmp_path, frame, "differ.parquet"), wide(0.5))
    size = own.tables["size"].set_index("metric").loc["observed_expected"]
    judged = own.tables["verdict"].set_index("metric").loc["observed_expected"]
    assert judged["low"] < 1 < judged["high"]
    assert size["published"] < size["here"] < size["needed"] and not size["enough"]
    assert judged["verdict_code"] == FigureVerdict.FEW_RUNNERS


def test_where_many_fall_ill_net_benefit_is_that_of_the_threshold_it_names(bundle, tmp_path):
    own = validate(bundle, cohort_of(tmp_path, cohort_frame(900, 400)), wide())
    judged = own.tables["verdict"].set_index("metric").loc["net_benefit"]
    last = own.tables["decision"].iloc[-1]
    assert last["threshold"] == 0.2 and "20" in judged["label"]
    assert judged["value"] == last["gain"]


def test_a_row_that_says_not_whose_it_is_is_a_person_of_its_own(bundle, tmp_path):
    frame = cohort_frame(300, 60).drop(columns="club").assign(who=["P-1", "P-1"] + [None] * 298)
    groups, _ = resampled(cohort_of(tmp_path, frame, person="who"), 5)
    assert groups[0] == groups[1]
    assert len(set(groups)) == 299


def test_a_number_that_nobody_can_tell_is_told_in_words(bundle, tmp_path):
    terms = tuple(replace(term, values=0 * term.values) for term in bundle.predictor.onset.terms)
    alike = replace(bundle.predictor, onset=replace(bundle.predictor.onset, terms=terms))
    own = validate(replace(bundle, predictor=alike), cohort_of(tmp_path, cohort_frame(300, 60)), QUICK)
    assert "more runners than can be told from here" in own.verdict.text


def test_outcomes_of_the_same_day_give_no_validation_of_onset(bundle, tmp_path):
    frame = cohort_frame(300, 60).assign(seen="2025-03-01", hurt="2025-03-01")
    own = validate(bundle, cohort_of(tmp_path, frame, measured_on="seen", happened_on="hurt"), wide())
    assert own.verdict.conclusion == Conclusion.NONE
    assert own.verdict.text.startswith("No validation of onset within 12 months follows")


def test_a_cohort_that_fails_another_check_gets_no_verdict(bundle, tmp_path):
    frame = cohort_frame(300, 60).assign(who=[str(at // 2) for at in range(300)])
    own = validate(bundle, cohort_of(tmp_path, frame, person="who"), wide())
    assert own.verdict.text.startswith("No verdict: the cohort fails C03")


def test_the_report_is_one_file_that_loads_nothing_and_one_that_a_program_reads(found, tmp_path):
    page, data = write_validation(found, tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert found.verdict.text in text.replace("&#x27;", "'")
    assert "http://" not in text
    assert "https://" not in text
    content = json.loads(data.read_text(encoding="utf-8"))
    assert content["format"] == "pfps-validation/2"
    assert content["verdict"]["conclusion"] == "none"
    (message,) = content["verdict"]["messages"]
    assert message["code"] == "no_verdict_too_few_runners" and message["text"] == content["verdict"]["text"]
    assert message["parameters"]["here"] == content["subject"]["evaluated"]
    assert {"onset", "cells", "drift", "case_mix", "size", "checks", "account", "decision"} <= set(content["tables"])
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.html", "report.json"}


def test_no_id_of_a_runner_is_in_any_report_or_record(found, cohort, tmp_path):
    page, _ = write_validation(found, tmp_path)
    told = page.read_text(encoding="utf-8") + as_json(found).decode() + repr(records_of(found, tmp_path))
    assert not any(person in told for person in cohort.person)


def test_records_hold_every_figure_the_verdict_and_the_checks(found, tmp_path):
    records = {getattr(each, "name", "file"): each for each in records_of(found, tmp_path)}
    assert {"auroc", "observed_expected", "verdict", "C01", "bundle", "cohort"} <= set(records)
    assert records["auroc"].low < records["auroc"].value < records["auroc"].high


def test_a_terminal_shows_account_figures_open_checks_and_verdict(found):
    lines = dict(lines_of(found))
    assert lines["rows in the file"] == "2,000"
    assert {"AUROC", "Observed / expected", "C06 warn", "verdict"} <= set(lines)


def test_the_command_writes_both_files(bundle, tmp_path, capsys):
    path = written(tmp_path, cohort_frame().drop(columns="club"))
    main_quietly(["evaluate", str(bundle.path), str(path), "-o", str(tmp_path / "report")])
    assert (tmp_path / "report" / "report.json").exists()
    assert "No verdict" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("command", ["evaluate", "recalibrate"])
def test_where_runs_cannot_be_kept_nothing_is_begun(bundle, tmp_path, monkeypatch, capsys, command):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path))
    path = written(tmp_path, cohort_frame())
    with pytest.raises(SystemExit) as stopped:
        main([command, str(bundle.path), str(path), "-o", str(tmp_path / "out"), "--mlflow"])
    assert stopped.value.code == 2
    assert "no longer writes to" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_logs_when_asked(frames, bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    path = written(tmp_path, frame_of(frames, 1000))
    main_quietly(["evaluate", str(bundle.path), str(path), "-o", str(tmp_path / "report"), "--mlflow"])
    assert (tmp_path / "report" / "report.json").exists()
    assert "No verdict" in capsys.readouterr().out.replace("\n", " ")


def main_quietly(arguments):
    try:
        main(arguments)
    except SystemExit as done:
        assert not done.code


def test_the_audit_command_says_each_verdict_and_fails_with_the_codes(tmp_path, capsys):
    path = written(tmp_path, cohort_frame())
    main_quietly(["audit", str(path)])
    assert "C08" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["audit", str(written(tmp_path, cohort_frame(300, 8)))])
    assert caught.value.code == 2
    assert "fails C06" in capsys.readouterr().err


def test_infinite_needs_are_written_as_nothing_known(found):
    table = found.tables["size"].assign(needed=np.inf)
    content = json.loads(as_json(replace(found, tables={"size": table, "empty": pd.DataFrame()})))
    assert content["tables"]["size"][0]["needed"] is None
