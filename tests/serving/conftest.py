"""The service in this process, on the small bundle, and all that it logs."""

import logging
import time

import pytest

from serving.active_bundle import ActiveBundle
from tests.serving.client import client_of, until_ready


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
    told = ""
    for _ in range(600):
        told += logged()
        if "no bundle taken over" in told:
            break
        time.sleep(0.05)
    yield client, told
    monkeypatch.undo()
    active.start()
    until_ready(client.get)
