import pandas as pd
import pytest
from matplotlib.text import Text

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.domain.dictionary import ACTIVE_ARMS, REFERENCE_ARM
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.evaluation import model_displays
from pfps_ml.evaluation.displays import save
from pfps_ml.evaluation.effects import propensity_counts
from pfps_ml.evaluation.pathway_validation import sensitivity_bounds
from pfps_ml.evaluation.policy import POLICY_LABELS, group_effects, policy_values, simple_policies, targeting_curves
from tests.evaluation.clinics import world

SETTINGS = EvaluationConfig(bootstraps=20)


def every_display():
    found = world(1_500, slope=0.3)
    own = found.patients
    bounds = [sensitivity_bounds(own, arm, REFERENCE_ARM, SETTINGS).assign(arm=arm) for arm in ACTIVE_ARMS]
    values = policy_values(own.y, found.scores, simple_policies(own.outcome, own.eligible), own.groups)
    return {
        "policies": model_displays.policies(values),
        "groups": model_displays.groups(group_effects(*found.about(), count=3)),
        "targeting": model_displays.targeting(targeting_curves(*found.about(), settings=SETTINGS)[0]),
        "sensitivity": model_displays.sensitivity(pd.concat(bounds, ignore_index=True)),
        "propensities": model_displays.propensities(propensity_counts(own.propensity, own.arm, own.eligible)),
    }


def words(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("name", ["groups", "policies", "propensities", "sensitivity", "targeting"])
def test_every_picture_is_a_table_first_and_carries_the_notice(name, tmp_path):
    display = every_display()[name]
    picture, table = save(display, tmp_path, name)
    assert int.from_bytes(picture.read_bytes()[16:20], "big") == 800
    pd.testing.assert_frame_equal(pd.read_csv(table), display.frame(), check_dtype=False)
    assert NOTICE in words(display.plot())
    assert display.frame() is not display.frame()


def test_policies_are_named_in_words():
    assert set(POLICY_LABELS.values()) <= set(words(every_display()["policies"].plot()))


def test_every_arm_has_its_panel():
    for name in ("groups", "targeting", "sensitivity"):
        titles = [axes.get_title() for axes in every_display()[name].plot().axes]
        assert [title for title in titles if title] == [
            "Hip strengthening", "Foot orthoses", "Botulinum-toxin injection"
        ]  # fmt: skip


def test_pictures_of_no_patients_are_empty_and_not_an_error(subtests):
    for name in ["groups", "targeting", "sensitivity"]:
        with subtests.test(name=name):
            empty = every_display()[name].frame().iloc[:0]
            assert NOTICE in words(getattr(model_displays, name)(empty).plot())
