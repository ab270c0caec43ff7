"""The service in this process, on the small bundle, and all that it logs."""

import logging

import pytest

from tests.serving.client import running, until_ready
from tests.waiting import until


@pytest.fixture(scope="session")
def client(models_home):
    """Return a client of the service; once a session, for BentoML registers its metrics once a process."""
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


@pytest.fixture
def unready(client, tmp_path, monkeypatch, logged):
    """Return the client while there is no bundle, and what the log said of it."""
    from serving.service import LIVE

    monkeypatch.setenv("PFPS_MODELS", str(tmp_path))
    LIVE.start()
    told = []
    until(lambda: told.append(logged()) or "no bundle taken over" in "".join(told), "that no bundle is taken over")
    yield client, "".join(told)
    monkeypatch.undo()
    LIVE.start()
    until_ready(client.get)
