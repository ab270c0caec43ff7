"""For a patient: pathways side by side, what is not open and why, the tests, and what if."""

import json

import pytest

from benchmarks.page import gap, random_runners
from pfps_ml.domain.dictionary import ARMS, BY_NAME, FIELDS
from pfps_ml.domain.input_validation import check, complete
from pfps_ml.model.prediction import onset_to_json, pathways_to_json, predictor_from_json
from pfps_ml.workflows.pictures import PATIENT, RUNNER, answered
from tests.page.looking import assessed

pytestmark = pytest.mark.slow

TRIED = {"weekly_distance_km": 20, "longest_run_spike_pct": 5, "knee_extension_nm_kg": 2.4}


def shown(page, label):
    row = page.locator("#whatif .change", has=page.locator(f".name:text-is('{label}')"))
    return row.locator("strong").inner_text(), row.locator(".range").inner_text()


def percent(value):
    return f"{100 * value:.1f} %" if abs(100 * value) < 9.95 else f"{100 * value:.0f} %"


def test_pathways_stand_side_by_side_against_usual_care_with_their_intervals(page, address):
    answered(page, PATIENT | {"failed_conventional_care": "yes"})
    answer = assessed(address, PATIENT | {"failed_conventional_care": "yes"})
    assert page.locator(".arm h3").all_inner_texts() == [arm.label for arm in ARMS]
    tops = {round(arm.bounding_box()["y"]) for arm in page.locator(".arm").all()}
    assert len(tops) == 1
    for arm, found in zip(page.locator(".arm").all(), answer["pathways"], strict=True):
        low, likely, high = (round(100 * found[name]) for name in ("low", "probability", "high"))
        text = arm.inner_text()
        assert f"about {likely} in 100" in " ".join(text.split()) and f"{low} to {high}" in text
        if found["effect"] is not None:
            more = round(100 * found["effect"])
            assert ("no more" if more == 0 else f"{abs(more)} {'more' if more > 0 else 'fewer'}") in text
        assert arm.locator(".interval").count() == (found["effect"] is not None)


def test_where_nothing_is_preferred_the_page_says_so_and_why(page, address):
    answered(page, PATIENT)
    preference = assessed(address, PATIENT)["preference"]
    assert preference["preferred"] is None
    verdict = page.inner_text("#pathways .verdict")
    assert verdict.startswith("No pathway is preferred.") and preference["text"] in verdict
    assert page.locator(".arm.preferred").count() == 0
    assert page.locator(".arm .chip:text-is('acceptable')").count() == len(preference["acceptable"])


def test_an_injection_that_is_not_open_says_why_and_has_no_numbers(page):
    answered(page, PATIENT)
    closed = page.locator(".arm.closed")
    arm = next(arm for arm in ARMS if arm.requires)
    assert closed.locator("h3").inner_text() == arm.label
    assert arm.why_not.text in closed.inner_text() and "not eligible" in closed.inner_text()
    assert closed.locator(".people").count() == 0


def test_the_tests_say_whether_they_agree(page, address):
    answered(page, PATIENT)
    texts = [each["text"] for each in assessed(address, PATIENT)["tests"]]
    assert page.locator("#tests li").count() == len(texts)
    assert all(text in page.inner_text("#tests") for text in texts)


def test_a_runner_without_a_visit_sees_no_pathways(page):
    answered(page, RUNNER)
    assert page.is_hidden("#pathways") and page.is_hidden("#tests")


def test_a_preferred_pathway_stands_out(page):
    def prefer(route):
        reply = route.fetch()
        answer = reply.json()
        found = answer["preference"] or {}  # none before the visit's first field is there
        answer["preference"] = found | {
            "acceptable": ["hip"],
            "preferred": "hip",
            "text": "Hip strengthening: likelier.",
        }
        route.fulfill(response=reply, json=answer)

    # no released bundle has earned a preference yet, so the service's answer is changed on its way
    page.route("**/assess", prefer)
    answered(page, PATIENT)
    assert page.inner_text("#pathways .verdict") == "One pathway is preferred. Hip strengthening: likelier."
    assert page.locator(".arm.preferred h3").inner_text() == "Hip strengthening"
    assert page.locator(".arm .chip:text-is('another is better')").count() == 2


