"""The form, its faults, the risk and its reasons, as a clinician meets them."""

import math

import pytest

from pfps_ml.domain.dictionary import BY_NAME, INPUTS
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.workflows.pictures import PATIENT, RUNNER, answered, fill
from tests.page.looking import assessed

pytestmark = pytest.mark.slow

KEYSTROKE, THOUGHT, MINUTE = 0.28, 1.35, 60  # seconds: an average typist, a mental step (Card, Moran and Newell 1980)


def numbers(page, selector):
    return [
        float(text.replace("\N{MINUS SIGN}", "-").replace("±", "").strip(" %\N{NO-BREAK SPACE}"))
        for text in page.locator(selector).all_inner_texts()
    ]


def test_the_form_is_the_dictionarys_in_its_groups_with_units_limits_and_help(page):
    groups = [text.split("\n")[0].lower() for text in page.locator(".group > summary").all_inner_texts()]
    assert groups == list(dict.fromkeys(field.group for field in INPUTS))
    for field in INPUTS:
        drawn = page.locator(f"#field-{field.name}")
        text = drawn.text_content()
        assert field.label in text and field.question in text and field.meaning in text and field.limits in text
        assert field.unit in text
        if field.kind == "choice":
            silent = [] if field.required else ["not measured"]
            assert drawn.locator(".option").all_text_contents() == [*field.levels, *silent]
        elif not field.required:
            silent = "optional" if field.kind == "text" else "not measured"
            assert drawn.locator("input").get_attribute("placeholder") == silent


