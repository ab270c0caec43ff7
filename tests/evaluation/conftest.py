"""What the tests of external validation share: simulated runners, brought in as a cohort."""

import pytest

from pfps_ml.io.study_data import Columns, read_cohort, read_patients
from tests.cohorts import written


@pytest.fixture(scope="session")
def cohort(frames, tmp_path_factory):
    """Return 2,000 runners with outcomes."""
    frame = frames.onset.drop(columns="draw").head(2000)
    return read_cohort(written(tmp_path_factory.mktemp("cohort"), frame, "cohort.parquet"), Columns())


@pytest.fixture(scope="session")
def patients(frames, tmp_path_factory):
    """Return 1,600 patients with arms and outcomes."""
    frame = frames.treatment.drop(columns="draw")
    return read_patients(written(tmp_path_factory.mktemp("patients"), frame, "patients.parquet"))
