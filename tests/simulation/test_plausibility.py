"""Published figures come back from the simulated cohort, and PLAUSIBILITY.md says which do not."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from pfps_ml.core.numbers import generator
from pfps_ml.domain.scenario import PARTS as POPULATIONS, ledger, load_scenario
from pfps_ml.simulation import study_figures
from pfps_ml.simulation.cohort import solved_parameters
from pfps_ml.simulation.plausibility import COHORT, PUBLISHED_PARTS, Finding, Kin, check
from pfps_ml.simulation.study_figures import Sample
from pfps_ml.simulation.targets_runners import added_up
from pfps_ml.workflows import world_reports as pipeline
from pfps_ml.workflows.world_reports import PAGE, TABLE, plausibility_page, plausibility_table

HOUSE = Path(__file__).parents[2]
ROWS = [row for rows in PUBLISHED_PARTS.values() for row in rows()]
# what does not come back because published figures contradict each other, or stand for people of another scenario
CONFLICTS = {
    "AUROC of weekly change alone, against a ratio of loads in team sports",
    "squat angle, women with pain and valgus, SD",
    "age where care has failed and tissue is tight, adults, mean",
    "AKPS where care has failed, mean",
    "step rate, against collegiate runners, SD",
    "two-year onset, women, %",
    "ten weeks, women who are novices, %",
    "three months, adolescents, %",
    "new cases per 1000 km, novices",
    "step rate, against collegiate runners, mean",
    "Foot Posture Index, against the norms, mean",
    "below 30 km a week to 30 to 60, relative risk",
    "BMI where care has failed, adults, mean",
    "success, orthoses, 3 of 4 predictors, %",
    "hip exercise less usual care, weak hips, points",
    "new cases, days to recovery, any injury",
    "new cases, recovered at 24 weeks, any injury, %",
    "recovered at 6 months, one knee, exercise, %",
    "pain, hip exercise first, mean, 0 to 10",
    "persistent symptoms at a year, AUROC of what is known at the visit",
    "same place injured again over months, %",
    "still unable to run at 10 weeks, novices, any injury, %",
}
# what does not come back because of a choice in the scenario or a mechanism
CHOICES = {
    "age at 22 % women, mean",
    "age at 77 % women, mean",
    "BMI, mean",
    "BMI, SD",
    "earlier episode, men, %",
    "Foot Posture Index, highly supinated, %",
    "Foot Posture Index, highly pronated, %",
    "age where care has failed, adults, SD",
    "age where care has failed and tissue is tight, adults, SD",
    "BMI where care has failed, adults, SD",
    "body mass, SD",
    "success, orthoses, mobile feet, %",
    "exercise to usual care at a year, odds ratio",
    "exercise to free activity at a year, odds ratio",
    "worst pain at a year per pain site, 0 to 10",
    "relapse, at least 6 exercise visits to fewer, odds ratio",
}
NOT_MET = CONFLICTS | CHOICES


@pytest.fixture(scope="module")
def findings():
    return check()


@pytest.fixture(scope="module")
def runners():
    return Sample(replace(COHORT, runners=100_000)).runners


def cited_by(scenario):
    return {row for part in POPULATIONS for p in getattr(load_scenario(scenario), part).values() for row in p.rows}


@pytest.mark.slow
def test_every_published_figure_comes_back_but_those_that_are_named(findings):
    assert {each.row.what for each in findings if not each.inside} == NOT_MET


@pytest.mark.slow
def test_a_reason_stands_at_what_does_not_come_back_and_nowhere_else(findings):
    assert {each.row.what for each in findings if each.row.why} == NOT_MET


@pytest.mark.slow
def test_at_least_forty_figures_are_compared_and_twenty_of_them_are_independent_and_held_out(findings):
    assert len(findings) >= 40
    assert sum(each.use == "held out" for each in findings) >= 20


@pytest.mark.slow
def test_more_independent_held_out_figures_come_back_than_do_not(findings):
    independent = [each.inside for each in findings if each.use == "held out"]
    assert sum(independent) > len(independent) / 2


@pytest.mark.slow
def test_a_figure_that_a_parameter_set_from_its_own_study_carries_is_not_independent(findings):
    use = {each.row.what: each.use for each in findings}
    assert use["success, hip exercise, other feet, %"] == "same study"  # success of both arms was set from that trial
    assert use["hip abduction, women, SD"] == "same study"  # so was the SD of a single score, from their regression
    assert use["pain on squatting, specificity that LR+ and LR- imply, %"] == "same study"
    assert use["AUROC of baseline fields without training load"] == "same study"  # derived from rows that set effects
    assert use["success, exercise, 12 to 16 years, %"] == "held out"  # that study set nothing
    assert use["success, orthoses, another arm, %"] == "held out"  # that study set how long patients have been in pain
    assert {each.use for each in findings if not each.row.held_out} == {"set"}


@pytest.mark.slow
def test_a_figure_is_tied_by_the_parameters_that_cite_its_study_and_by_no_others(findings):
    tied = {each.row.what: each.kin for each in findings if each.kin}
    assert tied["success, exercise, 12 to 16 years, %"] == Kin(frozenset(), 0.0)
    assert tied["novice, men, hazard ratio"].parameters == {"runners.onset_novice"}
    assert tied["novice, men, hazard ratio"].shift > 0.3
    assert "patients.success_hip" in tied["success, orthoses, other feet, %"].parameters
    assert Kin(frozenset(), float("nan")).tied


@pytest.mark.slow
def test_the_contrasts_that_the_design_demands_come_back(findings):
    found = {(each.row.what, each.row.scenario): each.simulated for each in findings}
    assert abs(found["hip abduction, adults, both sexes together, SMD", "reference"]) < 0.25
    assert found["hip abduction, women to 35, SMD", "reference"] < -0.6
    assert 0.55 <= found["AUROC of baseline fields without training load", "pooled"] <= 0.71


@pytest.mark.slow
def test_odds_ratios_added_up_as_if_independent_promise_more_than_they_give_together(findings):
    together = next(each.simulated for each in findings if each.row.scenario == "pooled" and "AUROC" in each.row.what)
    assert added_up() == pytest.approx(0.73, abs=0.005)
    assert together < added_up() - 0.01


def test_every_row_is_in_the_ledger_and_no_figure_stands_twice():
    assert {row for each in ROWS for row in each.rows} <= set(ledger())
    assert len({(each.what, each.scenario) for each in ROWS}) == len(ROWS)


def test_set_figures_are_those_that_parameters_cite_and_held_out_ones_say_why_a_parameter_cites_their_row():
    cited = {scenario: cited_by(scenario) for scenario in {row.scenario for row in ROWS}}
    faults = []
    for row in ROWS:
        by_a_parameter = bool(set(row.rows) & cited[row.scenario])
        if row.held_out and by_a_parameter and not row.note:
            faults.append(f"{row.what}: a parameter cites a row of it: say for what")
        if not (by_a_parameter or row.held_out):
            faults.append(f"{row.what}: no parameter cites this figure: it is held out")
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_the_committed_page_is_what_would_be_written_now(findings):
    assert (HOUSE / PAGE).read_text(encoding="utf-8") == plausibility_page(findings), (
        "run pfps_ml.workflows.world_reports"
    )
    tracked = (HOUSE / TABLE).read_text(encoding="utf-8")
    assert tracked == plausibility_table(findings).to_csv(index=False, lineterminator="\n"), (
        "run pfps_ml.workflows.world_reports"
    )


@pytest.mark.slow
def test_the_page_marks_what_is_not_met_and_gives_the_reason(findings):
    page = plausibility_page(findings)
    assert page.count("| **no** |") == len(NOT_MET)
    for each in findings:
        assert f"| {each.row.what}" in page
        assert not each.row.why or f"{each.row.why}." in page


@pytest.mark.slow
def test_the_pipeline_writes_the_page_and_shows_the_figures(findings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / TABLE.parent).mkdir()
    monkeypatch.setattr(pipeline, "check", lambda: findings)
    pipeline.write_plausibility()
    assert PAGE.read_text(encoding="utf-8") == plausibility_page(findings)
    assert len(pd.read_csv(TABLE)) == len(findings)
    assert f"{len(findings) - len(NOT_MET)} of {len(findings)} figures come back" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures_and_another_gives_nearly_the_same():
    small = replace(COHORT, runners=20_000, patients=5_000)
    first, again = (np.array([each.simulated for each in check(small)]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = np.array([each.simulated for each in check(replace(small, seed=7))])
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(first, other, rtol=0.25, atol=2)


def test_the_limits_themselves_are_inside_and_whatever_is_beyond_is_not():
    row = ROWS[0]
    at = {value: Finding("part", row, value).inside for value in (row.target.low, row.target.high)}
    assert all(at.values())
    assert not Finding("part", row, np.nextafter(row.target.high, 1e9)).inside
    assert not Finding("part", row, float("nan")).inside


def test_intervals_computed_here_are_those_that_the_ledger_computed():
    for row in ("G4-25", "G4-26"):
        again, printed = study_figures.counted(row), study_figures.interval(row)
        assert (again.low, again.high) == pytest.approx((printed.low, printed.high), abs=0.06)
    explained = study_figures.explained_by("G4-66")
    assert 0 < explained.low < 0.22 < explained.high < 1


# quoted figures that follow from what stands in their rows: rounded, subtracted, counted, or the SD of another row
DERIVED = {
    "new cases per 1000 km, novices": {25},  # 10 % of 254 injuries
    "hip abduction, men less women of one age": {0.21},  # 1.62 - 1.41
    "Foot Posture Index, against the norms, mean": {2.7},  # SD of G3-50
    "squat angle, men, mean": {5.1},  # SD of G3-25
    "hip abduction with squat angle": {0.47},  # 0.466
    "Foot Posture Index, women less men": {0.2},  # 2.5 - 2.3
    "BMI, adolescents, mean": {2.6},  # SD of G3-11
    "mobile midfoot (from 11 mm), %": {41, 192},  # 21 of 100 with orthoses and 20 of 92 with exercise
    "lateral tightness, %": {20},  # 1 in 5
    "who would ever recover within a year, %": {62},  # 0.62
    "net loss a year in the three months after a programme": {83, 68},  # the interval of C-002
    "favourable at 5 to 8 years, %": {43},  # 57 % unfavourable
    "pain on squatting, sensitivity that LR+ and LR- imply, %": {90},
    "pain on squatting, specificity that LR+ and LR- imply, %": {50},
    "hip abduction, women to 35, SMD": {0.6},  # the design's
}


def figures_in(text):
    return {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}


def test_every_figure_that_is_quoted_stands_in_its_rows_of_the_ledger_or_follows_from_them():
    faults = []
    for row in ROWS:
        cells = [asdict(ledger()[name]).items() for name in row.rows]
        known = figures_in(" ".join(value for cell in cells for name, value in cell if name not in ("doi", "id")))
        derived = figures_in(row.target.published) - known
        if derived != DERIVED.get(row.what, set()):
            faults.append(f"{row.what} ({row.scenario}): {derived} is not in its rows of the ledger")
    assert not faults, "\n".join(faults)


def test_numbers_are_read_from_estimates_as_they_are_printed():
    assert study_figures.numbers("G2-03") == [-0.09, -0.20]
    assert study_figures.numbers("G3-22") == [3.6, 8.1]
    assert study_figures.numbers("G3-19") == [2.9, 19.9, 69.7, 6.6, 1.0]
    assert study_figures.numbers("G3-20") == [4.0]


def test_a_figure_weighed_by_risk_is_what_drawn_cases_give_on_average(runners):
    drawn = (generator(1, "drawn cases").random((40, len(runners))) < runners["risk"].to_numpy()).astype(float)
    female = (runners["sex"] == 0).to_numpy()
    ratios = [y[female].mean() / y[~female].mean() for y in drawn]
    smd = [study_figures.prospective_smd(runners.assign(risk=y), "knee_extension_nm_kg") for y in drawn]
    areas = [study_figures.auroc(runners["squat_fppa_deg"], y) for y in drawn]
    assert study_figures.rate_ratio(runners, female, ~female) == pytest.approx(np.mean(ratios), rel=0.05)
    assert study_figures.prospective_smd(runners, "knee_extension_nm_kg") == pytest.approx(np.mean(smd), abs=0.01)
    assert study_figures.auroc(runners["squat_fppa_deg"], runners["risk"]) == pytest.approx(np.mean(areas), abs=0.005)


def test_risks_over_another_horizon_add_up_at_the_same_hazard(runners):
    once, twice = (study_figures.risks_over(runners, months) for months in (12, 24))
    assert once == pytest.approx(runners["risk"].to_numpy(), rel=1e-12)
    assert 1.8 * once.mean() < twice.mean() < 2 * once.mean()


@pytest.mark.slow
def test_a_spike_acts_for_its_months_whatever_the_horizon(runners):
    spiked, p = (runners["spike"] > 0).to_numpy(), solved_parameters("reference")[0]
    early, whole = (np.log1p(-study_figures.risks_over(runners, months)) for months in (p.spike_months, 12))
    later = np.log1p(-expit(runners["usual"])) * (12 - p.spike_months)  # no spike acts any more
    assert whole - early == pytest.approx(later.to_numpy(), rel=1e-9)
    assert (early[spiked] < 0.5 * whole[spiked]).all() and early[~spiked] == pytest.approx(0.5 * whole[~spiked])


def test_everybody_is_measured_and_nobody_is_missing(runners):
    assert not runners.isna().any().any()


def test_a_model_of_one_field_ranks_as_the_field_does_and_more_fields_rank_better(runners):
    alone = study_figures.model_auroc(runners, ["squat_fppa_deg"])
    assert alone == pytest.approx(study_figures.auroc(runners["squat_fppa_deg"], runners["risk"]))
    assert (
        alone
        < study_figures.model_auroc(runners, study_figures.BASELINE)
        < study_figures.auroc(runners["risk"], runners["risk"])
    )


def test_ties_count_half_in_the_area():
    assert study_figures.auroc([1, 1, 1], [0.2, 0.5, 0.9]) == pytest.approx(0.5)
    assert study_figures.auroc([1, 2], [0, 1]) == 1


def test_a_sample_mixed_as_another_study_has_its_share_of_women():
    frame = pd.DataFrame({"sex": [0, 0, 0, 1], "age_years": [30, 30, 30, 50]})
    assert study_figures.mixed_as(frame, "age_years", 0.5) == pytest.approx((40, 10))
