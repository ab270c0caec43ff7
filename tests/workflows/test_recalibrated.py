"""The bundle that a recalibration writes: it loads, says what it is, and leaves what was there alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.cli.main import main
from pfps_ml.core.errors import CohortError, OutputError
from pfps_ml.domain.input_validation import complete
from pfps_ml.model.bundle import load_bundle
from pfps_ml.training.posterior_update import updated_reference
from pfps_ml.workflows.recalibrate import recalibrate, write_recalibrated
from pfps_ml.workflows.train_on_cohort import train_on_cohort
from tests.cohorts import cohort_frame, written
from tests.workflows.drawn import outcomes, with_outcomes


@pytest.fixture(scope="module")
def shifted(bundle, cohort, whole):
    return with_outcomes(cohort, outcomes(whole.margin, "whole", 0.8))


def test_the_new_bundle_loads_says_what_was_updated_and_leaves_the_old_one_and_current_alone(
    bundle, shifted, models_home, tmp_path
):
    before = (models_home / "CURRENT").read_text(), (bundle.path / "manifest.json").read_bytes()
    found = recalibrate(bundle, shifted, by="Clinic *A* | <b>B</b>")
    write_recalibrated(found, bundle, tmp_path / "pfps-local")
    new = load_bundle(tmp_path / "pfps-local")
    assert new.card.startswith("# pfps-local\n")
    assert "## Updated on a cohort" in new.card
    assert new.card.index("stands unchanged at the end") < new.card.index("## ")
    assert new.card.endswith(f"\n\n{bundle.card}"), "the card of the bundle before stands whole and unchanged"
    assert "below 0 turns it round" in new.card
    assert "| the scale of each group of fields | no change | p < 0.001 |" in new.card
    assert "Clinic \\*A\\* \\| \\<b\\>B\\</b\\>" in new.card
    assert f"{found.facts['cases']:,} cases" in new.card
    assert new.manifest["updates"][0]["from"] == bundle.name
    assert new.manifest["metrics"] == {}
    assert new.notice == (
        f"Trained on simulated data, updated on {len(shifted.y):,} runners of a cohort. Not a medical device. "
        "Validate locally before any use."
    )
    assert new.card.startswith(f"# pfps-local\n\n**{new.notice}**\n")
    own = [each for each in new.manifest["limits"] if not each.startswith("Before the update: ")]
    assert own[0].startswith(f"Updated on {len(shifted.y):,} runners") and len(own) == 2
    assert f"Before the update: {bundle.manifest['limits'][0]}" in new.manifest["limits"]
    assert before == ((models_home / "CURRENT").read_text(), (bundle.path / "manifest.json").read_bytes())
    ratio = shifted.y.mean() / new.predictor.predict(complete(shifted.values)).risk.value.mean()
    assert ratio == pytest.approx(1, abs=0.05)
    assert found.facts["observed_expected_before"] > 1.5
    assert new.reference["base_rate"] > 1.5 * bundle.reference["base_rate"]
    width = {each.name: float(np.mean(each.predictor.interval.variances(
        each.predictor.onset.margin(complete(shifted.values)))[1])) for each in (bundle, new)}  # fmt: skip
    assert width["pfps-local"] > 0


def test_an_updated_bundle_can_be_updated_again(bundle, shifted, cohort, whole, tmp_path):
    write_recalibrated(recalibrate(bundle, shifted), bundle, tmp_path / "first")
    first = load_bundle(tmp_path / "first")
    again = replace(with_outcomes(cohort, outcomes(whole.margin, "again", -0.8)), digest="another")
    write_recalibrated(recalibrate(first, again), first, tmp_path / "second")
    second = load_bundle(tmp_path / "second")
    assert [each["from"] for each in second.manifest["updates"]] == [bundle.name, "first"]
    assert f"updated on {2 * len(shifted.y):,} runners of 2 cohorts." in second.notice
    assert second.card.startswith(f"# second\n\n**{second.notice}**\n")
    titles = [line for line in second.card.splitlines() if line.startswith("# ")]
    assert titles == ["# second", "# first", f"# {bundle.name}"]
    limits = second.manifest["limits"]
    assert len(limits) == len(set(limits)) == len(bundle.manifest["limits"]) + 2
    assert not any(each.startswith("Before the update: Before") for each in limits)


def test_outcomes_count_once(bundle, shifted, tmp_path):
    write_recalibrated(recalibrate(bundle, shifted), bundle, tmp_path / "first")
    first = load_bundle(tmp_path / "first")
    for again in (recalibrate, train_on_cohort):
        with pytest.raises(CohortError, match="would count twice"):
            again(first, shifted)


def test_a_folder_that_is_there_is_never_written_over(bundle, shifted, tmp_path):
    found = recalibrate(bundle, shifted)
    with pytest.raises(OutputError, match="never changes"):
        write_recalibrated(found, bundle, tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="expected to write"):
        write_recalibrated(found, bundle, tmp_path / "file" / "pfps-local")


def test_a_card_of_another_shape_is_quoted_as_it_is(bundle, shifted, tmp_path):
    spoilt = replace(bundle, card="An old card.\n")
    write_recalibrated(recalibrate(bundle, shifted), spoilt, tmp_path / "pfps-local")
    card = load_bundle(tmp_path / "pfps-local").card
    assert card.startswith("# pfps-local\n") and card.endswith("\n\nAn old card.\n")


def test_a_cohort_that_fails_a_check_moves_nothing(bundle, shifted):
    days = np.full(len(shifted.y), np.datetime64("2025-03-01"))
    with pytest.raises(CohortError, match="C01"):
        recalibrate(bundle, replace(shifted, measured_on=days, happened_on=days))


def test_one_class_that_is_left_after_rows_are_set_aside_is_refused(bundle, shifted):
    only = np.where(shifted.y == 1, np.nan, 0.0)
    with pytest.raises(CohortError, match="0 and"):
        recalibrate(bundle, with_outcomes(shifted, only))


def test_the_reference_moves_with_the_mean_risk_and_stays_in_order(bundle):
    before, after = np.full(100, 0.05), np.full(100, 0.1)
    found = updated_reference(bundle.reference, before, after)
    assert found["base_rate"] > bundle.reference["base_rate"]
    assert found["bands"]["low_below"] / found["base_rate"] == pytest.approx(
        bundle.reference["bands"]["low_below"] / bundle.reference["base_rate"], abs=1e-5)  # fmt: skip
    assert found["bands"]["assumption"] == bundle.reference["bands"]["assumption"]
    assert all(new["risk"] > old["risk"]
               for new, old in zip(found["averages"], bundle.reference["averages"], strict=True))  # fmt: skip


def test_the_command_writes_a_bundle_or_says_that_nothing_was_written(bundle, shifted, frames, tmp_path, capsys):
    frame = frames.onset.drop(columns="draw").assign(pfps_onset_12m=shifted.y.astype(int))
    path, out = written(tmp_path, frame, "cohort.parquet"), tmp_path / "pfps-local"
    ran(["recalibrate", str(bundle.path), str(path), "-o", str(out), "--by", "Clinic A"])
    assert json.loads((out / "manifest.json").read_bytes())["updates"][0]["by"] == "Clinic A"
    assert "observed / expected" in capsys.readouterr().out
    few = written(tmp_path, cohort_frame(300, 6), "few.csv")
    ran(["recalibrate", str(bundle.path), str(few), "-o", str(tmp_path / "pfps-few")])
    assert "Nothing was written." in capsys.readouterr().out
    assert not (tmp_path / "pfps-few").exists()


def ran(arguments):
    try:
        main(arguments)
    except SystemExit as done:
        assert not done.code
