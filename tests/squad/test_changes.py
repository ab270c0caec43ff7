"""What changed since an earlier file: only the runners, never the model, and nothing where nothing can be compared."""

import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError
from tests.rosters import roster
from tests.squad.pages import HEADER, SQUAD, report_data, text_of


def since(bundle, folder, earlier, text=SQUAD):
    data = report_data(bundle, folder, text, since=roster(folder, earlier, "earlier.csv"))
    return data, text_of("changes", data)


def column(name, values, text=SQUAD):
    """Return the roster with a column more."""
    head, *lines = text.splitlines()
    return "\n".join([f"{head},{name}", *(f"{line},{values(at)}" for at, line in enumerate(lines))]) + "\n"


def test_without_an_earlier_file_nothing_is_said_of_it(bundle, tmp_path):
    data = report_data(bundle, tmp_path)
    assert data.changes is None
    assert text_of("changes", data) == ""


def test_whose_risk_moved_is_told_with_what_moved_it_most_and_the_others_are_counted(bundle, tmp_path):
    data, page = since(bundle, tmp_path, SQUAD.replace("S-1,Club,21,female,yes", "S-1,Club,21,female,no"))
    (move,) = data.changes.moved
    place = [data.screening.ids[at] for at in data.screening.by_risk].index("S-1")
    assert (move.runner, move.now) == ("S-1", data.risks[place])
    assert move.points == pytest.approx(100 * (move.now - move.before))
    assert move.why == "Earlier runner's knee: no, now yes"
    assert "Of 12 runners scored in both files, the risk of 1 moved" in page


def test_risks_that_rose_come_before_those_that_fell_and_what_was_not_known_is_called_so(bundle, tmp_path):
    earlier = SQUAD
    for name, then, now in (("S-1,Club,21,female", "no", "yes"), ("S-5,Club,25,female", "yes", "no"),
                            ("S-2,Club,22,male", "", "yes")):  # fmt: skip
        earlier = earlier.replace(f"{name},{now}", f"{name},{then}")
    data, _ = since(bundle, tmp_path, earlier)
    moves = data.changes.moved
    assert [move.points for move in moves] == sorted((move.points for move in moves), reverse=True)
    assert moves[-1].why == "Earlier runner's knee: yes, now no"
    assert "Earlier runner's knee: not known, now yes" in {move.why for move in moves}


def test_a_file_of_the_same_answers_has_no_risk_that_moved(bundle, tmp_path):
    data, page = since(bundle, tmp_path, SQUAD)
    assert data.changes.moved == ()
    assert "the risk of none moved" in page


def test_who_has_knee_pain_since_who_is_new_and_who_left_are_named(bundle, tmp_path):
    now = SQUAD.replace("S-4,Club,24,male,no,4,no", "S-4,Club,24,male,no,4,yes").replace("S-11,", "S-99,")
    data, page = since(bundle, tmp_path, SQUAD, now)
    assert (data.changes.in_pain, data.changes.new, data.changes.gone) == (("S-4",), ("S-99",), ("S-11",))
    assert "Knee pain since then S-4 New S-99 No longer here S-11" in page


@pytest.mark.parametrize("rejected", ["now", "then", "both"])
def test_a_runner_who_was_rejected_is_neither_new_nor_gone_but_not_compared(bundle, tmp_path, rejected):
    bad = SQUAD.replace("S-3,Club,23", "S-3,Club,230")
    data, page = since(bundle, tmp_path, SQUAD if rejected == "now" else bad, SQUAD if rejected == "then" else bad)
    found = data.changes
    assert (found.new, found.gone, found.unread, found.compared) == ((), (), ("S-3",), 11)
    assert "In both files, but rejected: not compared S-3" in page


def test_an_earlier_file_of_whom_all_are_rejected_leaves_nothing_to_compare(bundle, tmp_path):
    data, page = since(bundle, tmp_path, SQUAD.replace("Club,2", "Club,20").replace("Club,3", "Club,30"))
    assert data.changes.compared == 0
    assert len(data.changes.unread) == 12
    assert "scored in both files" not in page


def test_an_earlier_file_with_other_ids_is_said_and_calls_nobody_new_or_gone(bundle, tmp_path):
    data, page = since(bundle, tmp_path, SQUAD.replace("S-", "Q-"))
    assert (data.changes.new, data.changes.gone, data.changes.compared) == ((), (), 0)
    assert "None of its runners is in this squad" in page
    assert "pseudonyms" in page


def test_an_earlier_file_that_was_never_scored_is_said_to_be_assessed_anew(bundle, tmp_path):
    _, page = since(bundle, tmp_path, SQUAD)
    assert f"had not been scored; its runners were assessed again with {bundle.name}" in page


def test_a_file_that_this_bundle_scored_needs_no_word_even_with_rejected_rows(bundle, tmp_path):
    source = roster(tmp_path, SQUAD.replace("S-3,Club,23", "S-3,Club,230"), "source.csv")
    score_roster(source, tmp_path / "scored.csv", bundle)
    data = report_data(bundle, tmp_path, since=tmp_path / "scored.csv")
    assert data.changes.notes == ()
    assert data.changes.unread == ("S-3",)
    assert "assessed again" not in text_of("changes", data)


@pytest.mark.parametrize(
    ("name", "told"), [("bundle", "was scored with another bundle"), ("note", "does not say which bundle scored it")]
)
def test_a_file_that_another_bundle_scored_or_nobody_knows_which_is_said_to_be_assessed_anew(
    bundle, tmp_path, name, told
):
    scored = column("risk_12m", lambda _: 0.9, column("status", lambda _: "scored"))
    _, page = since(bundle, tmp_path, column(name, lambda _: "other-9.9 (of another world)", scored))
    assert f"The earlier file {told}; its runners were assessed again with {bundle.name}" in page
    assert "the risk of none moved" in page


def test_an_earlier_file_of_two_seasons_is_said(bundle, tmp_path):
    _, page = since(bundle, tmp_path, column("Season", lambda at: 2024 + at % 2))
    assert "The earlier file mixes 2 seasons" in page


@pytest.mark.parametrize("text", ["", "name,age\nA,30\n", HEADER + "S-1,Club,30,female,no,3,no\n" * 201])
def test_an_earlier_file_that_cannot_be_read_is_named_as_that(bundle, tmp_path, text):
    with pytest.raises(InputError, match=r"^in the earlier file: expected"):
        since(bundle, tmp_path, text)
