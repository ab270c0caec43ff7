"""Pseudonyms: who has the key can go back, nobody else; names stay at home; rows in = rows out."""

import datetime as dt
import hashlib
import hmac
import os

import pandas as pd
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError, InvalidInput, OutputError
from pfps_ml.io.mapping import load_mapping
from pfps_ml.io.pseudonyms import LONGEST, SHORTEST, give_back, new_key, pseudonym, pseudonymise, read_key
from pfps_ml.io.roster import read_roster
from tests.rosters import cells, roster

TEXT = (
    "runner_id,Name,age_years,sex,Team,Remarks\n"
    "R-1,Anna Beispiel,30,female,Red,hip\nR-2,Ben Muster,31,male,Red,\n,Cleo Probe,32,female,Blue,knee\n"
    "R-4,Dora Fall,33,female,Blue,\nR-4,Emil Fall,34,male,Blue,\n"
)


@pytest.fixture
def key(tmp_path):
    new_key(tmp_path / "key")
    return tmp_path / "key"


def test_a_pseudonym_is_the_hmac_of_the_id():
    expected = hmac.new(b"k" * 32, b"R-1", hashlib.sha256).hexdigest()
    assert pseudonym("R-1", b"k" * 32) == "P-" + expected[:24]
    assert pseudonym("R-1", b"l" * 32) != pseudonym("R-1", b"k" * 32) != pseudonym("R-2", b"k" * 32)


def test_a_new_key_is_random_and_for_its_owner_alone(tmp_path, key):
    assert key.stat().st_mode & 0o777 == 0o600
    new_key(tmp_path / "other")
    assert len(read_key(key)) == 2 * SHORTEST and read_key(key) != read_key(tmp_path / "other")
    with pytest.raises(OutputError, match="without --new-key"):
        new_key(key)
    with pytest.raises(OutputError):
        new_key(tmp_path / "none" / "key")


@pytest.mark.parametrize(
    ("mode", "length", "told"), [(0o644, 64, "chmod 600"), (0o640, 64, "chmod 600"), (0o600, 31, "32")]
)
def test_a_key_that_others_can_read_or_that_is_short_is_refused(tmp_path, mode, length, told):
    path = tmp_path / "key"
    path.write_bytes(b"k" * length)
    path.chmod(mode)
    with pytest.raises(InputError, match=told):
        read_key(path)
    with pytest.raises(InputError, match="--new-key makes one"):
        read_key(tmp_path / "none")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere", "too long", "blank"])
def test_what_is_no_key_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "key"
    made = {
        "folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "link to nowhere": lambda: path.symlink_to("nowhere"),
        "too long": lambda: path.write_bytes(b"k" * (LONGEST + 1)), "blank": lambda: path.write_bytes(b" \n" * 40),
    }  # fmt: skip
    made[kind]()
    if kind != "link to nowhere":
        path.chmod(0o700 if kind == "folder" else 0o600)
    with pytest.raises(InputError, match=r"^expected a key") as caught:
        read_key(path)
    assert "kkkk" not in caught.value.message


def test_ids_are_replaced_names_left_out_and_every_row_kept(tmp_path, key):
    lines = pseudonymise(roster(tmp_path, TEXT), key, tmp_path / "out.csv")
    after = cells(tmp_path / "out.csv")
    assert list(after[0]) == ["runner_id", "age_years", "sex", "Team"]
    assert [row["age_years"] for row in after] == ["30", "31", "32", "33", "34"]
    marks = [row["runner_id"] for row in after]
    assert marks == [pseudonym(text, read_key(key)) if text else "" for text in ("R-1", "R-2", "", "R-4", "R-4")]
    assert lines == [("rows", "5"), ("runners", "3"), ("columns kept", "4"), ("columns left out", "2"),
                     ("  column 2", "names"), ("  column 6", "free text")]  # fmt: skip


def test_the_same_id_is_the_same_pseudonym_in_every_file_of_any_format(tmp_path, key):
    pseudonymise(roster(tmp_path, TEXT), key, tmp_path / "out.csv")
    frame = pd.DataFrame({"sex": ["male"], "runner_id": [" R-2 "], "age_years": [40]})
    frame.to_parquet(tmp_path / "b.parquet")
    pseudonymise(tmp_path / "b.parquet", key, tmp_path / "b.out.parquet")
    back = pd.read_parquet(tmp_path / "b.out.parquet")
    assert back["runner_id"][0] == cells(tmp_path / "out.csv")[1]["runner_id"]
    assert back["age_years"].dtype == frame["age_years"].dtype


