"""What the default models reach on fresh runners of the same world: the claims that a release rests on."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.fresh import best_auroc, figures, same_clubs
from pfps_ml.bundle import load_bundle
from pfps_ml.config import Config
from pipelines.evaluate import evaluate
from pipelines.release import release
from pipelines.simulate import simulate
from pipelines.train import train, write_candidate

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
