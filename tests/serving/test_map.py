"""POST /map asks what a roster file leaves open, as `pfps map --ask` does, and keeps nothing of the file."""

import json
import tempfile

import pytest

from pfps_ml.core.messages import sentence
from pfps_ml.io.mapping_dialogue import answered, map_text, questions_of
from pfps_ml.io.roster import propose_map
from tests.rosters import GOOD, roster
from tests.serving.client import CANARY, THEIRS, refusal
from tests.serving.test_score_roster import left

pytestmark = THEIRS
SQUAD = (
    "Squad no,Age,Sex,Weight,Hip abd (N),Knee,Coach says\n"
    f"1,30,F,60,150,no,{CANARY}\n2,31,M,70,190,yes,{CANARY} Anna\n3,29,F,65,160,no,\n"
)
ANSWERS = [{"id": "ask_pain:Knee", "answer": "yes"}, {"id": "ask_lever_arm:Hip abd (N)", "answer": "0.4"}]


def ask_map(client, text=SQUAD, answers=None, **files):
    files |= {} if answers is None else {"answers": ("answers.json", json.dumps(answers).encode())}
    return client.post("/map", files={"roster": ("squad.csv", text.encode()), **files})


def test_the_questions_and_the_map_are_those_of_the_command(client, tmp_path):
    proposed = propose_map(roster(tmp_path, SQUAD))
    reply = ask_map(client).json()
    assert reply["questions"] == [question.as_dict() for question in questions_of(proposed)]
    assert reply["map"] == map_text(proposed) and reply["needed"] and reply["unread"] == ["Coach says"]
    for given in ANSWERS:
        (question,) = [each for each in questions_of(proposed) if each.id == given["id"]]
        proposed = answered(proposed, question, given["answer"])
    reply = ask_map(client, answers=ANSWERS).json()
    assert reply["questions"] == [] and reply["map"] == map_text(proposed)


def test_the_map_of_the_answers_scores_the_file_and_without_them_nobody_is_scored(client):
    def sent(text):
        files = {"roster": ("squad.csv", SQUAD.encode()), "map": ("map.toml", text.encode())}
        return client.post("/score_roster", files=files)

    error = refusal(sent(ask_map(client).json()["map"]), 422)
    assert [fault["field"] for fault in error["faults"]] == ["current_knee_pain"]  # who is sore is not passed over
    answer = sent(ask_map(client, answers=ANSWERS).json()["map"])
    assert answer.headers["x-pfps-counts"] == "in=3; scored=3; partly=0; rejected=0"


def test_a_second_file_is_read_by_the_map_of_the_first_without_a_question(client):
    first = ask_map(client, answers=ANSWERS).json()["map"]
    reply = ask_map(client, SQUAD.replace("\n1,30", "\n11,33"), map=("map.toml", first.encode())).json()
    assert reply["questions"] == [] and "lever_arm_m = 0.4" in reply["map"]


def test_a_roster_with_the_dictionarys_names_needs_no_map(client):
    reply = ask_map(client, GOOD).json()
    assert not reply["needed"] and reply["questions"] == [] and reply["unread"] == ["notes"]


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (b"{", "answers_unreadable"),
        (b"[" * 100_000, "answers_unreadable"),
        (b'{"id": "a", "answer": "b"}', "answers_unreadable"),
        (b'[{"id": "ask_pain:Knee"}]', "answers_unreadable"),
        (b'[{"id": "ask_pain:Knee", "answer": "perhaps"}]', "answer_of_list_invalid"),
        (b'[{"id": "ask_pain:Elbow", "answer": "yes"}]', "answer_of_list_invalid"),
        (json.dumps([ANSWERS[0]] * 2).encode(), "answer_of_list_invalid"),
    ],
)
def test_answers_that_fit_no_question_are_refused_in_words(client, answers, code):
    files = {"roster": ("squad.csv", SQUAD.encode()), "answers": ("answers.json", answers)}
    reply = client.post("/map", files=files)
    error = refusal(reply, 400)
    assert error["message"].startswith("expected ") and CANARY not in reply.text
    places = {"place": 2 if answers.count(b"yes") == 2 else 1}
    assert error["message"].startswith(sentence(code, places))


def test_nothing_of_the_file_touches_the_disk_or_stays_in_memory(client, tmp_path, monkeypatch):
    # whatever would put a temporary file into the usual folder fails
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    before = left()
    assert ask_map(client, answers=ANSWERS).status_code == 200
    assert left() == before


def test_free_text_is_shown_to_nobody_and_logged_nowhere(client, logged):
    reply = ask_map(client)
    assert reply.status_code == 200 and CANARY not in reply.text and "Anna" not in reply.text
    assert CANARY not in "\n".join(line for line in logged().splitlines() if "httpx" not in line)


def test_a_file_that_is_too_large_or_has_no_name_that_is_known_is_refused(client):
    large = {"roster": ("squad.csv", bytes(20_000_001))}
    assert refusal(client.post("/map", files=large), 413)
    reply = ask_map(client, "Anna Beispiel,x\nBen Muster,y\n")
    assert refusal(reply, 400) and "Anna" not in reply.text
