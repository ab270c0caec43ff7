"""The service in this process, on the small bundle, and all that it logs."""

import logging

import pytest

from serving.active_bundle import ActiveBundle
from tests.serving.client import client_of, until_ready
from tests.waiting import until


@pytest.fixture(scope="session")
def active():
    """Return the bundle that the service of these tests has in service."""
    return ActiveBundle()


@pytest.fixture(scope="session")
def client(active, models_home):
    """Return a client of the service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PFPS_MODELS", str(models_home))
        with client_of(active) as client:
            until_ready(client.get)
            yield client


@pytest.fixture
def logged(caplog, capfd):
    """Return a function that tells everything logged or printed so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(capfd.readouterr())


@pytest.fixture
def unready(client, active, tmp_path, monkeypatch, logged):
    """Return the client while there is no bundle, and what the log said of it."""
    monkeypatch.setenv("PFPS_MODELS", str(tmp_path))
    active.start()
    told = []
    until(lambda: told.append(logged()) or "no bundle taken over" in "".join(told), "that no bundle is taken over")
    yield client, "".join(told)
    monkeypatch.undo()
    active.start()
    until_ready(client.get)
