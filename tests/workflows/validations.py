"""What the tests of reports and releases share: a bundle updated on one cohort and validated on another, as files."""

from dataclasses import replace

import pytest

from pfps_ml.core.config import Config
from pfps_ml.domain.input_validation import complete
from pfps_ml.evaluation.external_validation import validate
from pfps_ml.evaluation.validation_report import write_validation
from pfps_ml.io.study_data import Columns, read_cohort
from pfps_ml.model.bundle import load_bundle
from pfps_ml.training.update_basis import onset_decomposition
from pfps_ml.workflows.recalibrate import recalibrate, write_recalibrated
from tests.cohorts import CASE, written
from tests.workflows.drawn import outcomes

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))
BY = "Doctor Canary of the Lake"


@pytest.fixture(scope="module")
def seasons(bundle, frames, tmp_path_factory):
    """Return the cohorts of two seasons: more cases than the bundle expects, as its own risks would have them."""
    home, found = tmp_path_factory.mktemp("seasons"), {}
    frame = frames.onset.drop(columns="draw")
    for name, part in (("this", frame.iloc[::2]), ("next", frame.iloc[1::2])):
        cohort = read_cohort(written(home, part, f"{name}-as-it-was.parquet"), Columns())
        margin = onset_decomposition(bundle.predictor, complete(cohort.values)).margin
        drawn = part.assign(**{CASE: outcomes(margin, name, 0.8, 1.5).astype(int)})
        found[name] = read_cohort(written(home, drawn, f"{name}.parquet"), Columns())
    return found


@pytest.fixture(scope="module")
def local(bundle, seasons, tmp_path_factory):
    """Return the bundle as this season's outcomes made it."""
    out = tmp_path_factory.mktemp("out") / "pfps-local"
    write_recalibrated(recalibrate(bundle, seasons["this"], by=BY), bundle, out)
    return load_bundle(out)


@pytest.fixture(scope="module")
def validation(local, seasons, tmp_path_factory):
    """Return the folder of its validation on the next season's runners."""
    folder = tmp_path_factory.mktemp("validation")
    write_validation(validate(local, seasons["next"], QUICK), folder)
    return folder
