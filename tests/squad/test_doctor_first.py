"""Whom a doctor has to see first: named before anybody else, and in no band, forecast or list."""

from tests.squad.pages import SQUAD, report_of, text_of

FLAGGED = SQUAD.replace("current_knee_pain\n", "current_knee_pain,calf_swelling\n")
LINES = FLAGGED.strip().split("\n")


def squad(flagged, pain=()):
    """Return the squad in which some have a swollen calf, and some have knee pain."""
    header, *rows = LINES
    lines = []
    for row in rows:
        name = row.split(",")[0]
        hurts = row.removesuffix(",no") + (",yes" if name in pain else ",no")
        lines.append(f"{hurts},{'yes' if name in flagged else 'no'}")
    return "\n".join([header, *lines]) + "\n"


def test_who_is_withheld_is_named_first_with_what_to_do_and_is_in_no_list(bundle, tmp_path):
    data, page = report_of(bundle, tmp_path, squad({"S-0"}))
    text = page.text
    assert text.index("See a doctor first") < text.index("How many cases to expect")
    assert "See a doctor today: a swollen calf may be a thrombosis." in text_of("doctor_first", data)
    assert data.screening.in_pain == [] and [name for name, _ in data.screening.withheld] == ["S-0"]
    assert len(data.risks) == 11 and "S-0" not in {data.screening.ids[at] for at in data.screening.by_risk}
    for name in ("see_first", "all_runners", "drivers"):
        assert "S-0" not in text_of(name, data).split()
    assert "0 with knee pain now and 1 to see a doctor first: no risk." in text
    assert data.summary()[1] == ("see a doctor first", "1 runner, not scored")


def test_the_forecast_counts_the_others_alone(bundle, tmp_path):
    everybody, _ = report_of(bundle, tmp_path, squad(()))
    others, _ = report_of(bundle, tmp_path, squad({"S-0"}))
    assert text_of("doctor_first", everybody) == ""
    assert others.forecast.mean < everybody.forecast.mean
    assert "among 11 runners" in text_of("expected_cases", others)


def test_who_has_knee_pain_too_stands_with_the_doctor_alone(bundle, tmp_path):
    data, _ = report_of(bundle, tmp_path, squad({"S-0"}, pain={"S-0", "S-1"}))
    assert data.screening.in_pain == ["S-1"] and [name for name, _ in data.screening.withheld] == ["S-0"]


def test_a_squad_in_which_nobody_is_scored_says_both_reasons(bundle, tmp_path):
    names = {f"S-{at}" for at in range(12)}
    data, page = report_of(bundle, tmp_path, squad({"S-0"}, pain=names))
    assert "Everybody in this file has knee pain now, or has to see a doctor first: nobody is scored" in page.text
    assert data.forecast is None
