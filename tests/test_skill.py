"""What the default models reach on fresh runners of the same world: the claims that a release rests on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.fresh import best_auroc, figures, same_clubs
from pfps_ml.core.config import Config
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import FIELDS, ONSET, ONSET_FIELDS, TIERS, tier_fields
from pfps_ml.evaluation.metrics import measure
from pfps_ml.model.bundle import load_bundle
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.training.onset import OnsetModel
from pfps_ml.training.training_rows import split_clubs
from pfps_ml.workflows.evaluate import evaluate, groups_of
from pfps_ml.workflows.frames import onset_features
from pfps_ml.workflows.release import release
from pfps_ml.workflows.simulate import simulate
from pfps_ml.workflows.train import train, write_candidate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def default_frames():
    """Simulate what `make demo` simulates."""
    return simulate(Config().cohort)


@pytest.fixture(scope="module")
def default_candidate(default_frames):
    """Train what `make demo` trains."""
    return train(default_frames, Config(), "reference", lambda _step: None)


@pytest.fixture(scope="module")
def default_evaluation(default_candidate, default_frames):
    """Judge it as `make demo` does."""
    return evaluate(default_candidate, default_frames, Config(), lambda _step: None)


@pytest.fixture(scope="module")
def default_bundle(default_candidate, default_evaluation, tmp_path_factory):
    """Release what `make demo` releases."""
    home = tmp_path_factory.mktemp("default")
    write_candidate(default_candidate, home / "candidate")
    default_evaluation.write(home / "evaluation")
    (home / "models").mkdir()
    return load_bundle(release(home / "candidate", home / "evaluation", home / "models", "1"))


def test_the_default_model_is_calibrated_and_near_the_best_possible_on_100_000_fresh_runners(default_bundle):
    config = Config().cohort
    rows = same_clubs(config)
    found = figures(default_bundle, rows)
    assert len(rows.y) == 100_000
    assert 0.85 < found["calibration_slope"] < 1.15
    assert 0.9 < found["observed_expected"] < 1.1
    assert found["auroc"] - 0.5 > 0.9 * (best_auroc(config, rows) - 0.5)


def test_the_calibration_table_in_the_documents_is_that_of_the_default_model(default_evaluation):
    drawn = pd.read_csv(Path(__file__).parents[1] / "docs" / "calibration.csv")
    pd.testing.assert_frame_equal(drawn, default_evaluation.pictures["calibration"].frame(), rtol=1e-6)


def test_the_same_training_gives_the_same_bundle_byte_for_byte(default_bundle, default_frames):
    again = train(default_frames, Config(), "reference", lambda _step: None)
    for part, content in again.parts().items():
        assert (default_bundle.path / part).read_bytes() == content, part


@pytest.fixture(scope="module")
def fresh():
    """Return 100,000 fresh runners of the clubs that the default cohort was drawn from."""
    return same_clubs(Config().cohort)


@pytest.fixture(scope="module")
def trained_on_20_000():
    """Return the default onset model, trained on all clubs of the default cohort."""
    observed = simulate_onset(Config().cohort).observed
    split = split_clubs(observed["club"], replace(Config().split, held_out_share=1e-9))
    model = OnsetModel(replace(Config().onset, bootstraps=2))
    y, fold = observed[ONSET.column].to_numpy(float), split.fold_of(observed["club"])
    assert len(y) == 20_000
    return model.fit(onset_features(observed), y, observed["club"], fold)


def without_some_values(X):
    """Take away three of ten values, whatever they are, but for those that everybody must give."""
    gone = pd.DataFrame(generator(1, "gone").random(X.shape) < 0.3, columns=X.columns)
    required = [field.name for field in FIELDS if field.required and field.name in X]
    return X.mask(gone.assign(**dict.fromkeys(required, False)))


@pytest.mark.parametrize("seen", [lambda X: X, without_some_values])
def test_trained_on_20_000_rows_the_model_is_calibrated_as_measured_and_with_any_value_missing(
    trained_on_20_000, fresh, seen
):
    found = measure(fresh.y, trained_on_20_000.predict_proba(seen(fresh.X))[:, 1])
    assert len(fresh.y) == 100_000
    assert found["ici"] <= 0.005
    assert 0.95 <= found["observed_expected"] <= 1.05
    assert 0.9 <= found["calibration_slope"] <= 1.1


def test_it_is_calibrated_in_every_measurement_tier_of_those_runners(trained_on_20_000, fresh):
    risk = trained_on_20_000.predict_proba(fresh.X)[:, 1]
    tier = groups_of(fresh.X, Config())["measured"].astype(str).to_numpy()
    assert len(np.unique(tier)) == len(TIERS)
    for each in np.unique(tier):
        assert measure(fresh.y[tier == each], risk[tier == each])["ici"] <= 0.0075, each


@pytest.mark.parametrize("tier", TIERS)
def test_it_is_calibrated_where_all_of_them_are_seen_as_one_tier_would_see_them(trained_on_20_000, fresh, tier):
    hidden = [name for name in ONSET_FIELDS if name not in tier_fields(tier)]
    less = fresh.X.assign(**dict.fromkeys(hidden, np.nan))
    assert measure(fresh.y, trained_on_20_000.predict_proba(less)[:, 1])["ici"] <= 0.0075
