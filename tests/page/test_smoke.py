"""The page answers a runner, and its tables answer as the service does; the rest of its tests is slow."""

from benchmarks.page import gap, random_runners
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.knowledge.dictionary import INPUTS
from pipelines.browser import answered
from pipelines.screenshots import RUNNER


def test_a_runner_is_answered_on_one_screen_by_tables_that_agree_with_the_service(page, address):
    assert page.locator("form .field").count() == len(INPUTS)
    assert page.inner_text("#notice") == NOTICE
    answered(page, RUNNER)
    for part in ("risk", "reasons", "measure"):
        box = page.locator(f"#{part}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"]
    assert gap(page, address, random_runners(20, 11)) < 1e-9
