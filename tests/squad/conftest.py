"""The bundle that this checkout releases, whatever bundle a service in the same process has been told to take."""

from pathlib import Path

import pytest

from pfps_ml.model.bundle import released_bundle

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture(scope="session")
def released():
    """Return the released bundle: `PFPS_MODELS`, which other tests set, does not decide which."""
    return released_bundle(MODELS)
