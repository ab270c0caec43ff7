"""Intervals of two parts: what the evidence does not know, and what the sample does not tell."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import BundleFormat
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS
from pfps_ml.model.additive import AdditiveModel, Line, explainer
from pfps_ml.model.prediction import Interval, Predictor, onset_to_json, pathways_to_json, predictor_from_json
from pfps_ml.workflows.train import interval

DRAWS, RESAMPLES = 6, 4
ROWS = pd.DataFrame({"age_years": [15.0, 40.0, np.nan], "bmi": [20.0, 30.0, 22.0]})


def model(stream, field="age_years", members=1 + DRAWS + RESAMPLES):
    random = generator(1, stream)
    values = random.normal(size=(3, members))
    return AdditiveModel(random.normal(-2, 0.3, members), (Line(field, np.array([10.0, 60.0]), values),))


def predictor(both=interval(0.9, DRAWS, RESAMPLES), **parts):  # noqa: B008 (frozen)
    onset = model("onset")
    parts = {
        "onset": onset, "explainer": explainer(onset, ROWS), "prognosis": model("prognosis"),
        "modifiers": {name: model(name, "bmi") for name in ACTIVE_ARMS},
        "interval": both, "pathway_interval": both,
    } | parts  # fmt: skip
    return Predictor(**parts)


def test_the_variance_of_a_risk_is_that_of_one_more_draw_and_of_a_resample_on_the_log_odds_scale():
    members, found = model("onset").margin(ROWS), predictor().predict(ROWS).risk
    draws, resamples = members[:, 1 : 1 + DRAWS], members[:, 1 + DRAWS :]
    np.testing.assert_allclose(found.evidence, draws.var(axis=1, ddof=1) * (1 + 1 / DRAWS))
    np.testing.assert_allclose(found.sampling, resamples.var(axis=1, ddof=1))
    reach = 2.3534 * np.sqrt(found.evidence + found.sampling)  # Student's t at 95 % with 3 degrees of freedom
    for end, sign in ((found.low, -1), (found.high, 1)):
        np.testing.assert_allclose(np.log(end / (1 - end)), members[:, 0] + sign * reach, atol=1e-3)


def test_the_interval_of_an_effect_is_made_on_its_own_scale():
    found = predictor().predict(ROWS).effect["hip"]
    usual = model("prognosis").margin(ROWS)
    chances = [1 / (1 + np.exp(-margin)) for margin in (usual, usual + model("hip", "bmi").margin(ROWS))]
    gain = chances[1] - chances[0]
    np.testing.assert_allclose(found.value, gain[:, 0])
    np.testing.assert_allclose(found.evidence, gain[:, 1 : 1 + DRAWS].var(axis=1, ddof=1) * (1 + 1 / DRAWS))
    np.testing.assert_allclose(found.sampling, gain[:, 1 + DRAWS :].var(axis=1, ddof=1))


def test_every_interval_holds_its_value_and_no_effect_leaves_the_possible():
    wild = interval(0.999, DRAWS, RESAMPLES)
    found = predictor(both=wild).predict(ROWS)
    for estimate in (found.risk, *found.success.values(), *found.effect.values()):
        assert ((estimate.low <= estimate.value) & (estimate.value <= estimate.high)).all()
        assert estimate.low.min() >= -1
        assert estimate.high.max() <= 1


def test_without_draws_only_the_sample_speaks():
    alone = Interval(0.9, 0, DRAWS + RESAMPLES, 2.0)
    found = predictor(both=alone).predict(ROWS)
    assert not found.risk.evidence.any()
    assert not found.effect["orthotic"].evidence.any()
    np.testing.assert_allclose(found.risk.sampling, model("onset").margin(ROWS)[:, 1:].var(axis=1, ddof=1))


def test_the_degrees_of_freedom_are_those_of_the_fewer_refits():
    assert interval(0.9, 100, 20).t == pytest.approx(1.7291, abs=1e-4)  # Student's t at 95 % with 19
    assert interval(0.9, 0, 20).t == interval(0.9, 100, 20).t
    assert interval(0.9, 5, 20).t == pytest.approx(2.1318, abs=1e-4)  # with 4


def test_both_parts_survive_the_file_and_a_file_of_before_draws_is_all_resamples():
    made = predictor()
    onset, pathways = onset_to_json(made), pathways_to_json(made)
    again = predictor_from_json(onset, pathways)
    assert (again.interval, again.pathway_interval) == (made.interval, made.pathway_interval)
    for content in (onset, pathways):
        content["interval"] = {"level": 0.9, "t": 1.8}
    assert predictor_from_json(onset, pathways).interval == Interval(0.9, 0, DRAWS + RESAMPLES, 1.8)


def test_numbers_of_refits_that_the_models_do_not_have_are_refused(subtests):
    for part in ["onset", "pathways"]:
        for wrong in [{"evidence": DRAWS - 1}, {"evidence": -1, "sampling": 11}, {"sampling": -1}]:
            with subtests.test(part=part, wrong=wrong):
                files = {"onset": onset_to_json(predictor()), "pathways": pathways_to_json(predictor())}
                files[part]["interval"] |= wrong
                with pytest.raises(BundleFormat, match="numbers of draws"):
                    predictor_from_json(**files)


def test_a_modifier_with_fewer_members_than_the_prognosis_is_refused():
    modifiers = {name: model(name, "bmi", members=3) for name in ACTIVE_ARMS}
    content = pathways_to_json(predictor(modifiers=modifiers))
    with pytest.raises(BundleFormat):
        predictor_from_json(onset_to_json(predictor()), content)


def test_a_model_that_reads_a_bookkeeping_column_is_refused():
    onset = model("onset", "draw")
    explained = explainer(onset, ROWS.assign(draw=1.0))
    with pytest.raises(BundleFormat, match="fields of the dictionary, got draw"):
        predictor_from_json(onset_to_json(predictor(onset=onset, explainer=explained)), pathways_to_json(predictor()))


def test_the_risk_alone_is_the_risk_with_all_the_rest():
    found = predictor()
    np.testing.assert_allclose(found.risks(ROWS), found.predict(ROWS).risk.value, atol=1e-12)
