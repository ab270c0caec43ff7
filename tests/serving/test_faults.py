"""What a program reads of a refusal: the code of each fault, its fields and its parameters; no sentence."""

from tests.serving.client import RUNNER, THEIRS, ask

pytestmark = THEIRS


def test_a_program_reads_what_is_wrong_from_codes_fields_and_parameters(client):
    wrong = {"age_years": 255, "sex": "x", "foot_posture_index": 2.5, "akps": None, "weight_lb": 130, "club": 7}
    wrong |= {"height_cm": 10**400, "stairs_pain": True, "weekly_distance_km": "1,5", "step_rate_spm": []}
    faults = ask(client, **RUNNER | wrong).json()["error"]["faults"]
    read = {fault["fields"][0]: (fault["code"], fault["parameters"].get("value")) for fault in faults}
    assert read == {
        "age_years": ("outside_limits", 255), "sex": ("not_a_level", None), "foot_posture_index": ("not_whole", 2.5),
        "weight_kg": ("key_resembles_field", None), "club": ("text_invalid", None), "height_cm": ("not_finite", None),
        "stairs_pain": ("true_or_false", None), "weekly_distance_km": ("not_a_number", None),
        "step_rate_spm": ("is_a_list", None),
    }  # fmt: skip
    missing = ask(client).json()["error"]["faults"]
    assert [(fault["row"], fault["fields"], fault["code"]) for fault in missing] == [
        (0, ["age_years"], "required"), (0, ["sex"], "required")]  # fmt: skip


def test_the_row_of_a_roster_says_its_faults_with_codes_beside_the_text(client):
    rows = [RUNNER | {"age_years": 255}, RUNNER | {"runner_id": ""}, 3]
    answer = client.post("/assess_roster", json={"runners": rows}).json()
    codes = [[fault["code"] for fault in row["faults"]] for row in answer["rows"]]
    assert codes[0] == ["outside_limits"] and codes[2] == ["id_missing", "row_is_no_object"]
    for row in answer["rows"]:
        for fault in row["faults"]:
            assert fault["text"] in row["problems"]
