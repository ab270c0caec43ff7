"""What the tests of recalibration share: simulated runners as a cohort, and the parts of their log-odds."""

import pytest

from pfps_ml.domain.input_validation import complete
from pfps_ml.io.study_data import Columns, read_cohort
from pfps_ml.training.update_basis import onset_decomposition
from tests.cohorts import written


@pytest.fixture(scope="session")
def cohort(frames, tmp_path_factory):
    """Return all runners of the small cohort, with outcomes."""
    frame = frames.onset.drop(columns="draw")
    return read_cohort(written(tmp_path_factory.mktemp("cohort"), frame, "cohort.parquet"), Columns())


@pytest.fixture(scope="session")
def values(cohort):
    """Return their coded fields."""
    return complete(cohort.values)


@pytest.fixture(scope="session")
def whole(bundle, values):
    """Return the parts of their margin."""
    return onset_decomposition(bundle.predictor, values)
