"""What the benchmarks print is what was measured: cells, repeats, and the words of a verdict."""

import pandas as pd
import pytest

from benchmarks.preference import World, decided, main as bench_null, show
from benchmarks.skill import CELLS, SLOW_REPEATS, Cell, cells_of, figures_of, show_onset, show_pathways, verdict
from pfps_ml.core.errors import FactError
from pfps_ml.evaluation.comparison import EXCESS, Judged
from pfps_ml.workflows.compare import Outcome

ONSET = Cell("onset", "reference", 20_000)
PATHWAYS = Cell("pathways", "reference", 1_000)


def outcomes(*values):
    """Return what each candidate reached in two worlds; the excess of the second is a little lower."""
    found = []
    for name, own in values:
        for number in range(2):
            figures = {metric: value - 0.001 * number * (metric == EXCESS) for metric, value in own.items()}
            judged = Judged(name, number, f"{number}", figures, pd.DataFrame(), 40)
            found.append(Outcome(judged, 1.0, 0.1))
    return found


@pytest.fixture
def onset_figures(monkeypatch):
    def made(ours, ridge, forest=0.02):
        rows = [(name, {EXCESS: value, "calibration_slope": 1.0, "auroc": 0.7})
                for name, value in (("ours", ours), ("ridge", ridge), ("forest", forest))]  # fmt: skip
        labels = {EXCESS: "Excess", "calibration_slope": "Slope", "auroc": "AUROC"}
        monkeypatch.setattr("benchmarks.skill.ONSET_LABELS", labels)
        return figures_of(ONSET, outcomes(*rows))

    return made


def test_the_cells_are_those_of_the_specification():
    assert len(CELLS) == 15
    assert {cell.n for cell in CELLS if cell.task == "onset"} == {1_000, 5_000, 20_000}
    assert {cell.scenario for cell in CELLS if cell.task == "pathways"} == {"kinetic_chain", "reference"}


def test_a_cell_is_asked_for_by_its_name_or_the_parts_it_begins_with():
    assert [cell.name for cell in cells_of(["onset/reference/1000"])] == ["onset/reference/1000"]
    assert len(cells_of(["onset"])) == 9
    assert len(cells_of([])) == 15
    assert [cell.n for cell in cells_of(["pathways/kinetic_chain/1000"])] == [1_000]
    with pytest.raises(FactError, match="onset/reference/1000"):
        cells_of(["ons"])


def test_slow_candidates_take_part_in_two_worlds_of_the_largest_cohorts_only():
    jobs = ONSET.jobs(["ours", "ebm"], None, None)
    assert [job.candidate for job in jobs].count("ours") == 5
    assert [job.candidate for job in jobs].count("ebm") == SLOW_REPEATS
    assert Cell("onset", "null", 1_000).repeats("ebm", None) == 10
    assert ONSET.repeats("ebm", 1) == 1
    assert len({job.cohort.seed for job in jobs}) == 5


def test_a_verdict_names_the_best_peer_and_says_who_is_lower(onset_figures):
    name, ours, best, told = verdict(ONSET, onset_figures(0.010, 0.012))
    assert (name, ours, best) == ("onset/reference/20000", "9.50", "ridge 11.50")
    assert "ours / it 0.83; within the paired interval: yes; lowest: yes; not below: none" in told
    assert "slope 1.00 (SD 0.00)" in told


def test_a_verdict_says_where_ours_falls_short(onset_figures):
    told = verdict(ONSET, onset_figures(0.012, 0.010))[-1]
    assert "ours / it 1.21; within the paired interval: NO; lowest: NO; not below: ridge" in told


def test_tables_have_a_line_for_every_candidate(onset_figures, capsys, monkeypatch):
    show_onset(ONSET, onset_figures(0.012, 0.010))
    monkeypatch.setattr("benchmarks.skill.PATHWAY_LABELS", {"policy_share": "Share", "pehe": "PEHE"})
    rows = [("ours", {"policy_share": 0.8, "pehe": 0.1}), ("one_effect", {"policy_share": 0.7, "pehe": 0.05})]
    found = figures_of(PATHWAYS, outcomes(*rows))
    show_pathways(PATHWAYS, found)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("ridge", "forest", "ours", "one_effe"))
    _, ours, best, told = verdict(PATHWAYS, found)
    assert (ours, best) == ("0.800", "one_effect 0.700")
    assert told == "above every peer: yes; lowest PEHE: NO (next one_effect); not below one effect for all: yes"


def test_the_null_table_counts_preferences_over_worlds_and_the_other_judges_them_by_overlap(capsys):
    parts = ("All patients", "Least overlap", "Middle third of overlap", "Most overlap")
    rows = [{"patients": part, "scenario": scenario, "seed": seed, "gate": seed == 1, "kept": 0.5, "named": 0.02 * seed,
             "best_kept": 0.9, "right": 0.95}
            for scenario in ("null", "kinetic_chain") for seed in (0, 1) for part in parts]  # fmt: skip
    show(pd.DataFrame(rows))
    shown = " ".join(capsys.readouterr().out.split())
    assert "50%" in shown
    assert "1.0%" in shown
    assert "Least" in shown


def test_where_no_preference_is_named_none_is_judged_and_of_one_world_there_is_no_interval(capsys):
    row = {"patients": "All patients", "scenario": "kinetic_chain", "seed": 0, "gate": False, "kept": 1.0,
           "named": 0.0, "best_kept": 1.0, "right": float("nan")}  # fmt: skip
    show(pd.DataFrame([row]))
    shown = capsys.readouterr().out
    assert "none" in shown
    assert "nan" not in shown


def test_a_null_that_is_none_is_refused_before_any_work():
    with pytest.raises(FactError, match=r"among null, null_large, kinetic_chain, got reference; set --only"):
        bench_null(["reference"])


@pytest.mark.slow
def test_what_is_decided_is_what_the_product_would_say():
    found = decided(World("null", 3))
    assert found["patients"].iloc[0] == "All patients"
    assert found["gate"].nunique() == 1
    assert found["gate"].iloc[0] or (found["named"] == 0).all()