def test_faults_stand_at_their_fields_in_the_services_words_and_go_once_mended(page):
    fill(page, RUNNER | {"age_years": 130, "weekly_distance_km": "many"})
    page.click("button[type=submit]")
    page.wait_for_selector("#field-age_years.wrong")
    assert page.inner_text("#fault-age_years") == f"Expected {BY_NAME['age_years'].limits}, got 130"
    assert page.inner_text("#fault-weekly_distance_km") == f"Expected {BY_NAME['weekly_distance_km'].limits}, got text"
    assert page.get_attribute("#f-age_years", "aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "f-age_years"
    assert page.is_hidden("#found")
    answered(page, RUNNER)
    assert page.inner_text("#fault-age_years") == "" and page.get_attribute("#f-age_years", "aria-invalid") is None


def test_what_is_needed_is_asked_for_only_when_the_answer_is(page):
    fill(page, {"weekly_distance_km": 30})
    page.press("#f-weekly_distance_km", "Tab")
    page.wait_for_load_state("networkidle")  # whatever the page would ask has been asked and answered
    assert page.locator(".field.wrong").count() == 0
    page.click("button[type=submit]")
    page.wait_for_selector("#field-sex.wrong")
    assert page.inner_text("#fault-age_years").startswith("Is required")


def test_a_decimal_comma_is_read_and_one_that_may_mean_thousands_is_refused(page):
    answered(page, {"age_years": 30, "sex": "male", "weight_kg": "61,5"})
    assert "61.5\N{NO-BREAK SPACE}kg" in page.locator("#record").text_content()
    fill(page, {"weekly_distance_km": "1,900"})
    page.click("button[type=submit]")
    page.wait_for_selector("#field-weekly_distance_km.wrong")


@pytest.mark.parametrize(
    "typed", ["0x1F", "1e999", "Infinity", "NaN", "3 0", "30 km", "1e1", "--3", "10/2", "<b>3</b>"]
)
def test_what_is_no_plain_number_is_refused_at_its_field_and_never_taken_for_not_measured(page, typed):
    fill(page, {"age_years": 30, "sex": "male", "weekly_distance_km": typed})
    page.click("button[type=submit]")
    page.wait_for_selector("#field-weekly_distance_km.wrong")
    assert page.is_hidden("#found") and page.locator(".field.wrong").count() == 1


def test_a_minus_sign_of_a_word_processor_is_a_minus(page):
    answered(page, {"age_years": 30, "sex": "male", "foot_posture_index": "\N{MINUS SIGN}5"})
    assert "-5\N{NO-BREAK SPACE}points" in page.locator("#record").text_content()


def test_markup_in_a_pseudonym_is_shown_as_it_was_typed(page):
    answered(page, {"runner_id": "<img src=x onerror=alert(1)>", "age_years": 30, "sex": "male"})
    assert "<img src=x onerror=alert(1)>" in page.locator("#record").text_content()
    assert page.locator("#record img").count() == 0


def test_a_bundle_taken_up_since_the_page_was_opened_brings_its_tables(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    page.route("**/assess", lambda route: route.fulfill(json=route.fetch().json() | {"bundle": "pfps-next"}))
    answered(page, RUNNER)
    assert "tables" in asked


def test_the_risk_is_a_percentage_of_a_hundred_people_between_its_ends_beside_the_average(page, address):
    answered(page, RUNNER)
    risk = assessed(address, RUNNER)["risk"]
    low, likely, high = (round(100 * risk[name]) for name in ("low", "probability", "high"))
    count = {kind: page.locator(f"#risk .people .{kind}").count() for kind in ("sure", "likely", "may", "not")}
    assert count == {"sure": low, "likely": likely - low, "may": high - likely, "not": 100 - high}
    text = page.inner_text("#risk")
    assert f"about {likely} in 100" in text and f"{risk['band']} risk" in text
    assert f"as few as {low} or as many as {high}" in text
    assert f"{100 * risk['average']:.1f}"[:3] in page.inner_text("#risk .mark")
    assert (
        page.locator("#risk .interval .fade").evaluate("e => getComputedStyle(e).backgroundImage").startswith("linear")
    )


def test_the_reasons_lead_from_the_average_to_this_runners_risk_by_driver(page, address):
    answered(page, RUNNER)
    answer = assessed(address, RUNNER)
    start = 100 / (1 + math.exp(-answer["risk"]["base_log_odds"]))
    first, last = numbers(page, "#reasons .total .number")
    parts, shown = numbers(page, "#reasons .driver .number"), numbers(page, "#reasons .driver-name span")
    assert first == pytest.approx(start, abs=0.05)
    assert last == pytest.approx(100 * answer["risk"]["probability"], abs=0.05)
    assert start + sum(parts) == pytest.approx(100 * answer["risk"]["probability"], abs=0.05 * len(answer["reasons"]))
    assert sum(shown) == pytest.approx(sum(parts), abs=0.05 * (len(shown) + len(parts)))
    named = [text.split("\n")[0].lower() for text in page.locator(".driver-name").all_inner_texts()]
    assert set(named) <= set(answer["drivers"])


def test_what_to_measure_next_leads_to_its_field(page, address):
    answered(page, RUNNER)
    best = assessed(address, RUNNER)["measure_next"][0]
    button = page.locator("#measure button").first
    assert button.inner_text() == best["label"]
    assert f"± {best['gain']:.1f}" in page.locator("#measure li").first.inner_text()
    button.click()
    assert page.locator(f"#field-{best['field']} :focus").count() == 1


def test_the_answer_follows_the_form_without_asking_again(page):
    answered(page, RUNNER)
    before = page.inner_text("#risk-percent")
    page.locator("#field-prior_pfps [value=no]").check(force=True)
    page.wait_for_function("before => document.querySelector('#risk-percent').innerText !== before", arg=before)


def test_current_knee_pain_gets_no_risk_and_is_told_why(page):
    answered(page, RUNNER | {"current_knee_pain": "yes"})
    text = page.inner_text("#risk")
    assert "No risk is given" in text and "this runner has knee pain now" in text and "A visit is advised" in text
    assert page.is_hidden("#reasons") and page.is_hidden("#measure") and page.is_hidden("#whatif")
    assert "not scored for onset" in page.inner_text("#cautions")


def test_a_runner_outside_what_the_model_has_seen_is_cautioned(page):
    answered(page, RUNNER | {"age_years": 90, "weekly_distance_km": 240})
    assert "Age is outside what the model has seen" in page.inner_text("#cautions")
    assert "Weekly distance is outside what the model has seen" in page.inner_text("#cautions")


def test_ten_fields_typed_with_the_keyboard_alone_take_less_than_a_minute(page):
    typed = [(name, value) for name, value in RUNNER.items() if BY_NAME[name].kind != "choice"][:8]
    choices = ("sex", "prior_pfps")
    pressed = 0
    for name, value in typed:
        page.focus(f"#f-{name}")
        page.keyboard.type(str(value))
        pressed += len(str(value)) + 2  # and at most two stops to get there: the help, and the field
    for name in choices:
        page.locator(f"#field-{name} input").first.focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        pressed += 4
    page.keyboard.press("Enter")
    page.wait_for_selector("#found:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "answer"
    assert (pressed + 1) * KEYSTROKE + (len(typed) + len(choices)) * THOUGHT < MINUTE


def test_clearing_the_form_takes_the_answer_away(page):
    answered(page, PATIENT)
    page.click("button[type=reset]")
    page.wait_for_selector("#found", state="hidden")
    assert page.is_disabled("#print")


def test_the_notice_is_on_every_tab_and_has_nothing_that_would_turn_it_off(page):
    for tab in ("one", "roster", "about"):
        page.click(f"#tab-{tab}")
        assert page.is_visible("#notice") and page.inner_text("#notice") == NOTICE
    assert page.locator("#notice *").count() == 0


def test_the_model_card_is_one_step_away(page, bundle):
    page.click("#tab-about")
    page.wait_for_selector("#card h2")
    assert page.inner_text("#card h2") == bundle.name
    assert "Intended use" in page.inner_text("#card")
