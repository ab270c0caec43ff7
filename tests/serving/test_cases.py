"""Two fields that say more than one: the same answer from the endpoint, in a list of runners and in a file."""

import csv
import io
import re

import pytest

from tests.model.test_withheld import GIRL, NEGATIVE, OPEN, SWOLLEN
from tests.serving.client import THEIRS, ask, refusal

pytestmark = THEIRS
CHILD = {"age_years": 12, "sex": "male"}
PATIENT = {"age_years": 30, "sex": "female", "symptom_duration_months": 8, "akps": 70}
# what contradicts, which fields a fault names, and which cells of a roster are set aside
CONTRADICTIONS = [
    (CHILD | {"running_experience_years": 40}, "experience_beyond_age", {"age_years"}, {"running_experience_years"}),
    (CHILD | {"symptom_duration_months": 600}, "symptoms_longer_than_life", {"age_years"}, {"symptom_duration_months"}),
    (PATIENT | {"failed_conventional_care": "yes", "symptom_duration_months": 0}, "failed_care_without_time",
     {"symptom_duration_months"}, {"failed_conventional_care"}),
    (PATIENT | {"sessions_per_week": 10, "weekly_distance_km": 0}, "sessions_without_distance", set(),
     {"sessions_per_week", "weekly_distance_km"}),
]  # fmt: skip


def scored(client, *people):
    """Return the rows of a file of people, scored."""
    names = list(dict.fromkeys(name for person in people for name in person))
    lines = [",".join(["runner_id", *names])]
    lines += [",".join([f"R-{at}", *(str(person.get(name, "")) for name in names)]) for at, person in enumerate(people)]
    answer = client.post("/score_roster", files={"roster": ("squad.csv", "\n".join(lines).encode(), "text/csv")})
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


def listed(client, *people):
    """Return the rows of the answer to a list of people."""
    runners = [{"runner_id": f"R-{at}", **person} for at, person in enumerate(people)]
    return client.post("/assess_roster", json={"runners": runners}).json()["rows"]


@pytest.mark.parametrize(("person", "code", "beside", "aside"), CONTRADICTIONS, ids=[row[1] for row in CONTRADICTIONS])
def test_a_contradiction_is_422_with_both_fields_and_costs_a_roster_only_the_cell(client, person, code, beside, aside):
    answer = ask(client, **person)
    (fault,) = answer.json()["error"]["faults"]
    assert fault["code"] == code and set(fault["fields"]) == beside | aside
    refusal(answer, 422)
    without = {name: value for name, value in person.items() if name not in aside}
    in_file, plain = scored(client, person, without)
    assert (in_file["status"], in_file["problem_codes"]) == ("partly", code)
    assert in_file["risk_12m"] == plain["risk_12m"] != ""
    row, plain_row = listed(client, person, without)
    assert row["status"] == "partly" and row["faults"][0]["code"] == code
    assert row["assessment"]["risk"] == plain_row["assessment"]["risk"]


def test_a_red_flag_is_scored_without_a_number_everywhere(client):
    single, (row,), (line,) = ask(client, **SWOLLEN).json(), listed(client, SWOLLEN), scored(client, SWOLLEN)
    codes = [rule["code"] for rule in single["withheld"]]
    assert codes and [rule["code"] for rule in row["assessment"]["withheld"]] == codes
    assert line["withheld"] == line["caution_codes"] == ", ".join(codes)
    assert single["risk"] is row["assessment"]["risk"] is None and line["risk_12m"] == line["p_hip"] == ""


def test_an_injection_is_closed_to_a_girl_after_a_month_everywhere(client):
    single, (row,), (line,) = ask(client, **GIRL).json(), listed(client, GIRL), scored(client, GIRL)
    for found in (single, row["assessment"]):
        (part,) = [part for part in found["pathways"] if part["arm"] == "injection"]
        assert not part["eligible"] and "18 years" in part["why_not"]["text"] and "3 months" in part["why_not"]["text"]
        assert "injection" not in found["preference"]["acceptable"]
    assert line["p_injection"] == "" != line["p_hip"] and "injection" not in line["acceptable_pathways"]


def test_a_diagnosis_in_doubt_is_said_first_everywhere(client):
    person = OPEN | NEGATIVE
    single, (row,), (line,) = ask(client, **person).json(), listed(client, person), scored(client, person)
    assert single["cautions"][0]["code"] == row["assessment"]["cautions"][0]["code"] == "all_tests_negative"
    assert line["caution_codes"].startswith("all_tests_negative") and line["cautions"].startswith("The diagnosis is in")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"worst_pain_mm": 6}, "worst_pain_of_ten"),
        ({"navicular_drop_mm": 0.8}, "navicular_drop_in_cm"),
        ({"midfoot_mobility_mm": 1.1}, "midfoot_mobility_in_cm"),
        ({"age_years": 40, "symptom_duration_months": 300}, "symptom_duration_in_weeks"),
        ({"height_cm": 168, "weight_kg": 132}, "weight_in_pounds"),
    ],
)
def test_a_number_that_is_more_likely_in_another_unit_is_cautioned_of_everywhere(client, value, code):
    person = PATIENT | value
    single, (row,), (line,) = ask(client, **person).json(), listed(client, person), scored(client, person)
    assert code in [caution["code"] for caution in single["cautions"]]
    assert code in [caution["code"] for caution in row["assessment"]["cautions"]]
    assert code in line["caution_codes"].split(", ") and single["risk"] and line["risk_12m"]


@pytest.mark.parametrize("field", ["height_cm", "weight_kg", "knee_extension_nm_kg"])
def test_a_number_that_fits_in_another_unit_alone_is_a_fault_that_names_the_unit(client, field):
    typed, unit = {"height_cm": (66, "in"), "weight_kg": (300, "lb"), "knee_extension_nm_kg": (250, "N")}[field]
    (fault,) = ask(client, **PATIENT, **{field: typed}).json()["error"]["faults"]
    assert fault["fields"] == [field] and unit in re.search(r"is it in (.+)\?$", fault["text"])[1].split()


def test_knee_pain_that_nobody_asked_about_beside_pain_on_stairs_is_no_contradiction(client):
    person = PATIENT | {"stairs_pain": "yes", "current_knee_pain": "no"}
    single, (line,) = ask(client, **person).json(), scored(client, person)
    assert single["pathways"] and line["status"] == "scored"
    assert "risk_once_pain_free" in [caution["code"] for caution in single["cautions"]]


@pytest.mark.slow
def test_exactly_as_many_rows_as_there_may_be_are_scored_and_one_more_is_refused(client):
    lines = [f"R-{at},30,female" for at in range(100_001)]
    for rows, status in ((100_000, 200), (100_001, 413)):
        text = "\n".join(["runner_id,age_years,sex", *lines[:rows]])
        answer = client.post("/score_roster", files={"roster": ("squad.csv", text.encode(), "text/csv")})
        assert answer.status_code == status
        assert status == 413 or answer.headers["x-pfps-counts"].startswith("in=100000; scored=100000;")
