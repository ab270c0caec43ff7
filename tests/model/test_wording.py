"""The texts of a table: those of the single assessment, and each written once."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.domain.input_validation import check
from pfps_ml.model.assess import assess
from pfps_ml.model.wording import SILENT, as_categorical, reason_message


def test_a_text_is_written_once_and_a_silent_row_has_none():
    written = []

    def say(key):
        written.append(key)
        return f"text {key}"

    found = as_categorical(np.array([3, SILENT, 3, 0, 3]), say)
    assert written == [3, 0]
    assert found.tolist() == ["text 3", np.nan, "text 3", "text 0", "text 3"]


def test_the_texts_of_the_table_are_those_of_the_assessment_of_each_row(bundle, frames):
    found = assess(bundle, check(frames.onset.head(400)).values)
    table = found.table(visit=False)
    for row in range(400):
        one = found.as_dict(row)
        shown = [reason["text"] for reason in one["reasons"] if reason["log_odds"]][:3]
        assert table.loc[row, ["reason_1", "reason_2", "reason_3"]].dropna().tolist() == shown
        assert table["cautions"][row] == " ".join(caution["text"] for caution in one["cautions"])
        assert table["caution_codes"][row] == ", ".join(caution["code"] for caution in one["cautions"])
        best = one["measure_next"][0] if one["measure_next"] else {"gain": 0.0}
        if best["gain"] < 0.05:
            assert table["measure_next"].isna()[row]
        else:
            assert table["measure_next"][row] == best["text"]
            assert best["text"].startswith(f"{best['label']} (would move the risk by ")


def test_a_reason_says_value_unit_and_points():
    assert reason_message(BY_NAME["knee_extension_nm_kg"], 1.9, 2.34).text == (
        f"{BY_NAME['knee_extension_nm_kg'].label}: 1.90 Nm/kg (+2.3 percentage points)"
    )
    assert reason_message(BY_NAME["prior_pfps"], 1.0, -0.04).text.endswith(": yes (+0.0 percentage points)")
    assert reason_message(BY_NAME["weekly_change_pct"], -12.4, -1.26).text.endswith(": -12 % (-1.3 percentage points)")


@given(st.floats(0.5, 5.5))
def test_a_shown_value_is_within_half_a_step_of_the_measured_one(value):
    text = reason_message(BY_NAME["knee_extension_nm_kg"], value, 0.0).text
    assert float(text.split(": ")[1].split()[0]) == pytest.approx(value, abs=0.005 + 1e-9)
