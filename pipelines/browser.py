"""A browser at the clinician's page, for its pictures, its figures and its tests; `make system` installs Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from pfps_ml.errors import MissingLibrary

HOUSE = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds for the service to start, on a machine with much else to do
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def chromium() -> str | None:
    """Return where Chromium is, or None."""
    return shutil.which("chromium")


@contextmanager
def browsing() -> Iterator[Any]:
    """Start a browser without a window; it gives playwright's Browser.

    Raises
    ------
    MissingLibrary
        If there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    found = chromium()
    if found is None:
        raise MissingLibrary("expected Chromium, got none on this machine. Install it: make system")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def served(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start the service in a process of its own, and give its address once a bundle is in service.

    Parameters
    ----------
    settings
        Variables of its environment beside ours: PFPS_MODELS, PFPS_API_KEYS.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [Path(sys.executable).parent / "pfps", "serve", "--host", "127.0.0.1", "--port", str(port)]
    own = os.environ | {"OMP_NUM_THREADS": "1", "BENTOML_DO_NOT_TRACK": "True"} | dict(settings or {})
    process = subprocess.Popen(command, cwd=HOUSE, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 (an address of our own)
                return
        except (URLError, ConnectionError):
            time.sleep(0.05)
    raise TimeoutError(f"the service was not ready within {PATIENCE:.0f} seconds")


def opened(browser: Any, address: str, viewport: Mapping[str, int] = WIDE, **settings: Any) -> Any:
    """Open the page in a window of its own, and return it once form and tables are there."""
    page = browser.new_context(viewport=viewport, **settings).new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready=all]")
    return page


def fill(page: Any, runner: Mapping[str, Any]) -> None:
    """Type a runner into the form."""
    for name, value in runner.items():
        field = page.locator(f"#field-{name}")
        group = page.locator("details.group", has=field)
        if group.get_attribute("open") is None:
            group.locator("summary").click()
        if field.locator("[type=radio]").count():
            field.locator(f"[value='{value}']").check(force=True)
        else:
            field.locator("input").fill(str(value))


def answered(page: Any, runner: Mapping[str, Any]) -> None:
    """Type a runner, ask for the answer, and wait for it."""
    fill(page, runner)
    page.click("button[type=submit]")
    page.wait_for_function("n => document.querySelector('#record').dataset.count == n", arg=len(runner))


__all__ = ["PHONE", "WIDE", "answered", "browsing", "chromium", "fill", "opened", "served"]
