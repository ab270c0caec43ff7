"""Two bundles on the same runners: a gain with its paired interval; and reports that name no club to a tracker."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.config import Config
from pfps_ml.core.errors import CohortError
from pfps_ml.core.records import Metric
from pfps_ml.domain.input_validation import complete
from pfps_ml.evaluation.external_validation import (
    Validation,
    against,
    compared,
    gains,
    lines_of_gains,
    unnamed,
    validate,
)
from pfps_ml.evaluation.metrics import measure
from pfps_ml.evaluation.validation_report import write_validation
from pfps_ml.evaluation.verdict import Conclusion, Verdict
from pfps_ml.training.update_basis import onset_decomposition
from tests.cohorts import written
from tests.workflows.drawn import outcomes, with_outcomes

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))


@pytest.fixture(scope="module")
def often(bundle, cohort):
    """Return the cohort with more cases than the bundle expects."""
    return with_outcomes(
        cohort, outcomes(onset_decomposition(bundle.predictor, complete(cohort.values)).margin, "often", 0.8)
    )


@pytest.fixture(scope="module")
def raised(bundle):
    """Return the bundle with as many cases expected: its intercept raised."""
    onset = replace(bundle.predictor.onset, intercept=bundle.predictor.onset.intercept + 0.8)
    return replace(bundle, name="pfps-raised", predictor=replace(bundle.predictor, onset=onset))


def test_what_is_gained_is_the_difference_of_the_figures_better_less_worse(bundle, raised, often):
    found = against(raised, bundle, often, QUICK).set_index("metric")
    values = complete(often.values)
    own, other = (measure(often.y, each.predictor.predict(values).risk.value) for each in (raised, bundle))
    assert list(found.index) == ["auroc", "scaled_brier", "log_loss"]
    for name, sign in (("auroc", 1), ("scaled_brier", 1), ("log_loss", -1)):
        assert found.loc[name, "value"] == pytest.approx(own[name])
        assert found.loc[name, "gain"] == pytest.approx(sign * (own[name] - other[name]))
    assert (found["against"] == bundle.name).all()
    assert found.loc["log_loss", "gain_low"] > 0
    assert found.loc["auroc", "gain"] == pytest.approx(0, abs=1e-12)


def test_a_bundle_gains_nothing_over_itself(bundle, often):
    found = against(bundle, bundle, often, QUICK)
    assert (found[["gain", "gain_low", "gain_high"]] == 0).all(axis=None)


def test_the_tracker_is_told_the_gains(bundle, raised, often):
    plain = Validation("onset", {}, [], Verdict(Conclusion.NONE, ()), {}, {})
    assert gains(plain) == lines_of_gains(plain) == []
    found = compared(plain, raised, bundle, often)
    row = found.tables["against"].set_index("metric").loc["log_loss"]
    assert Metric("log_loss_gain", row["gain"], row["gain_low"], row["gain_high"]) in gains(found)
    assert dict(lines_of_gains(found))[f"Log loss, gained over {bundle.name}"].startswith(f"{row['gain']:+.4f} (+0.")
    few = with_outcomes(often, np.where(np.arange(len(often.y)) < 3, 1.0, 0.0))
    assert gains(compared(plain, raised, bundle, few)) == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_cohort_that_one_of_them_was_updated_on_compares_nothing(bundle, often, which):
    update = {"cohort": often.digest, "runners": len(often.y)}
    seen = replace(bundle, name="pfps-seen", manifest={**bundle.manifest, "updates": [update]})
    pair = (seen, bundle) if which == 0 else (bundle, seen)
    with pytest.raises(CohortError, match="the one that pfps-seen was updated on"):
        against(*pair, often, QUICK)


def test_what_leaves_the_house_numbers_the_clubs_the_largest_first(bundle, often, tmp_path):
    found = validate(bundle, often, QUICK)
    hidden = unnamed(found)
    clubs = hidden.tables["cells"].query("field == 'club'").drop_duplicates("level")
    assert set(clubs["level"]) == {f"Club {at}" for at in range(1, len(set(often.club)) + 1)}
    assert clubs.set_index("level")["n"].idxmax() == "Club 1" or clubs["n"].nunique() == 1
    for name in ("value", "n"):
        assert hidden.tables["cells"][name].equals(found.tables["cells"][name])
    written = write_validation(hidden, tmp_path)
    for path in written:
        assert not any(club in path.read_text(encoding="utf-8") for club in set(often.club))
    assert "club" in found.pictures["subgroups"].frame()["field"].to_numpy()
    assert unnamed(replace(found, pictures={})).pictures == {}


@pytest.mark.slow
def test_the_command_shows_and_writes_what_is_gained(bundle, frames, pfps, tmp_path):
    path = written(tmp_path, frames.onset.drop(columns="draw").head(800), "cohort.parquet")
    code, out, told = pfps("evaluate", bundle.path, path, "-o", tmp_path / "report", "--against", bundle.path)
    assert code == 0, told
    assert f"Log loss, gained over {bundle.name}" in " ".join(out.split())
    tables = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))["tables"]
    assert [row["gain"] for row in tables["against"]] == [0, 0, 0]
    assert "Against another bundle" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_pathways_are_not_compared(bundle, frames, pfps, tmp_path):
    path = written(tmp_path, frames.treatment.drop(columns="draw").head(300), "patients.parquet")
    asked = ("evaluate", bundle.path, path, "-o", tmp_path / "report", "--arm", "arm", "--against", bundle.path)
    code, _, told = pfps(*asked)
    assert code == 2
    assert "expected a cohort of runners beside --against, got one of patients" in told
    assert not (tmp_path / "report").exists()
