"""The service in this process, on the small bundle, and all that it logs."""

import logging
import warnings

import pytest

from tests.serving.client import running, until_ready


@pytest.fixture(autouse=True)
def _bentoml_reads_the_fields_of_instances():
    """BentoML reads `model_fields` of each request's instance, which pydantic wants read of the class."""
    warnings.filterwarnings("ignore", "Accessing the 'model_fields' attribute", DeprecationWarning)


@pytest.fixture(scope="module")
def client(models_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PFPS_MODELS", str(models_home))
        with running() as client:
            until_ready(client.get)
            yield client


@pytest.fixture
def logged(caplog, capfd):
    """Return a function that tells everything logged or printed so far."""
    bentoml = logging.getLogger("bentoml")
    bentoml.addHandler(caplog.handler)
    caplog.set_level(logging.DEBUG)
    yield lambda: caplog.text + "".join(capfd.readouterr())
    bentoml.removeHandler(caplog.handler)
