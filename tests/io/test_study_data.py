"""A real cohort in: every row is accounted for, and an outcome is never guessed."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core import InputError, OutputError, result_folder
from pfps_ml.io.study_data import Columns, read_cohort
from tests.cohorts import CASE, cohort_frame, cohort_of, written


def refused(folder, frame, **columns):
    with pytest.raises(InputError) as caught:
        cohort_of(folder, frame, **columns)
    assert caught.value.exit_code == 2
    return str(caught.value) + "".join(fault.text for fault in caught.value.faults)


@pytest.mark.parametrize("levels", [(0, 1), ("no", "yes"), ("No", "YES"), ("false", "true"), ("0.0", "1.0")])
def test_outcomes_of_one_meaning_are_read_without_being_asked_for(tmp_path, levels):
    frame = cohort_frame()
    frame[CASE] = frame[CASE].map(dict(enumerate(levels)))
    assert cohort_of(tmp_path, frame).y.sum() == 30


@pytest.mark.parametrize(("levels", "event"), [((1, 2), "2"), (("healthy", "hurt"), "Hurt"), ((2, 1), "1.0")])
def test_other_levels_are_asked_for_and_then_read(tmp_path, levels, event):
    frame = cohort_frame()
    frame[CASE] = frame[CASE].map(dict(enumerate(levels)))
    assert "--event" in refused(tmp_path, frame)
    assert cohort_of(tmp_path, frame, event=event).y.sum() == 30


@pytest.mark.parametrize("event", ["3", "yes"])
def test_an_event_that_is_no_level_is_refused(tmp_path, event):
    assert "--event of another" in refused(tmp_path, cohort_frame(), event=event)


def test_three_levels_are_refused_and_free_text_is_not_repeated(tmp_path):
    frame = cohort_frame()
    frame[CASE] = ["fell on the stairs near the lake", "no", "yes"] * 100
    message = refused(tmp_path, frame)
    assert "lake" not in message
    assert "3 levels" in message


def test_a_level_that_few_rows_have_is_counted_and_not_repeated(tmp_path):
    frame = cohort_frame()
    frame[CASE] = ["M Maier", *["no"] * 199, *["yes"] * 100]
    message = refused(tmp_path, frame)
    assert "maier" not in message.lower()
    assert "got 3 levels" in message


def test_a_second_column_of_other_levels_is_not_asked_for_an_event(tmp_path):
    message = refused(tmp_path, cohort_frame(), second="sex")
    assert "--event" not in message
    assert "leave it out" in message


def test_arms_are_not_told_of_a_file_without_them(tmp_path):
    assert "add --arm NAME" in refused(tmp_path, cohort_frame(), arm_levels=(("1", "hip"),))


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_only_is_refused_with_its_counts(tmp_path, value):
    assert "cases and non-cases" in refused(tmp_path, cohort_frame().assign(**{CASE: value}))


def test_a_blank_outcome_column_is_refused(tmp_path):
    assert "0 and 0" in refused(tmp_path, cohort_frame().assign(**{CASE: ""}))


def test_a_column_that_is_not_there_is_named(tmp_path):
    message = refused(tmp_path, cohort_frame(), outcome="injured", period="wave")
    assert "'injured'" in message
    assert "'wave'" in message


def test_every_row_is_accounted_for_once(tmp_path):
    frame = cohort_frame().assign(current_knee_pain="no", follow_up_months=12.0).astype({"age_years": object})
    frame.loc[0, "age_years"] = 255
    frame.loc[[0, 1, 2], "current_knee_pain"] = "yes"
    frame[CASE] = frame[CASE].astype(object)
    frame.loc[[2, 3], CASE] = ""
    lost = frame.index[(frame[CASE] == 0) & (frame.index > 10)][:4]
    frame.loc[lost[:3], "follow_up_months"] = 11
    frame.loc[lost[3], "follow_up_months"] = np.nan
    cohort = cohort_of(tmp_path, frame)
    counts = [count for _, count in cohort.account()]
    assert counts[:5] == [300, 1, 2, 1, 4]
    assert counts[5] == 300 - sum(counts[1:5]) == cohort.used.sum()


def test_a_case_counts_however_short_the_follow_up(tmp_path):
    frame = cohort_frame()
    frame["months"] = np.where(frame[CASE] == 1, 2, 12)
    assert not cohort_of(tmp_path, frame, follow_up="months").too_short.any()


@pytest.mark.parametrize("cell", ["a year", "-1", "inf"])
def test_follow_up_that_is_no_length_is_refused(tmp_path, cell):
    frame = cohort_frame().assign(months=12).astype({"months": object})
    frame.loc[5, "months"] = cell
    assert "1 other cells" in refused(tmp_path, frame, follow_up="months")


def test_days_are_read_as_iso_and_nothing_else(tmp_path):
    frame = cohort_frame().assign(seen="2025-03-01", hurt="2025-09-01 10:30")
    read = cohort_of(tmp_path, frame, measured_on="seen", happened_on="hurt")
    assert (read.happened_on > read.measured_on).all()
    for other in ("3/1/2025", "20250301", "2025-03-01 or later", "2025-02-31"):
        assert "2026-03-21" in refused(tmp_path, frame.assign(seen=other), measured_on="seen")


def test_persons_periods_and_clubs_are_read_under_their_own_names(tmp_path):
    frame = cohort_frame().rename(columns={"club": "Verein"}).assign(who=[str(at // 2) for at in range(300)])
    mapping = tmp_path / "map.toml"
    mapping.write_text('[columns.club]\nfrom = "Verein"\n', encoding="utf-8")
    found = read_cohort(written(tmp_path, frame), Columns(person="who", period="season"), mapping)
    assert len(set(found.club)) == 6
    assert len(set(found.person)) == 150
    assert set(found.period) == {"2020", "2021", "2022"}


def test_a_file_without_clubs_has_none_and_a_parquet_file_reads_the_same(tmp_path):
    frame = cohort_frame()
    parquet, csv = cohort_of(tmp_path, frame, "cohort.parquet"), cohort_of(tmp_path, frame)
    pd.testing.assert_frame_equal(parquet.values, csv.values)
    assert parquet.digest != csv.digest
    assert set(cohort_of(tmp_path, frame.drop(columns="club")).club) == {None}


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="expected a folder"), result_folder(tmp_path / "taken"):
        pytest.fail("the work began")


def test_the_folder_of_a_bundle_takes_no_results(tmp_path):
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match="that of a bundle"), result_folder(tmp_path):
        pytest.fail("the work began")


def test_a_folder_for_results_is_gone_if_the_work_fails(tmp_path):
    with pytest.raises(OutputError), result_folder(tmp_path / "new" / "newer"):
        raise OutputError("a full disk")
    assert not (tmp_path / "new").exists()
