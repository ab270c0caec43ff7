"""The researcher's guide: every command of it runs, and every link of it leads somewhere."""

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfps_ml.cli.main import main
from pfps_ml.core.console import command
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.domain.input_validation import check, complete
from pfps_ml.model.additive import probability
from pfps_ml.model.bundle import load_bundle, released_bundle
from pfps_ml.training.update_basis import onset_decomposition
from tests.cohorts import CASE, cohort_frame, written

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "RESEARCHER.md"
RELEASED = "pfps-0.2.0"
PAGES = [GUIDE, ROOT / "docs" / "CHECKS.md", ROOT / "REAL_DATA.md"]


def commands(page):
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def season(number, bundle):
    """Return runners with more cases than the bundle expects, the more the higher it says that their risk is."""
    frame = cohort_frame(2400, 240)
    at = pd.Series(range(len(frame))) * (2 * number + 5) % 2399
    frame = frame.assign(
        club="Lake " + (at % 11).astype(str), season=2024 + at % 2, age_years=16 + at % 45,
        prior_running_injury_12m=np.where(at % 3 == 0, "yes", "no"),
    )  # fmt: skip
    runners = check(frame[[name for name in frame if name in BY_NAME]]).values
    margin = onset_decomposition(bundle.predictor, complete(runners)).margin
    risk = probability(2 * margin + 4)
    return frame.assign(**{CASE: (generator(number, "season").random(len(risk)) < risk).astype(int)})


def typed(line, monkeypatch):
    """Run a line of the guide as a person types it, and return its exit code."""
    program, *arguments = shlex.split(line)
    try:
        if program == "pfps":
            main(arguments)
        else:
            assert (program, arguments[0]) == ("python", "-m")
            monkeypatch.setattr("sys.argv", arguments[1:])
            command(import_module(arguments[1]).main)
    except SystemExit as done:
        return done.code or 0
    return 0


@pytest.mark.slow
def test_every_command_of_the_guide_runs_in_its_order(frames, tmp_path, monkeypatch, capsys):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "PFPS_MODELS"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(ROOT / "models" / RELEASED, tmp_path / "models" / RELEASED)
    (tmp_path / "models" / "CURRENT").write_text(f"{RELEASED}\n", encoding="utf-8")
    monkeypatch.setenv("PFPS_MODELS", str(tmp_path / "models"))
    bundle = released_bundle()
    for number, name in enumerate(("cohort.csv", "next.csv")):
        written(tmp_path, season(number, bundle), name)
    written(tmp_path, frames.treatment.drop(columns="draw"), "patients.csv")
    written(tmp_path, season(2, bundle).drop(columns=[CASE, "season"]).head(20), "roster.csv")
    current = tmp_path / "models" / "CURRENT"
    for line in commands(GUIDE):
        before = current.read_text(encoding="utf-8")
        assert typed(line, monkeypatch) == 0, f"{line}\n{capsys.readouterr()}"
        assert (current.read_text(encoding="utf-8") != before) == ("pfps release" in line)
    assert "Validated on another cohort" in capsys.readouterr().out
    new = released_bundle()
    assert new.path == tmp_path / "models" / "pfps-local"
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["bundle"].str.startswith("pfps-local (trained on simulated data, updated on 2,400 runners").all()
    told = load_bundle(tmp_path / "out/pfps-pathways").notice
    assert f"2,400 runners and {len(frames.treatment):,} patients of 2 cohorts." in told
    assert "On a cohort that it had not seen" in (tmp_path / "out/reports/TRIPOD.md").read_text(encoding="utf-8")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    champion = client.get_run(client.get_model_version_by_alias("pfps", "champion").run_id)
    assert champion.data.tags["released"] == "pfps-local"
    kept = [path for path in (tmp_path / "mlruns" / "artifacts").rglob("*") if path.suffix in (".json", ".html", ".md")]
    assert len(kept) > 4
    for path in kept:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"Lake \d", text), path
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert {"log_loss_gain", "log_loss_gain_low"} <= {name for run in runs for name in run.data.metrics}
    assert not any("Lake" in str(run.data) or "Our clinic" in str(run.data) for run in runs)


def test_every_link_leads_to_a_file_and_a_place_in_it(subtests):
    for page in PAGES:
        with subtests.test(page=page):
            for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
                name, _, place = target.partition("#")
                found = page.parent / name
                assert found.is_file(), target
                assert not place or f'<a id="{place}"></a>' in found.read_text(encoding="utf-8"), target


def test_the_guide_speaks_of_options_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    shown = capsys.readouterr().out
    for option in ("--outcome", "--event", "--measured-on", "--happened-on", "--period", "--person", "--second"):
        assert option in shown
        assert option in GUIDE.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT.parent / "shared" / "data" / "ferber_ric").is_dir(), reason="the open data are not here")
def test_the_page_of_real_data_is_what_the_open_data_give(monkeypatch):
    from benchmarks.real import page, treadmill

    monkeypatch.chdir(ROOT)
    _, found = treadmill(ROOT.parent / "shared" / "data" / "ferber_ric")
    verdicts = {check.code: check.verdict for check in found.checks}
    assert [verdicts[code] for code in ("C01", "C03", "C04", "C08")] == ["fail"] * 4
    assert found.verdict.text.startswith("No validation of onset")
    assert page() == (ROOT / "REAL_DATA.md").read_text(encoding="utf-8")
    assert np.isfinite(found.tables["onset"]["value"]).all()
