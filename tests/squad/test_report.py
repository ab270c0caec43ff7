"""The squad report: what it holds, what it refuses to invent, and that it is one page that nothing can get into."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pfps_ml.cli.main import main
from pfps_ml.core.errors import InputError, MissingLibrary, OutputError
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.squad.report import print_pdf, report_page, write_squad
from pfps_ml.squad.report_data import ReportData, ReportOptions
from pfps_ml.squad.screening import LARGEST, screen
from tests.rosters import roster
from tests.squad.pages import HEADER, SQUAD, Reader, report_of

EXAMPLE = Path(__file__).resolve().parents[2] / "data" / "examples" / "squad.csv"


@pytest.fixture(scope="module")
def example(bundle):
    data = ReportData(screen(EXAMPLE, bundle), ReportOptions())
    return data, report_page(data)


def test_it_answers_how_many_cases_who_first_and_where_to_spend_the_hours(example):
    text = Reader(example[1]).text
    headings = ("How many cases to expect", "Who to see first", "Where to spend the next 6 hours",
                "All runners, by risk",
                "What drives the risks", "Is the list worth using?", "What measuring would bring",
                "Outside what the model has seen", "How good the data are", "How these numbers came about")  # fmt: skip
    assert all(heading in text for heading in headings)
    assert text.count(NOTICE) == 2


def test_every_runner_of_the_example_is_in_the_report_once_scored_in_pain_or_rejected(example):
    data, page = example
    squad = data.screening
    rejected = [name for name, status, _ in squad.problems() if status == "rejected"]
    assert len(squad.by_risk) + len(squad.in_pain) + len(rejected) == len(squad.roster.ids) == 30
    text = Reader(page).text
    # before anything else, the coach reads what became of the rows
    assert text.index(squad.counts) < text.index("How many cases")
    assert squad.counts == "30 rows: {} scored, {} partly, {} rejected".format(
        *(int((squad.roster.checked.status == status).sum()) for status in range(3))
    )
    assert all(name in text for name in squad.roster.ids)
    assert "Age: expected a number from 10 to 90 years, got 255" in text


def test_runners_are_ordered_by_risk_and_the_first_are_on_the_list(example):
    data, _ = example
    assert (np.diff(data.risks) <= 0).all()
    assert data.triage.first.tolist() == [0, 1, 2, 3, 4]


def test_the_page_asks_no_other_host_and_runs_nothing(example):
    reader = Reader(example[1])
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name in ("src", "href", "xlink:href")]
    assert "default-src 'none'" in dict(reader.attributes)["content"] or "default-src" in example[1]
    assert "http" not in example[1].replace("http-equiv", "")


def test_every_picture_has_a_name_and_its_table(example):
    reader = Reader(example[1])
    assert reader.tags.count("figure") == 2
    assert example[1].count("The numbers behind this picture") == 2
    assert reader.tags.count("svg") == [value for _, value in reader.attributes].count("img")


def test_the_reasons_and_risks_are_those_of_scoring(example, bundle):
    data, _ = example
    squad = data.screening
    top = squad.assessments.as_dict(int(squad.by_risk[0]))
    assert top["risk"]["probability"] == data.risks[0]
    known = [reason for reason in top["reasons"] if reason["log_odds"]]
    assert [reason.label for reason in squad.reasons(0)][:3] == [reason["label"] for reason in known[:3]]
    drivers = {name: value for name, value in squad.drivers(0).items() if value is not None}
    points = sum(reason["percentage_points"] for reason in top["reasons"] if reason["value"] is not None)
    assert sum(drivers.values()) == pytest.approx(points)


def test_no_text_of_the_roster_but_its_ids_is_in_the_report_and_an_id_is_never_read_as_html(bundle, tmp_path):
    text = (SQUAD.replace("runner_id,", "notes,runner_id,").replace("\nS-", "\n<b>secret</b>,S-")
            .replace("S-0,", "<script>x</script>,").replace(",Club,", ",Harbour Striders,"))  # fmt: skip
    data = ReportData(screen(roster(tmp_path, text), bundle), ReportOptions())
    page = report_page(data)
    assert "secret" not in page
    assert "Harbour" not in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


# cells of a CSV file, and what is read of them and shown
PLAIN = ("<script>x</script>", "&lt;b&gt;", "{{ 7 * 7 }}")
IDS = [
    dict(zip(PLAIN, PLAIN, strict=True)),
    {"{% raw %}": "{% raw %}", '"x"" onmouseover=""y"': 'x" onmouseover="y', "x' onmouseover='y": "x' onmouseover='y"},
]


@pytest.mark.parametrize("ids", IDS)
def test_an_id_is_shown_as_it_is_wherever_it_stands_and_is_never_html_or_a_template(bundle, tmp_path, ids):
    text = SQUAD
    for number, cell in enumerate(ids):  # of the three who had runner's knee before
        text = text.replace(f"S-{number},", f"{cell},")
    then = roster(tmp_path, re.sub(",((?:fe)?male),yes", r",\1,no", text), "then.csv")
    data, page = report_of(bundle, tmp_path, text, since=then)
    for shown in ids.values():
        assert shown in data.screening.roster.ids.tolist()
        assert page.text.count(shown) >= 4, shown  # on the list, among all, in the heat map, since the earlier file
    assert not {"script", "img"} & set(page.tags)
    assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")]


def test_the_level_and_the_horizon_are_those_of_the_bundle(bundle, tmp_path):
    outcomes = bundle.schema.outcomes
    onset = replace(outcomes["onset"], horizons=(6,), main=6)
    other = replace(bundle, schema=replace(bundle.schema, level=0.8, outcomes={**outcomes, "onset": onset}))
    (usual, page), (data, other_page) = (report_of(each, tmp_path) for each in (bundle, other))
    assert (usual.forecast.level, data.forecast.level) == (0.9, 0.8)
    for text in ("90 % interval", "nine in ten", "nine would have", "12 months"):
        assert text in page.text and text not in other_page.text
    for text in ("80 % interval", "eight in ten", "eight would have", "cases among 12 runners in 6 months",
                 "within 6 months", "the next 6 months"):  # fmt: skip
        assert text in other_page.text and text not in page.text
    assert "(80 %)" in dict(data.summary())["new cases"]


def test_who_has_knee_pain_is_named_first_and_not_scored(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, SQUAD.replace("S-4,Club,24,male,no,4,no", "S-4,Club,24,male,no,4,yes"))
    assert data.screening.in_pain == ["S-4"]
    assert len(data.risks) == 11
    assert "Knee pain now: a visit comes first S-4" in page.text


def test_a_squad_of_one_is_told_so_and_nobody_is_put_first(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, HEADER + "S-1,Club,30,female,yes,3,no\n")
    assert "One runner is no squad" in page.text
    assert data.triage is None
    assert data.plan is None
    assert "no order is needed" in page.text


def test_a_squad_of_whom_nothing_is_measured_gets_no_order(bundle, tmp_path):
    rows = "".join(f"S-{at},{20 + at},female\n" for at in range(10))
    data, page = report_of(bundle, tmp_path, "runner_id,age_years,sex\n" + rows)
    assert "Only age and sex are known of anybody" in page.text
    assert data.triage is None
    assert "No order is given" in page.text
    assert data.forecast is not None


def test_where_all_rows_are_rejected_only_that_is_said(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, HEADER + "S-1,Club,300,female,yes,3,no\nS-2,Club,300,male,no,3,no\n")
    assert "No row of this file could be used" in page.text
    assert "2 rejected" in page.text
    assert data.forecast is None
    assert "How many cases" not in page.text


def test_where_everybody_has_knee_pain_nobody_is_scored(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, HEADER + "S-1,Club,30,female,yes,3,yes\n")
    assert "everybody needs a visit" in page.text
    assert data.forecast is None


def test_two_seasons_in_one_file_get_no_squad_numbers(bundle, tmp_path):
    lines = SQUAD.splitlines()
    text = "\n".join([lines[0] + ",Season", *(f"{line},20{24 + at % 2}" for at, line in enumerate(lines[1:]))]) + "\n"
    data, page = report_of(bundle, tmp_path, text)
    assert data.screening.seasons == 2
    assert "mixes 2 seasons" in page.text
    assert data.forecast is None
    assert data.triage is None
    assert data.plan is None
    assert "All runners, by risk" in page.text


def test_an_id_that_stands_twice_is_said_to_be_maybe_a_second_season(bundle, tmp_path):
    _, page = report_of(bundle, tmp_path, SQUAD + "S-1,Club,30,female,yes,3,no\n")
    assert "two seasons are in one file" in page.text


def test_a_row_without_an_id_is_named_by_its_line(bundle, tmp_path):
    _, page = report_of(bundle, tmp_path, SQUAD + ",Club,30,female,yes,3,no\n")
    assert "(row 13)" in page.text


def test_where_everybody_can_be_seen_no_order_is_needed(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, flags=12)
    assert data.triage is None
    assert "that is everybody" in page.text


def test_what_is_outside_the_training_data_is_named_with_its_range(bundle, tmp_path):
    _, page = report_of(bundle, tmp_path, SQUAD.replace("S-4,Club,24,male,no,4", "S-4,Club,24,male,no,21"))
    assert re.search(r"S-4 \s*Sessions a week \s*21.0 sessions", page.text)


def test_where_nobody_is_outside_the_training_data_that_is_said(bundle, tmp_path):
    _, page = report_of(bundle, tmp_path, SQUAD.replace(",0,no\n", ",3,no\n"))
    assert "Outside what the model has seen Nobody." in page.text


def test_a_list_of_runners_of_equal_risk_is_said_to_be_not_worth_using(bundle, tmp_path):
    text = HEADER + "".join(f"S-{at},Club,30,female,no,3,no\n" for at in range(12))
    data, page = report_of(bundle, tmp_path, text)
    assert "not worth using" in page.text
    assert not data.triage.is_worth_it


def test_at_a_price_where_everybody_should_be_seen_the_model_is_said_to_be_not_worth_using(bundle, tmp_path):
    rows = (f"S-{at},Club,20,female,yes,{12 if at < 6 else 6},no\n" for at in range(12))
    data, page = report_of(bundle, tmp_path, HEADER + "".join(rows), flags=6)
    assert (data.triage.best, data.triage.gain >= 0.1) == ("everybody", True)
    assert "seeing everybody is better than any list of 6: the model is not worth using at that price" in page.text


def test_runners_of_the_same_risk_as_the_last_on_the_list_are_counted(bundle, tmp_path):
    rows = (f"S-{at},Club,20,female,yes,{12 if at < 3 else 6},no\n" for at in range(9))
    _, page = report_of(bundle, tmp_path, HEADER + "".join(rows), flags=5)
    assert "4 runners more of the same risk as the last of these: whom of them to see is open" in page.text


def test_hours_that_find_less_than_a_tenth_of_a_case_are_hardly_worth_it(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, hours=0.5)
    assert data.plan.gain < 0.1
    assert data.plan.minutes <= 30
    assert "Hardly worth it" in page.text


def test_where_everything_is_known_there_is_nothing_to_measure(bundle, tmp_path):
    given = {"height_cm": 170, "weight_kg": 60, "running_experience_years": 5, "weekly_distance_km": 30,
             "longest_run_spike_pct": 0, "weekly_change_pct": 0, "step_rate_spm": 170, "prior_knee_injury": "no",
             "prior_running_injury_12m": "no", "early_specialisation": "no", "hip_abduction_nm_kg": 1.5,
             "hip_external_rotation_nm_kg": 0.6, "knee_extension_nm_kg": 2.4, "foot_posture_index": 2,
             "navicular_drop_mm": 6, "squat_fppa_deg": 8, "squat_collapse": "no"}  # fmt: skip
    lines = SQUAD.replace(",0,no", ",1,no").splitlines()  # who runs 30 km has sessions
    more = "," + ",".join(map(str, given.values()))
    text = "\n".join([lines[0] + "," + ",".join(given), *(line + more for line in lines[1:])]) + "\n"
    data, page = report_of(bundle, tmp_path, text)
    assert "Everything that the model reads is known of everybody" in page.text
    assert data.squad.choices == ()


def test_more_rows_than_a_squad_has_are_refused_with_what_to_do(bundle, tmp_path):
    text = HEADER + "".join(f"S-{at},Club,30,female,no,3,no\n" for at in range(LARGEST + 1))
    with pytest.raises(InputError, match="pfps score"):
        screen(roster(tmp_path, text), bundle)


def test_the_command_writes_the_page_and_prints_the_short_of_it(models_home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PFPS_MODELS", str(models_home))
    main_exit = 0
    try:
        main(["squad", str(EXAMPLE), "-o", str(tmp_path / "squad.html"), "--hours", "2", "--flags", "3"])
    except SystemExit as done:
        main_exit = done.code or 0
    assert main_exit == 0
    assert "Where to spend the next 2 hours" in (tmp_path / "squad.html").read_text(encoding="utf-8")
    assert "27 runners" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["squad.docx", "squad"])
def test_another_ending_than_html_or_pdf_is_refused_before_anything_is_read(bundle, tmp_path, name):
    with pytest.raises(OutputError, match=r"\.html or \.pdf"):
        write_squad(tmp_path / "not-there.csv", tmp_path / name, bundle)


def test_without_a_chromium_a_pdf_is_refused_with_what_to_do(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingLibrary, match="Install it"):
        write_squad(EXAMPLE, tmp_path / "squad.pdf", bundle)
    assert not (tmp_path / "squad.pdf").exists()


def test_a_chromium_that_prints_nothing_is_said(tmp_path, monkeypatch):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutputError, match="from a browser"):
        print_pdf("<p>page</p>")
