"""The pictures of the clinician's page that the README shows: `make screenshots`."""

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines.browser import PHONE, answered, browsing, opened, served
from pipelines.console import command, say, steps

OUT = Path(__file__).parents[1] / "docs"
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
ROSTER = Path(__file__).parents[1] / "data" / "examples" / "roster.csv"


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
    for path in sorted(OUT.glob("page-*.png")):
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


if __name__ == "__main__":
    command(main)

__all__ = ["PATIENT", "ROSTER", "RUNNER", "main"]
