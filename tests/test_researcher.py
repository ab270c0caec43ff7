"""The researcher's guide: every command of it runs, and every link of it leads somewhere."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from pfps_ml.cli import main
from tests.cohorts import CASE, cohort_frame, written

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "RESEARCHER.md"
PAGES = [GUIDE, ROOT / "docs" / "CHECKS.md", ROOT / "REAL_DATA.md"]


def commands(page):
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_every_command_of_the_guide_runs_in_its_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "models", tmp_path / "models")
    frame = cohort_frame(600, 120)
    written(tmp_path, frame)
    written(tmp_path, frame.drop(columns=[CASE, "season"]).head(20), "roster.csv")
    current = (tmp_path / "models" / "CURRENT").read_text(encoding="utf-8")
    for line in commands(GUIDE):
        program, *arguments = shlex.split(line)
        assert program == "pfps"
        try:
            main(arguments)
        except SystemExit as done:
            assert not done.code, line
    assert "Updated on a cohort" in capsys.readouterr().out
    assert (tmp_path / "validation" / "report.html").exists()
    assert (tmp_path / "scored.csv").exists()
    assert (tmp_path / "models" / "CURRENT").read_text(encoding="utf-8") == current


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_place_in_it(page):
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
