"""The level of the intervals and the horizons are the bundle's: a bundle of 80 % and 6 months says so everywhere."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pfps_ml.core.numbers import normal_quantile, percent, student_quantile
from pfps_ml.domain.dictionary import ONSET, SUCCESS
from pfps_ml.domain.input_validation import check
from pfps_ml.domain.outcomes import Horizon
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import load_bundle
from pfps_ml.squad.report import write_squad
from pfps_ml.workflows.checklist_reports import figures
from pfps_ml.workflows.evaluate import evaluate
from pfps_ml.workflows.release import release
from pfps_ml.workflows.train import write_candidate
from serving.pages import tables
from tests.cohorts import cohort_frame, written

HOUSE = Path(__file__).parents[2]
SIX, WEEKS = Horizon(6, "months"), Horizon(8, "weeks")
# what a bundle of 90 % and 12 months would say; a field asks of "the last 12 months", an arm is "a 12-week programme"
OTHER = re.compile(r"\b90 %|(?<!last )\b12[- ]months?\b|\b12[- ]weeks?\b(?! hip)|risk_12m")
PATIENT = {"age_years": 24, "sex": "female", "weekly_distance_km": 30, "akps": 71}


def narrower(interval):
    """Return the interval at 80 %."""
    fewer = min(interval.evidence or interval.sampling, interval.sampling)
    return replace(interval, level=0.8, t=student_quantile(0.8, fewer - 1))


@pytest.fixture(scope="module")
def home(candidate, frames, config, tmp_path_factory):
    """Return a folder with the candidate at 80 % and over 6 months, its evaluation, and `models/` with its release."""
    folder = tmp_path_factory.mktemp("six")
    predictor = candidate.predictor
    both = {name: narrower(getattr(predictor, name)) for name in ("interval", "pathway_interval")}
    predictor = replace(predictor, **both, horizons={6: None})
    other = replace(candidate, predictor=predictor, horizons={"onset": SIX, "success": WEEKS})
    write_candidate(other, folder / "candidate")
    evaluate(other, frames, config, lambda _step: None).write(folder / "evaluation")
    release(folder / "candidate", folder / "evaluation", folder / "models", "0.0.6")
    return folder


@pytest.fixture(scope="module")
def six(home):
    """Return that bundle."""
    return load_bundle(home / "models" / "pfps-0.0.6")


def said(text):
    """Return a text that says nothing of another level or horizon."""
    assert not OTHER.search(text), OTHER.search(text)
    return text


def test_the_bundle_says_its_level_and_its_horizons(six):
    schema = json.loads((six.path / "schema.json").read_bytes())
    assert (six.level, schema["level"], six.manifest["level"]) == (0.8, 0.8, 0.8)
    assert (schema["outcomes"]["onset"]["main"], schema["outcomes"]["success"]["main"]) == (6, 8)
    assert six.label("onset") == "New runner's knee within 6 months" and six.label("success") == "Success at 8 weeks"


def test_the_card_says_them(six):
    card = said(six.card)
    assert "Mean width of the 80 % interval" in card and "A new episode within 6 months" in card
    assert "better at 8 weeks" in card


def test_the_report_of_the_evaluation_says_the_level(home):
    text = said(re.sub(r'src="data:[^"]*"', "", (home / "evaluation" / "report.html").read_text(encoding="utf-8")))
    assert "the mean width of its 80 % interval" in text and "within 6 months" in text


def test_an_assessment_says_them(six):
    risk = assess(six, check(pd.DataFrame([PATIENT])).values).as_dict(0)["risk"]
    assert (risk["level"], risk["horizon_months"], [each["months"] for each in risk["by_month"]]) == (0.8, 6, [6])


def test_an_interval_of_80_percent_is_narrower_by_the_ratio_of_the_quantiles(six, bundle):
    values = check(pd.DataFrame([PATIENT])).values
    log = [assess(each, values).prediction for each in (six, bundle)]
    spread = [(each.risk.evidence + each.risk.sampling) ** 0.5 for each in log]
    assert spread[0] == pytest.approx(spread[1])
    assert six.predictor.interval.t < bundle.predictor.interval.t


def test_a_roster_and_what_follows_from_it_say_them(six, tmp_path, pfps):
    roster = HOUSE / "data" / "examples" / "roster.csv"
    code, out, _ = pfps("score", roster, "-o", tmp_path / "out.csv", "--bundle", six.path)
    assert code == 0
    said(out)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert "risk_6m" in header and not OTHER.search(" ".join(header))
    assert len(rows) == len(roster.read_text(encoding="utf-8").splitlines()) - 1
    # scored again, by a bundle of another horizon, the columns of the first scoring are replaced
    code, _, _ = pfps(
        "score", tmp_path / "out.csv", "-o", tmp_path / "again.csv", "--bundle", HOUSE / "models/pfps-0.2.0"
    )
    assert code == 0
    with (tmp_path / "again.csv").open(encoding="utf-8-sig", newline="") as file:
        again = next(csv.reader(file))
    assert "risk_12m" in again and "risk_6m" not in again


def test_the_squad_report_says_them_on_paper_and_on_the_terminal(six, tmp_path):
    answers = write_squad(HOUSE / "data" / "examples" / "roster.csv", tmp_path / "squad.html", six)
    text = said((tmp_path / "squad.html").read_text(encoding="utf-8"))
    assert "the next 6 months" in text and "80 % interval" in text and "within 6 months" in text
    assert "Of ten squads like this one, eight would have" in text
    lines = dict(answers.summary())
    assert "(80 %)" in lines["new cases"]


def test_a_validation_says_the_bundles_horizon(six, tmp_path, pfps):
    cohort = written(tmp_path, cohort_frame())
    code, out, _ = pfps("evaluate", six.path, cohort, "-o", tmp_path / "out", "--outcome", ONSET.column)
    assert code == 0
    said(out)
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["subject"]["horizon"] == {"number": 6, "unit": "months"}
    assert "Horizon 6 months." in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_documents_generated_from_the_bundle_say_them(six):
    found = figures(six)
    assert (found["horizon"], found["level"], found["onset"]) == (
        "6 months",
        "80 %",
        "New runner's knee within 6 months",
    )
    assert found["success"].startswith("Success at 8 weeks")


def test_what_the_page_reads_says_them(six):
    found = tables(six)
    assert found["level"] == 0.8 and found["outcomes"]["onset"]["label"] == "New runner's knee within 6 months"
    assert found["outcomes"]["success"]["meaning"].endswith("at 8 weeks.")
    said(json.dumps(found["outcomes"]))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine: make browser")
def test_the_page_says_them(home):
    from pfps_ml.workflows.pictures import answered, browsing, opened, served

    with served({"PFPS_MODELS": str(home / "models")}) as address, browsing() as browser:
        page = opened(browser, address)
        answered(page, PATIENT)
        text = said(page.inner_text("#found")) + page.inner_html("#found")
        page.context.close()
    assert "within 6 months" in text and "80 % interval" in text and "at 8 weeks" in text
    assert not re.search(r"90 % interval", text)


def test_a_horizon_in_words_and_in_a_column():
    assert [str(Horizon(*each)) for each in ((12, "months"), (1, "months"), (2.3, "months"), (5, "years"))] == [
        "12 months", "1 month", "2.3 months", "5 years"]  # fmt: skip
    assert (Horizon(2.3, "months").suffix, ONSET.column_at(6), SUCCESS.column_at(26)) == (
        "2.3m",
        "pfps_onset_6m",
        "success_26w",
    )
    assert (Horizon(12, "weeks").days, ONSET.at().days) == (84, 365.25)


def test_quantiles_by_level():
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert student_quantile(0.9, 19) == pytest.approx(1.729133, abs=1e-6)
    assert [percent(level) for level in (0.9, 0.95, 0.975)] == ["90 %", "95 %", "97.5 %"]


# where outcomes, fields and levels are declared, and the figures of the ledger over the times of their publication
DECLARED = {
    "pfps_ml/domain/outcomes.py", "pfps_ml/domain/schemas.py", "pfps_ml/core/numbers.py",
    "pfps_ml/domain/dictionary.py", "pfps_ml/domain/spellings.toml", "pfps_ml/domain/claims.toml",
    "pfps_ml/domain/evidence.csv", "pfps_ml/simulation/targets_runners.py", "pfps_ml/simulation/targets_patients.py",
    "pfps_ml/simulation/targets_course.py", "pfps_ml/simulation/published_trials.py",
    "pfps_ml/model/format1_dictionary.json",
}  # fmt: skip
LITERALS = {
    "the level of a bundle's intervals": re.compile(r"\b90 ?%"),
    "a level as a number": re.compile(r"\b(level|LEVEL)\b[^,)\n=]{0,12}= ?0\.9\b"),
    "a horizon in words": re.compile(r"\b12[- ](months?|weeks?)\b"),
    "a horizon in a name": re.compile(r"(?<!injury)_12[mw]\b"),
    "twelve weeks in months": re.compile(r"\b2\.76\b"),
    "a quantile": re.compile(r"\b1\.96\b|\b1\.645\b|\binv_cdf\(0\.9|\bppf\("),
}


def sources():
    """Yield every source that makes or shows a prediction, but for the declarations, the scenarios and the ledger."""
    for folder in ("pfps_ml", "serving", "pipelines"):
        for path in sorted((HOUSE / folder).rglob("*")):
            name = path.relative_to(HOUSE).as_posix()
            exempt = name in DECLARED or name.startswith(("pfps_ml/domain/scenarios/", "pfps_ml/models/"))
            if path.suffix in (".py", ".js", ".html", ".css", ".toml", ".csv", ".json") and not exempt:
                yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", LITERALS)
def test_no_level_and_no_horizon_is_typed_outside_the_declarations(what):
    found = [f"{name}:{number}: {line.strip()}" for name, text in sources()
             for number, line in enumerate(text.splitlines(), 1) if LITERALS[what].search(line)]  # fmt: skip
    assert not found, f"{what}: take it from the bundle or from domain/outcomes.py\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("the level of a bundle's intervals", '"Risk (90 % interval)"'), ("a level as a number", "level: float = 0.9"),
        ("a horizon in words", "'success at 12 weeks'"), ("a horizon in a name", 'row["risk_12m"]'),
        ("twelve weeks in months", "2.76"), ("a quantile", "1.96 * error"),
    ],
)  # fmt: skip
def test_the_search_for_literals_finds_them(what, line):
    assert LITERALS[what].search(line)
