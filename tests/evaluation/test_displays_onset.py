import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.logistic import expit
from pfps_ml.core.numbers import generator
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.evaluation import model_displays
from pfps_ml.evaluation.displays import save
from pfps_ml.evaluation.metrics import decision_table
from pfps_ml.evaluation.subgroups import compare_parts, decision_parts, subgroup_table

SETTINGS = EvaluationConfig(bootstraps=20)


def every_display():
    stream = generator(91, "displays of onset")
    p = expit(stream.normal(-2, 1, 2_000))
    y, clubs = (stream.random(2_000) < p).astype(float), stream.integers(0, 12, 2_000)
    sex = np.where(np.arange(2_000) < 15, "rare", "common")
    parts = compare_parts(y, {"Questionnaire only": p**2, "With dynamometry": p}, clubs, SETTINGS)
    return {
        "decision": model_displays.decision_curve(decision_table(y, p, clubs, SETTINGS)),
        "decision_subgroups": model_displays.decision_subgroups(decision_parts(y, p, {"sex": sex}, clubs, SETTINGS)),
        "subgroups": model_displays.subgroups(subgroup_table(y, p, {"sex": sex}, clubs, SETTINGS)),
        "tiers": model_displays.tiers(parts),
        "learning_curve": model_displays.learning_curve(parts),
    }


def words(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("name", ["decision", "decision_subgroups", "learning_curve", "subgroups", "tiers"])
def test_every_picture_is_a_table_first_and_carries_the_notice(name, tmp_path):
    display = every_display()[name]
    picture, table = save(display, tmp_path, name)
    assert int.from_bytes(picture.read_bytes()[16:20], "big") == 800
    pd.testing.assert_frame_equal(pd.read_csv(table), display.frame(), check_dtype=False)
    figure = display.plot()
    assert NOTICE in words(figure) and all(axes.get_xlabel() for axes in figure.axes)
    assert display.frame() is not display.frame()


def test_the_decision_curve_shows_the_model_beside_everybody_and_nobody():
    assert {"Model", "Everybody", "Nobody", "95 % band over clubs"} <= set(words(every_display()["decision"].plot()))


def test_a_subgroup_with_too_few_events_keeps_its_line_and_says_so():
    shown = words(every_display()["subgroups"].plot())
    assert shown.count("too few events") == 3 and any(text.startswith("rare (n = 15") for text in shown)


def test_names_of_clubs_are_text_whatever_signs_they_hold(tmp_path):
    names = np.array(["A$x^$", "\\frac{", "\u5c71\U0001f3c3", "C" * 500])[np.arange(2_000) % 4]
    stream = generator(92, "clubs of any name")
    p = expit(stream.normal(-2, 1, 2_000))
    y = (stream.random(2_000) < p).astype(float)
    display = model_displays.subgroups(subgroup_table(y, p, {"club": names}, names, SETTINGS))
    _, table = save(display, tmp_path, "clubs")
    assert set(names) <= set(pd.read_csv(table)["level"])
    assert max(map(len, words(display.plot()))) < 200


def test_a_part_with_too_few_events_has_no_curve_and_says_so():
    figure = every_display()["decision_subgroups"].plot()
    assert {"Sex", "common", "rare: too few events"} <= set(words(figure))


def test_parts_are_shown_from_the_least_known_to_the_most():
    figure = every_display()["tiers"].plot()
    places = {text.get_text(): place for text, place in zip(
        figure.axes[0].get_yticklabels(), figure.axes[0].get_yticks(), strict=True)}  # fmt: skip
    assert places["Questionnaire only"] > places["With dynamometry"]