def test_ids_that_are_names_are_replaced_and_their_column_stays(tmp_path, key):
    text = "runner_id,age_years,sex\nAnna Beispiel,30,female\nBen Muster,31,male\nCleo Probe,32,female\n"
    lines = pseudonymise(roster(tmp_path, text), key, tmp_path / "out.csv")
    assert ("columns left out", "0") in lines
    assert "Anna" not in (tmp_path / "out.csv").read_text()


def test_a_map_says_where_the_ids_are(tmp_path, key):
    mapping = tmp_path / "map.toml"
    mapping.write_text('[columns.runner_id]\nfrom = "Player"\n')
    pseudonymise(roster(tmp_path, "Player,age_years,sex\nAnna,30,female\n"), key, tmp_path / "out.csv", mapping=mapping)
    assert cells(tmp_path / "out.csv")[0]["Player"].startswith("P-")


def test_of_a_date_of_birth_that_a_map_reads_only_the_age_is_left(tmp_path, key):
    mapping, text = tmp_path / "map.toml", "runner_id,DOB,sex\nR-1,31.12.1990,female\nR-2,1/2/1991,male\nR-3,x,male\n"
    mapping.write_text('[columns.age_years]\nfrom = "DOB"\nborn = "day first"\non = 2026-01-30\n')
    given = roster(tmp_path, text)
    pseudonymise(given, key, tmp_path / "out.csv", mapping=mapping)
    assert [row["DOB"] for row in cells(tmp_path / "out.csv")] == ["1991-01-28", "1992-01-28", ""]
    before, after = (read_roster(path, mapping).values["age_years"] for path in (given, tmp_path / "out.csv"))
    assert before[:2].tolist() == after[:2].tolist() == [35, 34]


def test_what_a_map_reads_comes_back_as_it_was_after_scoring(tmp_path, key, bundle):
    mapping, text = tmp_path / "map.toml", "Nr,Name,DOB,sex\n1,Anna,31.12.1990,female\n2,Ben,1/2/1991,male\n"
    mapping.write_text(
        '[columns.runner_id]\nfrom = "Nr"\n[columns.age_years]\nfrom = "DOB"\nborn = "day first"\non = 2026-01-30\n'
    )
    given, sent, came, back = (tmp_path / name for name in ("roster.csv", "sent.csv", "came.csv", "back.csv"))
    pseudonymise(roster(tmp_path, text), key, sent, mapping=mapping)
    score_roster(sent, came, bundle, mapping)
    lines = dict(give_back(came, key, given, back, mapping))
    assert lines["columns of the original put back"] == "2"
    after = cells(back)
    assert [row["Nr"] for row in after] == [row["runner_id"] for row in after] == ["1", "2"]
    assert [(row["Name"], row["DOB"]) for row in after] == [("Anna", "31.12.1990"), ("Ben", "1/2/1991")]
    # a roster that was scored before gives back what is the club's, not its stale scores
    score_roster(given, given, bundle, mapping)
    assert dict(give_back(came, key, given, back, mapping)) == lines


def test_a_workbook_may_come_in_and_go_out(tmp_path, key):
    pseudonymise(roster(tmp_path, TEXT), key, tmp_path / "out.xlsx")
    pseudonymise(tmp_path / "out.xlsx", key, tmp_path / "again.csv")
    assert [row["Team"] for row in cells(tmp_path / "again.csv")] == ["Red", "Red", "Blue", "Blue", "Blue"]


def test_neither_the_original_nor_the_key_is_ever_replaced_because_they_are_the_way_back(tmp_path, key):
    given, sent = roster(tmp_path, TEXT), tmp_path / "sent.csv"
    pseudonymise(given, key, sent)
    linked, before = tmp_path / "key.csv", key.read_bytes()
    linked.symlink_to(key)
    for out in (given, linked):
        with pytest.raises(OutputError, match="another file"):
            pseudonymise(given, key, out)
        with pytest.raises(OutputError, match="another file"):
            give_back(sent, key, given, out)
    with pytest.raises(OutputError, match="another file"):
        pseudonymise(given, tmp_path / "new.csv", tmp_path / "new.csv", new=True)
    assert given.read_text() == TEXT and key.read_bytes() == before


def test_a_new_key_is_not_made_for_a_roster_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidInput):
        pseudonymise(roster(tmp_path, "a,b\n1,2\n"), tmp_path / "key", tmp_path / "out.csv", new=True)
    assert not (tmp_path / "key").exists()


