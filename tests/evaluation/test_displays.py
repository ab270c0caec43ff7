import sys

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.errors import CohortError, OutputError
from pfps_ml.core.logistic import expit
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ONSET, ONSET_FIELDS, SUCCESS, field
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.metrics import auroc, calibration_curve
from pfps_ml.evaluation.model_displays import effects


def cohort(rows=3_000):
    stream = generator(31, "displays")
    p = expit(stream.normal(-2, 0.8, rows))
    return (stream.random(rows) < p).astype(float), p


def adjusted():
    figures = {"effect": [0.08, 0.03, np.nan], "low": [0.03, -0.03, np.nan], "high": [0.13, 0.09, np.nan]}
    return pd.DataFrame({"arm": ACTIVE_ARMS, **figures, "n": [2000, 2000, 12], "naive": [0.01, 0.07, np.nan]})


def contributions(rows=300, fields=ONSET_FIELDS):
    stream = generator(32, "contributions")
    data = pd.DataFrame(stream.normal(size=(rows, len(fields))), columns=list(fields))
    data = data.where(stream.random(data.shape) < 0.8)
    data[fields[-1]] = np.nan  # nobody could measure it
    return data.fillna(0) * np.linspace(0.5, 0.01, len(fields)), data


def every_display():
    y, p = cohort()
    return {
        "calibration": displays.calibration(y, p),
        "roc": displays.roc(y, p),
        "risks": displays.risks(y, p, SUCCESS.label),
        "effects": effects(adjusted()),
        "reasons": displays.reasons(*contributions(), -2.0),
    }


def words(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("name", ["calibration", "effects", "reasons", "risks", "roc"])
def test_every_picture_is_a_table_first_is_800_pixels_wide_and_carries_the_notice(name, tmp_path):
    display = every_display()[name]
    picture, table = displays.save(display, tmp_path / "figures", name)
    assert (picture.name, table.name) == (f"{name}.png", f"{name}.csv")
    header = picture.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(header[16:20], "big") == 800
    pd.testing.assert_frame_equal(pd.read_csv(table), display.frame(), check_dtype=False)
    figure = display.plot()
    assert NOTICE in words(figure)
    assert all(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


def test_pictures_leave_no_figure_and_no_changed_setting_behind(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    for name, display in every_display().items():
        displays.save(display, tmp_path, name)
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_picture_cannot_be_changed_through_its_table():
    display = effects(adjusted())
    table = display.frame()
    table["effect"] = 9.0
    assert display.frame()["effect"].max() < 1


def test_calibration_shows_ten_tenths_and_a_smoothed_curve_of_a_few_hundred_points():
    display = displays.calibration(*cohort())
    assert list(display.frame()["n"]) == [300] * 10
    assert len(display.curve) == 500 and display.curve["predicted"].is_monotonic_increasing
    with pytest.raises(CohortError, match="got 1 others"):
        displays.calibration([0, 1], [0.5, 1.0])


def test_calibration_shows_the_band_over_clubs_where_it_is_given():
    y, p = cohort()
    curve = calibration_curve(y, p, np.arange(3_000) % 30, EvaluationConfig(bootstraps=20))
    display = displays.calibration(y, p, curve=curve)
    assert "95 % band over clubs" in words(display.plot())
    assert "95 % band over clubs" not in words(displays.calibration(y, p).plot())
    pd.testing.assert_frame_equal(display.frame(), displays.calibration(y, p).frame())


def test_the_roc_curve_rises_from_nobody_to_everybody_and_encloses_the_auroc():
    y, p = cohort()
    display = displays.roc(y, p)
    table = display.frame()
    ends = table[["false_positive_rate", "sensitivity"]]
    assert ends.iloc[0].tolist() == [0, 0] and ends.iloc[-1].tolist() == pytest.approx([1, 1])
    assert table["sensitivity"].is_monotonic_increasing and len(table) == 500
    area = np.trapezoid(table["sensitivity"], table["false_positive_rate"])
    assert area == pytest.approx(auroc(y, p), abs=0.003) and display.auroc == auroc(y, p)
    assert len(displays.roc([0, 1, 1], [0.1, 0.1, 0.4]).frame()) == 3


def test_the_spread_of_risks_counts_every_runner_once():
    y, p = cohort()
    table = displays.risks(y, p).frame()
    assert table["n_with"].sum() == y.sum() and table["n_without"].sum() == len(y) - y.sum()
    assert table["low"].iloc[0] == 0 and table["high"].iloc[-1] >= p.max()
    assert displays.risks(np.zeros(50), p[:50]).plot().axes


def test_the_forest_names_each_pathway_and_says_where_there_are_no_data():
    shown = words(effects(adjusted()).plot())
    assert "Hip strengthening\n(n = 2,000)" in shown and "Botulinum-toxin injection\n(n = 12)" in shown
    assert shown.count(" no data") == 1


def test_reasons_are_ranked_by_their_mean_absolute_contribution():
    values, data = contributions()
    table = displays.reasons(values, data, -2.0).frame()
    assert table["mean_abs_log_odds"].is_monotonic_decreasing and set(table["field"]) == set(ONSET_FIELDS)
    first = table.iloc[0]
    assert first["label"] == field(first["field"]).label
    assert first["mean_abs_log_odds"] == pytest.approx(values[first["field"]].abs().mean())


def test_the_beeswarm_says_how_many_fields_it_leaves_out_and_hides_those_nobody_measured():
    shown = words(displays.reasons(*contributions(), -2.0).plot())
    assert f"Contribution to the log-odds (the 12 largest of {len(ONSET_FIELDS) - 1} fields)" in shown
    few = words(displays.reasons(*contributions(fields=ONSET_FIELDS[:3]), -2.0, SUCCESS.label).plot())
    assert "Contribution to the log-odds" in few and f"What moves the prediction: {SUCCESS.label}" in few
    assert field(ONSET_FIELDS[0]).label in few and field(ONSET_FIELDS[2]).label not in few


def test_the_beeswarm_of_a_large_cohort_shows_a_part_of_it():
    figure = displays.reasons(*contributions(4_000, ONSET_FIELDS[:3]), -2.0).plot()
    dots = sum(len(group.get_offsets()) for group in figure.axes[0].collections)
    assert 2 * 1_000 < dots <= 2 * 1_500


def test_pictures_name_the_outcome_in_the_words_of_the_dictionary():
    assert f"Calibration: {ONSET.label}" in words(displays.calibration(*cohort()).plot())


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="can be written"):
        displays.save(effects(adjusted()), tmp_path / "taken", "effects")
