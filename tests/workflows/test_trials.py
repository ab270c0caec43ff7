"""TRIALS.md, its picture and its table: what is tracked is what the pipeline writes."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfps_ml.domain.schemas import NOTICE
from pfps_ml.evaluation.displays import png
from pfps_ml.simulation.published_trials import studies
from pfps_ml.workflows import world_reports as pipeline
from pfps_ml.workflows.world_reports import DRAWS, HEADINGS, HOME, PICTURES, REPLICATES, Trials, document, hold

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def few():
    return hold(50, 5)


def results_of(text):
    """Return the cells of the table of results."""
    lines = text.split("## Results")[1].split("##")[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def section_of(text, heading):
    return text.split(f"## {heading}")[1].split("\n## ")[0]


def test_the_tracked_document_names_the_studies_of_today(few):
    tracked, written = (ROOT / HOME).read_text(encoding="utf-8"), document(few)
    assert results_of(tracked)[0] == list(HEADINGS)
    assert [(row[0], row[-1]) for row in results_of(tracked)] == [(row[0], row[-1]) for row in results_of(written)]
    assert [line for line in tracked.splitlines() if line.startswith("## ")] == [
        line for line in written.splitlines() if line.startswith("## ")
    ]
    table = pd.read_csv(ROOT / PICTURES / "trials.csv", keep_default_na=False)
    assert [*table] == [*few.frame()]
    assert [*table["study"]] == [study.title for study in studies()]


def test_the_document_says_how_often_and_that_it_is_no_evidence(few):
    text = document(few)
    assert NOTICE in text
    assert f"{REPLICATES:,} times" in text
    assert f"{DRAWS}\ndraws" in text
    assert "no evidence about people" in text


def test_what_is_outside_is_reported_with_its_reason(few):
    frame = few.frame()
    for study, inside in zip(studies(), frame["inside"], strict=True):
        assert (f"**{study.title}.** {study.why}" in section_of(document(few), "Not reproduced")) == (not inside)
    whole = Trials(frame.assign(inside=True))
    assert section_of(document(whole), "Not reproduced").strip() == "None."


def test_circular_same_study_and_free_of_both_are_told_apart(few):
    text = document(few)
    cells = {row[0]: row[-1] for row in results_of(text)[2:]}
    assert cells["Orthoses or hip exercise"] == "yes"
    assert cells["Hip or knee exercise"] == "same study"
    assert cells["Orthoses or flat inserts, 6 weeks"] == "yes"  # the lead of orthoses is set to this result
    assert "Of the same study: `duration_median` cites G3-16." in text
    assert list(cells.values()).count("yes") == (few.frame()["circular"] != "").sum()
    assert f"{list(cells.values()).count('same study')} of the others are of the same study" in text


def test_the_ends_of_a_distribution_are_bounds_and_not_certainties(few):
    text = document(Trials(few.frame().assign(percentile=[0 if row % 2 else 100 for row in few.frame().index])))
    assert {row[5] for row in results_of(text)[2:]} == {"< 0.1", "> 99.9"}


def test_a_published_result_without_interval_has_none_in_the_table(few):
    cells = {row[0]: row[3] for row in results_of(document(few))}
    assert cells["Novices, one year"] == "2.7 %"
    assert cells["Orthoses or flat inserts, 6 weeks"] == "1.48 (1.11 to 1.99)"
    assert cells["Orthoses or hip exercise"] == "-2.0 (-16.2 to 12.2)"


def test_the_picture_has_a_row_a_study_and_hollow_points_for_the_circular(few):
    figure = few.plot()
    panels = figure.axes[1:]
    named = [label.get_text() for axes in panels for label in axes.get_yticklabels()]
    assert sorted(named) == sorted(few.frame()["study"])
    points = [line for axes in panels for line in axes.get_lines() if line.get_marker() == "D"]
    assert sum(point.get_markerfacecolor() == "white" for point in points) == (few.frame()["circular"] != "").sum()
    assert len(points) == len(few.frame())
    assert figure.get_supxlabel() == NOTICE
    assert png(few).startswith(b"\x89PNG")


def test_the_pipeline_writes_the_document_the_picture_and_the_table(few, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "hold", lambda tell: [tell(each.title) for each in studies()] and few)
    pipeline.write_trials()
    assert (tmp_path / HOME).read_text(encoding="utf-8") == document(few)
    assert {path.name for path in (tmp_path / PICTURES).iterdir()} == {"trials.png", "trials.csv"}
    assert "TRIALS.md" in capsys.readouterr().out


@pytest.mark.slow
def test_the_tracked_document_and_table_are_fresh():
    full = hold()
    assert (ROOT / HOME).read_text(encoding="utf-8") == document(full), (
        "stale: run python -m pfps_ml.workflows.world_reports"
    )
    tracked = pd.read_csv(ROOT / PICTURES / "trials.csv")
    again = pd.read_csv(StringIO(full.frame().to_csv(index=False)))
    pd.testing.assert_frame_equal(tracked, again)
    reasons = {study.title: study.why for study in studies()}
    outside = full.frame().loc[~full.frame()["inside"], "study"]
    assert all(reasons[title] for title in outside), "a result outside needs a reason in published.py"
    assert np.isfinite(full.frame()["median"]).all()