def test_who_has_the_key_gets_ids_and_names_back_and_who_has_another_does_not(tmp_path, key):
    given = roster(tmp_path, TEXT)
    pseudonymise(given, key, tmp_path / "sent.csv")
    sent = cells(tmp_path / "sent.csv")
    text = "risk,runner_id,age_years,sex\n" + "".join(
        f"{at},{row['runner_id']},30,male\n" for at, row in enumerate(sent)
    )
    came = roster(tmp_path, text + "9,P-unknown,30,male\n", "came.csv")
    lines = dict(give_back(came, key, given, tmp_path / "back.csv"))
    after = cells(tmp_path / "back.csv")
    assert list(after[0]) == ["risk", "runner_id", "Name", "Team", "Remarks", "age_years", "sex"]
    assert [row["runner_id"] for row in after] == ["R-1", "R-2", "", "R-4", "R-4", "P-unknown"]
    # two rows of the original share an id: whose name it is, nobody can know
    assert [row["Name"] for row in after] == ["Anna Beispiel", "Ben Muster", "", "", "", ""]
    assert list(lines.values()) == ["6", "4", "2", "2", "3"]
    assert lines["of an id that several rows of the original have"] == "2"
    new_key(tmp_path / "other")
    with pytest.raises(InputError, match="another roster, or another key"):
        give_back(came, tmp_path / "other", given, tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()


def test_columns_of_an_earlier_scoring_are_kept_and_not_suspected(tmp_path, key, bundle):
    score_roster(roster(tmp_path, TEXT), tmp_path / "scored.csv", bundle)
    pseudonymise(tmp_path / "scored.csv", key, tmp_path / "out.csv")
    assert {"risk_12m", "reason_1", "problems", "cautions"} <= set(cells(tmp_path / "out.csv")[0])


BORN = {
    "day first": "%d.%m.%Y", "month first": "%m/%d/%Y", "year first": "%Y-%m-%d", "serial": None,
}  # fmt: skip


def born(day, form):
    """Return a date as a club writes it, or as the number that a spreadsheet has for it."""
    return str((day - dt.date(1899, 12, 30)).days) if form is None else day.strftime(form)


DAYS = [dt.date(2028, 1, day) for day in (1, 5, 9, 10, 31)] + [dt.date(2028, 2, 29), dt.date(2028, 12, 31)]


@pytest.mark.parametrize("order", BORN)
def test_ages_are_the_same_before_and_after_on_days_of_one_and_of_two_figures(tmp_path, order):
    ages_stay_the_same(tmp_path, order, DAYS)


@pytest.mark.slow
@pytest.mark.parametrize("order", BORN)
def test_on_each_day_of_a_year_ages_are_the_same_before_and_after(tmp_path, order):
    ages_stay_the_same(tmp_path, order, [dt.date(2028, 12, 31) - dt.timedelta(days=back) for back in range(366)])


def ages_stay_the_same(tmp_path, order, days):
    form, key_file = BORN[order], tmp_path / "key"
    new_key(key_file)
    births = [dt.date(1990, 1, 1) + dt.timedelta(days=37 * at) for at in range(120)]
    rows = "".join(f"R-{at};{born(day, form)};female;160\n" for at, day in enumerate(births))
    before = roster(tmp_path, "runner_id;born;sex;height_cm\n" + rows)
    mapping, ages = tmp_path / "map.toml", set()
    for on in days:
        mapping.write_text(f'[columns.age_years]\nfrom = "born"\nborn = "{order}"\non = {on}\n')
        pseudonymise(before, key_file, tmp_path / "after.csv", mapping=mapping)
        first, second = (read_roster(path, load_mapping(mapping)) for path in (before, tmp_path / "after.csv"))
        assert not first.faults and not second.faults, on
        assert first.values["age_years"].tolist() == second.values["age_years"].tolist(), on
        ages.add(tuple(first.values["age_years"]))
    assert len(ages) > len(days) / 4  # the days differ, so that equal ages say something


def test_the_risks_of_a_pseudonymised_roster_are_those_of_the_original(tmp_path, key, bundle):
    before = roster(tmp_path, "runner_id,born,sex\n" + "".join(f"R-{at},{at + 1}.4.1998,male\n" for at in range(28)))
    mapping = tmp_path / "map.toml"
    for on in ("2026-09-05", "2026-04-09", "2026-01-31"):
        mapping.write_text(f'[columns.age_years]\nfrom = "born"\nborn = "day first"\non = {on}\n')
        pseudonymise(before, key, tmp_path / "after.csv", mapping=mapping)
        for name in ("roster.csv", "after.csv"):
            score_roster(tmp_path / name, tmp_path / f"scored_{name}", bundle, load_mapping(mapping))
        one, other = (cells(tmp_path / f"scored_{name}") for name in ("roster.csv", "after.csv"))
        assert [row["risk_12m"] for row in one] == [row["risk_12m"] for row in other] and one[0]["risk_12m"]
