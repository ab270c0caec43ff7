"""Shared parts: a small cohort and a small bundle, trained once a session by the real pipelines.

The pipelines and their libraries are imported by the fixtures: the process that only deals out the tests needs none.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

if TYPE_CHECKING:
    from pfps_ml.core.config import Config
    from pfps_ml.model.bundle import Bundle
    from pfps_ml.workflows.evaluate import Evaluation
    from pfps_ml.workflows.frames import Frames
    from pfps_ml.workflows.train import Candidate

os.environ["OMP_NUM_THREADS"] = "1"  # many small fits: threads cost more than they bring

# The same examples on every machine and under any load: no clock, no memory of an earlier run.
settings.register_profile(
    "alone",
    database=None,
    deadline=None,
    derandomize=True,
    # a folder that all examples of a test share is meant: each writes its own file anew
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("alone")
# Hypothesis also draws constants that it reads out of whatever modules of ours are loaded at that moment: the examples
# of a test would depend on the tests before it, and reading the modules takes seconds on a busy machine.
assert callable(providers._get_local_constants)
providers._get_local_constants = lambda: providers._local_constants


def small_config() -> Config:
    """Return a configuration that trains in seconds."""
    from pfps_ml.core.config import CohortConfig, Config, OnsetConfig, PathwayConfig

    small = Config(
        cohort=CohortConfig(runners=4000, patients=1600, runners_per_club=200, patients_per_club=80),
        onset=OnsetConfig(penalties=(1.0, 10.0), max_trees=60, bootstraps=4, min_rows_in_leaf=30),
        pathways=PathwayConfig(posterior_draws=8),
    )
    return replace(small, evaluation=replace(small.evaluation, bootstraps=30))


@pytest.fixture(scope="session")
def config() -> Config:
    """Return a configuration that trains in seconds."""
    return small_config()


@pytest.fixture(scope="session")
def frames(config: Config) -> Frames:
    """Return a small cohort with its truth."""
    from pfps_ml.workflows.simulate import simulate

    return simulate(config.cohort)


@pytest.fixture(scope="session")
def candidate(frames: Frames, config: Config) -> Candidate:
    """Return models trained on the small cohort."""
    from pfps_ml.workflows.train import train

    return train(frames, config, "reference", lambda _step: None)


@pytest.fixture(scope="session")
def evaluation(candidate: Candidate, frames: Frames, config: Config) -> Evaluation:
    """Return the evaluation of the small candidate."""
    from pfps_ml.workflows.evaluate import evaluate

    return evaluate(candidate, frames, config, lambda _step: None)


@pytest.fixture(scope="session")
def results_home(candidate: Candidate, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the small candidate and its evaluation as files, to be read and not written to."""
    from pfps_ml.workflows.train import write_candidate

    home = tmp_path_factory.mktemp("results")
    write_candidate(candidate, home / "candidate")
    evaluation.write(home / "evaluation")
    return home


@pytest.fixture
def results(results_home: Path, tmp_path: Path) -> Path:
    """Return the test's own folder with a copy of both in it: the pictures take seconds to draw, a copy does not."""
    return shutil.copytree(results_home, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def models_home(results_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of bundles, with CURRENT, as `models/` is."""
    from pfps_ml.workflows.release import release

    home = tmp_path_factory.mktemp("released") / "models"
    home.mkdir()
    release(results_home / "candidate", results_home / "evaluation", home, "0.0.1")
    return home


@pytest.fixture(scope="session")
def bundle(models_home: Path) -> Bundle:
    """Return the small released bundle, loaded as a user would."""
    from pfps_ml.model.bundle import load_bundle

    return load_bundle(models_home / "pfps-0.0.1")


@pytest.fixture
def pfps(capsys):
    """Return a function that gives a command to `pfps`: its exit code, what it prints and what it complains of."""
    from pfps_ml.cli.main import main

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
