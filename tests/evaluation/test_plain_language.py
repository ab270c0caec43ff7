"""What a person reads of a validation first: figures in words, and tables of people's names."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import Config
from pfps_ml.core.messages import Message
from pfps_ml.core.records import Param
from pfps_ml.domain.input_validation import complete
from pfps_ml.evaluation.check_catalogue import failed
from pfps_ml.evaluation.external_validation import compared, validate, validate_pathways
from pfps_ml.evaluation.validation_report import figure_with_limits, in_plain_words, readable_table, records_of
from pfps_ml.evaluation.verdict import Conclusion, Verdict
from pfps_ml.training.update_basis import onset_decomposition
from tests.workflows.drawn import outcomes, with_outcomes

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))


def shifted(bundle, cohort, by):
    margin = onset_decomposition(bundle.predictor, complete(cohort.values)).margin
    return validate(bundle, with_outcomes(cohort, outcomes(margin, "told", by)), QUICK)


@pytest.fixture(scope="module")
def found(bundle, cohort):
    return validate(bundle, cohort, QUICK)


def test_expected_and_seen_cases_are_told_in_words(found, bundle, cohort):
    expected = bundle.predictor.predict(complete(cohort.values)).risk.value.sum()
    text = in_plain_words(found)
    assert f"expected {expected:,.0f} cases, and {cohort.y.sum():,.0f} were seen" in text
    auroc = found.figures.set_index("metric").loc["auroc", "value"]
    assert f"the higher risk {100 * auroc:.0f} times in 100; guessing would be 50" in text


@pytest.mark.parametrize(("by", "side"), [(1.5, "low"), (-1.0, "high")])
def test_no_verdict_is_no_praise_but_a_mean_risk_that_is_off_is_told(bundle, cohort, by, side):
    found = shifted(bundle, cohort, by)
    off = replace(found, verdict=Verdict(Conclusion.NONE, (Message("no_verdict"),)))
    assert "neither that the model is right here nor that it is wrong" in in_plain_words(off)
    assert f"Risks seem too {side} here on average" in in_plain_words(off)
    assert "neither" not in in_plain_words(
        replace(found, verdict=Verdict(Conclusion.DOES_NOT_HOLD, (Message("no_verdict"),)))
    )


def test_where_a_check_fails_or_a_figure_is_unknown_nothing_is_put_in_words(found):
    assert (
        in_plain_words(replace(found, checks=[failed("C03", Message("persons_twice", {"persons": 1, "rows": 2}))]))
        == ""
    )
    unknown = found.figures.assign(value=np.nan)
    assert in_plain_words(replace(found, tables={**found.tables, "onset": unknown})) == ""


def test_of_patients_successes_are_told(bundle, patients):
    text = in_plain_words(validate_pathways(bundle, patients, QUICK))
    assert f"successes under what each patient had, and {patients.y[patients.used].sum():,.0f} were seen" in text
    assert "on average" not in text


def test_tables_for_people_have_labels_and_leave_out_what_stands_elsewhere():
    strength = pd.DataFrame({"better": ["hip"], "other": ["usual_care"], "n": [9]})
    assert readable_table("strength", strength).loc[0, ["better", "other"]].tolist() == [
        "Hip strengthening",
        "Usual care",
    ]
    drift = pd.DataFrame({"field": ["age_years"], "label": ["Age"], "psi": [0.1]})
    assert list(readable_table("drift", drift)) == ["field", "PSI"]
    checks = pd.DataFrame({"code": ["C01"], "page": ["docs/CHECKS.md#c01"]})
    assert list(readable_table("checks", checks)) == ["code"]


def test_a_figure_with_limits_that_round_to_nothing_has_no_minus():
    assert figure_with_limits(0.1, -0.0001, 0.2) == "0.100 (0.000 to 0.200)"
    assert figure_with_limits(np.nan, np.nan, np.nan) == "n/a"


def test_the_tracker_is_told_over_which_bundle_gains_are(found, bundle, cohort, tmp_path):
    both = compared(found, bundle, replace(bundle, name="pfps-other"), cohort)
    assert Param("against", "pfps-other") in records_of(both, tmp_path)
    assert "against" not in {getattr(each, "name", "") for each in records_of(found, tmp_path)}
