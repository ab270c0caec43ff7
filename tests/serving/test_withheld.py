"""The endpoint: a red flag, an arm that is not open and a diagnosis in doubt, as one runner and in rosters."""

import csv
import io

from tests.model.test_withheld import GIRL, NEGATIVE, OPEN, SWOLLEN
from tests.serving.client import THEIRS, ask

pytestmark = THEIRS
CODES = ["large_effusion_recent", "large_effusion_late", "stiff_and_swollen"]


def test_a_red_flag_answers_200_with_what_to_do_and_no_number(client):
    answer = ask(client, **SWOLLEN)
    assert answer.status_code == 200
    found = answer.json()
    assert [rule["code"] for rule in found["withheld"]] == CODES
    assert found["risk"] is found["pathways"] is found["preference"] is found["tests"] is None
    assert found["reasons"] == found["measure_next"] == [] and found["drivers"] == {}
    assert [caution["code"] for caution in found["cautions"]] == CODES  # nothing is said twice
    assert found["cautions"][0]["text"].startswith("See a doctor within days")


def test_a_red_flag_in_a_list_of_runners_is_scored_and_counted_so(client):
    runners = [{"runner_id": "A-1", **SWOLLEN}, {"runner_id": "A-2", "age_years": 30, "sex": "female"}]
    found = client.post("/assess_roster", json={"runners": runners}).json()
    assert (found["counts"]["in"], found["counts"]["scored"]) == (2, 2)
    first, second = (row["assessment"] for row in found["rows"])
    assert [rule["code"] for rule in first["withheld"]] == CODES and first["risk"] is None
    assert second["withheld"] == [] and second["risk"]


def test_a_file_of_runners_has_the_codes_and_empty_numbers(client):
    text = f"runner_id,{','.join(SWOLLEN)}\nR-1,{','.join(map(str, SWOLLEN.values()))}\n"
    answer = client.post("/score_roster", files={"roster": ("squad.csv", text.encode(), "text/csv")})
    (row,) = csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")))
    assert (row["status"], row["risk_12m"], row["p_hip"]) == ("scored", "", "")
    assert row["withheld"] == ", ".join(CODES) and row["cautions"].startswith("See a doctor within days")


def test_an_injection_for_a_girl_is_not_eligible_for_her_age_and_the_time(client):
    found = ask(client, **GIRL).json()
    closed = next(part for part in found["pathways"] if part["arm"] == "injection")
    assert not closed["eligible"] and closed["probability"] is None
    assert {reason["code"] for reason in closed["why_not"]["parameters"]["reasons"]} == {
        "injection_under_18",
        "injection_before_three_months",
    }


def test_a_diagnosis_in_doubt_is_said_before_anything_else(client):
    found = ask(client, **OPEN, **NEGATIVE).json()
    assert found["cautions"][0]["code"] == "all_tests_negative" and found["pathways"]
