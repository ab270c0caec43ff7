"""Shared parts: a small cohort and a small bundle, trained once a session by the real pipelines."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from pfps_ml.bundle import Bundle, load_bundle
from pfps_ml.cli import main
from pfps_ml.config import CohortConfig, Config, OnsetConfig, PathwayConfig
from pipelines.evaluate import Evaluation, evaluate
from pipelines.frames import Frames
from pipelines.release import release
from pipelines.simulate import simulate
from pipelines.train import Candidate, train, write_candidate

os.environ["OMP_NUM_THREADS"] = "1"  # many small fits: threads cost more than they bring

SMALL = Config(
    cohort=CohortConfig(runners=4000, patients=1600, runners_per_club=200, patients_per_club=80),
    onset=OnsetConfig(penalties=(1.0, 10.0), max_trees=60, bootstraps=4, min_rows_in_leaf=30),
    pathways=PathwayConfig(posterior_draws=8),
)

# what an earlier run found must not decide this one
settings.register_profile("alone", database=None)
settings.load_profile("alone")


@pytest.fixture(scope="session")
def config() -> Config:
    """Return a configuration that trains in seconds."""
    return replace(SMALL, evaluation=replace(SMALL.evaluation, bootstraps=30))


@pytest.fixture(scope="session")
def frames(config: Config) -> Frames:
    """Return a small cohort with its truth."""
    return simulate(config.cohort)


@pytest.fixture(scope="session")
def candidate(frames: Frames, config: Config) -> Candidate:
    """Return models trained on the small cohort."""
    return train(frames, config, "reference", lambda _step: None)


@pytest.fixture(scope="session")
def evaluation(candidate: Candidate, frames: Frames, config: Config) -> Evaluation:
    """Return the evaluation of the small candidate."""
    return evaluate(candidate, frames, config, lambda _step: None)


@pytest.fixture(scope="session")
def models_home(candidate: Candidate, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of bundles, with CURRENT, as `models/` is."""
    home = tmp_path_factory.mktemp("released")
    write_candidate(candidate, home / "candidate")
    evaluation.write(home / "evaluation")
    (home / "models").mkdir()
    release(home / "candidate", home / "evaluation", home / "models", "0.0.1")
    return home / "models"


@pytest.fixture(scope="session")
def bundle(models_home: Path) -> Bundle:
    """Return the small released bundle, loaded as a user would."""
    return load_bundle(models_home / "pfps-0.0.1")


@pytest.fixture
def pfps(capsys):
    """Return a function that gives a command to `pfps`: its exit code, what it prints and what it complains of."""

    def run(*arguments):
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as done:
            code = done.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run
