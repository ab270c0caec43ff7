"""A choice of unit beside a field: what is sent, which limits are shown, and how a fault is worded."""

import pytest

from pfps_ml.workflows.pictures import RUNNER, answered
from tests.page.looking import assessed, violations
from tests.page.test_patient import percent

pytestmark = pytest.mark.slow


def choose(page, name, unit):
    page.locator(f"#f-{name}").evaluate("input => { input.closest('details').open = true; }")
    page.select_option(f"#u-{name}", unit)


def asked(page):
    """Return the runner that the page sends for an answer."""
    with page.expect_request("**/assess") as request:
        page.click("button[type=submit]")
    return request.value.post_data_json["runner"]


def test_a_number_is_sent_in_the_units_of_the_api_whatever_unit_it_was_typed_in(page):
    page.fill("#f-age_years", "27")
    page.check("[name='f-sex'][value=female]", force=True)
    for name, unit, typed in [
        ("height_cm", "in", "66"),
        ("weight_kg", "lb", "150"),
        ("weekly_distance_km", "miles", "20"),
        ("symptom_duration_months", "years", "2"),
        ("worst_pain_mm", "of 10", "7.1"),
        ("navicular_drop_mm", "cm", "0,8"),
    ]:
        choose(page, name, unit)
        page.fill(f"#f-{name}", typed)
    sent = asked(page)
    assert sent["height_cm"] == pytest.approx(167.64)
    assert sent["weight_kg"] == pytest.approx(68.0388555)
    assert sent["weekly_distance_km"] == pytest.approx(32.18688)
    assert (sent["symptom_duration_months"], sent["worst_pain_mm"], sent["navicular_drop_mm"]) == (24, 71, 8)


def test_the_answer_is_that_of_the_converted_number(page, address):
    choose(page, "height_cm", "m")
    answered(page, RUNNER | {"height_cm": 1.68})
    risk = assessed(address, RUNNER)["risk"]
    shown = page.inner_text("#risk")
    assert all(percent(risk[name]) in shown for name in ("probability", "low", "high"))


def test_the_limits_follow_the_unit_and_a_reset_takes_both_back(page):
    choose(page, "height_cm", "in")
    assert page.inner_text("#ends-height_cm") == "47.3 to 86.6 in"
    page.locator("#form").evaluate("form => form.reset()")
    page.wait_for_function("() => document.querySelector('#ends-height_cm').textContent == '120 to 220 cm'")
    assert page.input_value("#u-height_cm") == "cm"


def test_a_number_outside_the_limits_is_refused_in_the_unit_that_was_chosen(page):
    page.fill("#f-age_years", "27")
    page.check("[name='f-sex'][value=female]", force=True)
    choose(page, "height_cm", "in")
    page.fill("#f-height_cm", "90")
    page.click("button[type=submit]")
    page.wait_for_function("() => document.querySelector('#fault-height_cm').textContent != ''")
    assert page.inner_text("#fault-height_cm") == "Expected 47.3 to 86.6 in, got 90"


def test_the_unit_is_chosen_with_the_keyboard_and_has_a_name_for_a_screen_reader(page):
    page.focus("#f-height_cm")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "u-height_cm"
    page.keyboard.press("ArrowDown")
    assert page.input_value("#u-height_cm") == "in"
    assert page.get_by_role("combobox", name="Unit of Height").count() == 1
    assert violations(page) == []