def test_sliders_are_for_levers_alone_and_markers_are_locked_with_the_reason(page):
    answered(page, PATIENT)
    levers = [f"w-{field.name}" for field in FIELDS if field.role == "lever"]
    assert page.locator("#whatif input").evaluate_all("all => all.map((each) => each.id)") == levers
    locked = page.inner_text("#whatif .locked")
    assert "Locked, because they are markers" in locked
    markers = [field.label for field in FIELDS if field.role == "marker" and field.name in PATIENT]
    assert markers and all(label in locked for label in markers)
    assert "A model's estimate, not a promise" in page.inner_text("#whatif")


def test_what_if_answers_as_the_service_would_and_can_be_undone(page, address):
    answered(page, PATIENT)
    before = shown(page, "Risk")
    for name, value in TRIED.items():
        page.fill(f"#w-{name}", str(value))
    now = assessed(address, PATIENT | TRIED)
    assert shown(page, "Risk")[0] == percent(now["risk"]["probability"])
    for found in now["pathways"]:
        if found["eligible"]:
            label = next(arm.label for arm in ARMS if arm.name == found["arm"])
            assert shown(page, label)[0] == percent(found["probability"])
    page.click("#whatif button:text-is('Undo')")
    last = BY_NAME["knee_extension_nm_kg"]
    undone = assessed(address, PATIENT | TRIED | {last.name: PATIENT[last.name]})
    assert shown(page, "Risk")[0] == percent(undone["risk"]["probability"])
    assert page.input_value(f"#w-{last.name}") == str(PATIENT[last.name])
    page.click("#whatif button:text-is('Back to what was entered')")
    assert shown(page, "Risk") == before
    assert page.is_disabled("#whatif button:text-is('Undo')")


def test_a_lever_that_was_not_measured_cannot_be_moved(page):
    answered(page, {name: value for name, value in RUNNER.items() if name != "knee_extension_nm_kg"})
    assert page.locator("#w-knee_extension_nm_kg").count() == 0
    assert "Not measured, so there is nothing to change it from." in page.inner_text("#whatif")


def test_a_thousand_runners_and_patients_are_answered_by_the_browser_as_by_the_service(page, address):
    assert gap(page, address, random_runners(1_000, 5)) < 1e-9


def test_tables_of_two_fields_and_steps_are_read_as_the_library_reads_them(page, bundle):
    onset, pathways = onset_to_json(bundle.predictor), pathways_to_json(bundle.predictor)
    members = len(onset["model"]["intercept"])
    heights = [[0.1 * (row - column) for column in range(5)] for row in range(4)]
    pair = {"type": "pair", "fields": ["age_years", "weekly_distance_km"], "cuts": [[20.0, 40.0], [10.0, 30.0, 50.0]]}
    onset["model"]["terms"].append(pair | {"values": [[[each] * members for each in row] for row in heights]})
    onset["explanation"]["shares"]["age_years"]["terms"].append(
        pair | {"values": [[[each] for each in row] for row in heights]}
    )
    runners = [
        {"age_years": age, "sex": "male", **given}
        for age in (20, 20.5, 40, 60)
        for given in ({}, {"weekly_distance_km": 10}, {"weekly_distance_km": 30.5}, {"weekly_distance_km": 99})
    ]
    names = sorted({name for runner in runners for name in runner})
    checked = check({name: [runner.get(name) for runner in runners] for name in names})
    columns = complete({f.name: checked.values.get(f.name, float("nan")) for f in FIELDS if f.kind != "text"})
    expected = predictor_from_json(onset, pathways).predict(
        {n: c.to_numpy() if hasattr(c, "to_numpy") else c for n, c in columns.items()}
    )
    found = page.evaluate(
        """async ([onset, pathways, runners]) => {
        const { makeModel } = await import("/page/model.js");
        const tables = { ...await (await fetch("/tables")).json(), onset, pathways };
        return runners.map(makeModel(tables));
    }""",
        [json.loads(json.dumps(onset)), pathways, runners],
    )
    for at, each in enumerate(found):
        for name in ("probability", "low", "high"):
            theirs = getattr(expected.risk, "value" if name == "probability" else name)[at]
            assert each["risk"][name] == pytest.approx(theirs, abs=1e-9)
        assert each["risk"]["base_margin"] == pytest.approx(expected.base[at], abs=1e-9)
