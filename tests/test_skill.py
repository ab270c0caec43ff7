"""What the default models reach on fresh runners of the same world: the claims that a release rests on."""

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
def default_bundle(tmp_path_factory):
    """Train what `make demo` trains."""
    config, home = Config(), tmp_path_factory.mktemp("default")
    frames = simulate(config.cohort)
    candidate = train(frames, config, "reference", lambda _step: None)
    write_candidate(candidate, home / "candidate")
    evaluate(candidate.predictor, frames, config, lambda _step: None).write(home / "evaluation")
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


def test_the_same_training_gives_the_same_bundle_byte_for_byte(default_bundle):
    config = Config()
    again = train(simulate(config.cohort), config, "reference", lambda _step: None)
    for part, content in again.parts().items():
        assert (default_bundle.path / part).read_bytes() == content, part
