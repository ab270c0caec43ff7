"""The pictures in README and guides, of the clinician's page and of the example squad's report: `make screenshots`.

They are taken by a browser at the page, which tests use, too; `make system` installs Chromium.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image

from pfps_ml.core import Message, MissingLibrary
from pfps_ml.core.console import command, say, steps
from pfps_ml.model import Bundle, released_bundle
from pfps_ml.squad.report import write_squad

HOUSE = Path(__file__).parents[2]
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

    browser_path = chromium()
    if browser_path is None:
        raise MissingLibrary(Message("browser_missing"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(_FLAGS))
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "pfps"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    variables = os.environ | {"OMP_NUM_THREADS": "1", "BENTOML_DO_NOT_TRACK": "True"} | dict(settings or {})
    process = subprocess.Popen(command, cwd=HOUSE, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
            option = field.locator(f"[value='{value}']")
            option.evaluate("option => option.scrollIntoView({block: 'center'})")  # from under the bars that stick
            option.check(force=True)
        else:
            field.locator("input").fill(str(value))


def answered(page: Any, runner: Mapping[str, Any]) -> None:
    """Type a runner, ask for the answer, and wait for it."""
    fill(page, runner)
    page.click("button[type=submit]")
    page.wait_for_function("n => document.querySelector('#record').dataset.count == n", arg=len(runner))


OUT = Path(__file__).parents[2] / "docs"
TALL = {"width": 1360, "height": 1270}
RUNNER: dict[str, Any] = {
    "runner_id": "R-17", "age_years": 27, "sex": "female", "height_cm": 168, "weight_kg": 61,
    "running_experience_years": 4, "weekly_distance_km": 32, "longest_run_spike_pct": 45, "prior_pfps": "yes",
    "prior_running_injury_12m": "no", "knee_extension_nm_kg": 1.9, "foot_posture_index": 7,
}  # fmt: skip
PATIENT: dict[str, Any] = RUNNER | {
    "current_knee_pain": "no", "symptom_duration_months": 8, "worst_pain_mm": 62, "akps": 70, "stairs_pain": "yes",
    "sitting_pain": "yes", "small_knee_bend_pain": "no", "failed_conventional_care": "no",
}  # fmt: skip
TRIED = {"longest_run_spike_pct": "5", "knee_extension_nm_kg": "2.6"}
ROSTER = Path(__file__).parents[2] / "data" / "examples" / "roster.csv"


def main() -> None:
    """Write the pictures."""
    with served() as address, browsing() as browser, steps("screenshots", 6) as tell:
        tell("runner")
        _answer(opened(browser, address), RUNNER, "runner")
        tell("dark")
        _answer(opened(browser, address, color_scheme="dark"), RUNNER, "dark")
        tell("patient")
        _answer(opened(browser, address, TALL), PATIENT, "patient")
        tell("what-if")
        _whatif(opened(browser, address, TALL))
        tell("roster")
        _roster(opened(browser, f"{address}/#roster"))
        tell("phone")
        _phone(opened(browser, address, PHONE, device_scale_factor=2))
    squad_report_pictures()
    for path in sorted((*OUT.glob("page-*.png"), *OUT.glob("squad*.png"))):
        say(f"{path.relative_to(OUT.parent)}: {path.stat().st_size / 1000:.0f} kB")


def _answer(page: Any, runner: dict[str, Any], name: str) -> None:
    answered(page, runner)
    page.evaluate("document.getElementById('form').scrollTop = 0")
    _save(page, name)


def _whatif(page: Any) -> None:
    answered(page, PATIENT)
    for field, value in TRIED.items():
        page.fill(f"#w-{field}", value)
    _save(page.locator("#whatif"), "whatif")


def _roster(page: Any) -> None:
    page.set_input_files("#file", ROSTER)
    page.wait_for_selector("#roster-found:not([hidden])")
    _save(page, "roster")


def _phone(page: Any) -> None:
    answered(page, RUNNER)
    page.locator("#risk").evaluate("risk => window.scrollTo(0, risk.offsetTop - 40)")
    _save(page, "phone")


def _save(part: Any, name: str) -> None:
    picture = Image.open(BytesIO(part.screenshot())).convert("RGB")
    # few colours: a palette holds them, in half of the bytes
    palette = picture.quantize(256)
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(OUT / f"page-{name}.png", optimize=True)


DOCS, SQUAD_ROSTER = HOUSE / "docs", HOUSE / "data" / "examples" / "squad.csv"
_WIDE = {"width": 1000, "height": 800}
_ROWS = 6  # of the runners and of the heat map: more say nothing more in a picture


def squad_report_pictures() -> None:
    """Write the pictures into docs/."""
    with browsing() as browser:
        pictures(browser, released_bundle(), DOCS)


def pictures(browser: Any, bundle: Bundle, out: Path) -> None:
    """Write the pictures: the coach's page, and the beginnings of what stands behind it."""
    with tempfile.TemporaryDirectory(prefix="pfps-") as folder:
        source = Path(folder) / "squad.html"
        write_squad(SQUAD_ROSTER, source, bundle)
        page = browser.new_context(viewport=_WIDE).new_page()
        page.goto(source.as_uri())
        _save_report(page, out / "squad.png", ".front")
        page.add_style_tag(content=f"tbody tr:nth-child(n+{_ROWS + 1}) {{ display: none }}")
        _save_report(page, out / "squad-runners.png", "section:has(table.all) .scroll")
        _save_report(page, out / "squad-drivers.png", "section:has(table.heat) .scroll")


def _save_report(page: Any, path: Path, part: str) -> None:
    box = page.locator(part).bounding_box()
    top = 0 if part == ".front" else box["y"] - 8  # the coach's page has the heading and the notice above it
    clip = {"x": 0, "y": top, "width": _WIDE["width"], "height": box["y"] + box["height"] + 8 - top}
    picture = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")
    # flat colours: a palette holds them all, in a third of the bytes
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    command(main)

__all__ = [
    "DOCS", "PATIENT", "PHONE", "ROSTER", "RUNNER", "SQUAD_ROSTER", "WIDE", "answered", "browsing", "chromium", "fill",
    "main", "opened", "pictures", "served", "squad_report_pictures",
]  # fmt: skip
