"""The measuring guide: every field that is asked for has a procedure, and the committed page is what is written."""

import re
from pathlib import Path

import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.domain.dictionary import BY_NAME, INPUTS
from pfps_ml.domain.measurement_protocols import MEASURED, PROCEDURES, guide_page, minutes_of, unmeasured
from pfps_ml.domain.scenario import ledger
from pfps_ml.domain.schemas import NOTICE

ROOT = Path(__file__).parents[2]
PAGE = guide_page()


def test_every_field_that_is_asked_for_is_measured_once_and_nothing_else_is():
    assert unmeasured() == ()
    named = [name for each in PROCEDURES for name in each.fields]
    assert len(named) == len(set(named)) == len(MEASURED)
    assert set(named) == {field.name for field in INPUTS if field.kind != "text"}


def test_a_procedure_is_for_one_occasion():
    for each in PROCEDURES:
        assert len({field.asked for field in each.known}) == 1, each.title


def test_every_procedure_says_position_device_minutes_steps_pitfalls_and_source():
    for each in PROCEDURES:
        assert 0 < each.minutes <= 10
        for text in (each.device, each.position, each.mind, each.source, *each.steps):
            assert len(text) >= 4, each.title


def test_what_has_two_sides_says_which_one_is_entered():
    # the dictionary's own words: weaker side, more pronated foot
    for name in ("hip_abduction_nm_kg", "hip_external_rotation_nm_kg", "knee_extension_nm_kg"):
        assert "weaker side" in BY_NAME[name].meaning and "weaker" in MEASURED[name].sides
    assert "more pronated" in BY_NAME["foot_posture_index"].question
    assert "more pronated" in MEASURED["foot_posture_index"].sides


def test_a_torque_is_force_times_lever_arm_over_body_mass():
    for each in PROCEDURES:
        if any(field.unit == "Nm/kg" for field in each.known):
            assert "force (N) x lever arm (m) / body mass (kg)" in " ".join(each.steps)


def test_every_evidence_row_that_a_procedure_names_is_in_the_ledger():
    rows = ledger()
    cited = {row for each in PROCEDURES for row in re.findall(r"\bG\d-\d\d\b", each.source)}
    assert cited and cited <= set(rows)


def test_the_page_asks_each_question_as_the_dictionary_words_it_with_its_limits():
    assert NOTICE in PAGE
    for field in INPUTS:
        if field.kind != "text":
            assert PAGE.count(f"| `{field.name}` |") == 1
            assert field.question in PAGE and field.limits in PAGE and field.meaning in PAGE


def test_the_page_begins_with_what_costs_least_and_ends_with_the_visit():
    places = [PAGE.index(f"### {title}") for title in ("Height", "Training log", "Step rate", "Knee ext", "Kujala")]
    assert places == sorted(places)


def test_the_committed_guide_is_what_the_command_writes():
    stale = "run `pfps guide -o docs/MEASURING.md`"
    assert (ROOT / "docs" / "MEASURING.md").read_text(encoding="utf-8") == PAGE, stale


def test_what_nobody_measures_takes_no_minutes(subtests):
    for name in ["bmi", "runner_id", "shoe_size"]:
        with subtests.test(name=name), pytest.raises(FactError, match="that a person obtains"):
            minutes_of(name)
