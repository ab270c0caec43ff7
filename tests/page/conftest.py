"""The clinician's page in headless Chromium, at a service of its own on the released bundle: what people meet.

One service and one browser for all of this folder; they end with it, because playwright's loop must not meet the loops
of other tests. `test_screens.py` is quick; the rest is slow.
"""

from pathlib import Path

import pytest

from pfps_ml.model.bundle import released_bundle
from pfps_ml.workflows.pictures import browsing, chromium, opened, served
from tests.waiting import patient

MODELS = Path(__file__).resolve().parents[2] / "models"  # whatever PFPS_MODELS other tests set
MISSING = "no Chromium on this machine: make system"


@pytest.fixture(scope="package")
def address():
    """Return the address of the service."""
    if chromium() is None:
        pytest.skip(MISSING)
    with served({"PFPS_MODELS": str(MODELS)}) as found:
        yield found


@pytest.fixture(scope="package")
def bundle():
    """Return the released bundle."""
    return released_bundle(MODELS)


@pytest.fixture(scope="package")
def browser():
    """Return a browser."""
    if chromium() is None:
        pytest.skip(MISSING)
    with browsing() as found:
        yield patient(found)


@pytest.fixture
def page(browser, address):
    """Return the page in a window of its own; it must not have thrown."""
    found, thrown = opened(browser, address), []
    found.on("pageerror", lambda error: thrown.append(str(error)))
    yield found
    found.context.close()
    assert thrown == []
