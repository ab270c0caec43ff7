"""What the clinician's page costs, and whether it answers as the service does: `python -m benchmarks.page`."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

from pfps_ml.core import generator
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.domain import INPUTS, VISIT, Field
from pfps_ml.workflows.pictures import HOUSE, PATIENT, answered, browsing, opened, served

FILES = HOUSE / "serving" / "page"
RUNNERS, MOVES, LOADS = 1_000, 300, 20
_MODEL = """async (runners) => {
  const { makeModel } = await import("/page/model.js");
  const model = makeModel(await (await fetch("/tables")).json());
  return runners.map(model);
}"""
_MOVE = """([name, value]) => {
  const slider = document.getElementById(name), start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("whatif").getBoundingClientRect();
  return performance.now() - start;
}"""
_LOAD = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const [form, all] = ["form", "all"].map((name) => performance.getEntriesByName(name)[0].startTime);
  return [page.loadEventEnd, form, all];
}"""


def main() -> None:
    """Print weight, time to load, time of what-if, and how far the browser's answers are from the service's."""
    with served() as address, browsing() as browser, steps("page", 3) as tell:
        tell("loads")
        loads = [opened(browser, address).evaluate(_LOAD) for _ in range(LOADS)]
        tell("what-if")
        moves = sorted(_moves(opened(browser, address)))
        tell("runners and patients")
        far = gap(opened(browser, address), address, random_runners(RUNNERS, 7))
    weight = sum(path.stat().st_size for path in FILES.iterdir())
    shown, form, tables = (sorted(each)[LOADS // 2] for each in zip(*loads, strict=True))
    rows = (
        ("weight of the page's files", f"{weight / 1000:.0f} kB", "under 200 kB"),
        ("loaded, median", f"{shown:.0f} ms", "within 300 ms"),
        ("form drawn from /schema, median", f"{form:.0f} ms", "within 300 ms"),
        ("tables read, what-if ready, median", f"{tables:.0f} ms", ""),
        ("what-if after a slider's move, median", f"{moves[MOVES // 2]:.1f} ms", "within 16 ms"),
        ("what-if after a slider's move, slowest of 100", f"{moves[-MOVES // 100]:.1f} ms", "within 16 ms"),
        (f"{RUNNERS:,} random runners and patients, furthest", f"{far:.1e}", "1e-9"),
    )
    table("The clinician's page", ("figure", "found", "asked"), rows)
    say("A patient's what-if: the risk and every pathway, with intervals, drawn again.")


def _moves(page: Any) -> Iterator[float]:
    answered(page, PATIENT)
    for at in range(MOVES):
        yield page.evaluate(_MOVE, ["w-longest_run_spike_pct", str(at % 90)])


def random_runners(count: int, seed: int) -> list[dict[str, Any]]:
    """Return runners and patients whose fields take any value within limits, each missing in some of them."""
    rng = generator(seed, "page")

    def value(field: Field) -> Any:
        if field.kind == "choice":
            return field.levels[int(rng.integers(len(field.levels)))]
        number = round(float(rng.uniform(field.low, field.high)), field.decimals)
        return int(number) if field.kind == "whole" else number

    def runner(at: int) -> dict[str, Any]:
        known, patient = rng.random(), rng.random() < 0.5
        asked = [field for field in INPUTS if field.kind != "text" and (patient or field not in VISIT)]
        found = {field.name: value(field) for field in asked if field.required or rng.random() < known}
        return {"runner_id": f"R-{at}", **found}

    return [runner(at) for at in range(count)]


def gap(page: Any, address: str, runners: list[dict[str, Any]]) -> float:
    """Return how far the browser's numbers are from the service's, at most, over all that the page shows of both.

    The page shows its own numbers beside those of the service alone: none of a runner of whom the service withholds
    them, none of a pathway that the service closes, and no answer at all where a field contradicts another.
    """
    body = json.dumps({"runners": runners, "reasons": 100}).encode()
    request = Request(f"{address}/assess_roster", body, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request) as answer:  # noqa: S310 (an address of our own)
        rows = json.load(answer)["rows"]
    found = page.evaluate(_MODEL, runners)
    pairs = [(ours, row["assessment"]) for ours, row in zip(found, rows, strict=True) if row["status"] == "scored"]
    return max(_apart(*_shown(ours, theirs)) for ours, theirs in pairs if not theirs["withheld"])


def _shown(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both answers without the pathways that the service closes; a pathway that only the page closes stays."""
    if not theirs["pathways"] or not ours["pathways"]:
        return ours, theirs
    is_open = {arm["arm"] for arm in theirs["pathways"] if arm["eligible"]}
    first, second = ({**each, "pathways": [arm for arm in each["pathways"] if arm["arm"] in is_open]}
                     for each in (ours, theirs))  # fmt: skip
    return first, second


def _apart(ours: Any, theirs: Any) -> float:
    """Return the largest difference of two numbers in the same place; infinity where anything else differs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return max((_apart(value, theirs[name]) for name, value in ours.items()), default=0.0)
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        # the service's reasons are ordered by size
        key = "field" if ours and "field" in ours[0] else "arm"
        first, second = (sorted(each, key=lambda part: str(part[key])) for each in (ours, theirs))
        return max(map(_apart, first, second), default=0.0)
    if isinstance(ours, float | int) and isinstance(theirs, float | int):
        return abs(ours - theirs)
    return 0.0 if ours == theirs else float("inf")


if __name__ == "__main__":
    command(main)

__all__ = ["gap", "main", "random_runners"]
