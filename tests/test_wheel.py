"""The wheel: it scores with no checkout, no training and nothing of the training extras."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]

_SCORE = """
import sys
for heavy in ("sklearn", "lightgbm", "scipy", "mlflow", "bentoml", "shap", "matplotlib"):
    sys.modules[heavy] = None  # an import of it fails, as where it is not installed
import pfps_ml
assert "site" in pfps_ml.__file__, pfps_ml.__file__
from pfps_ml.cli import main
for asked in (["score", "roster.csv", "-o", "scored.csv"], ["squad", "squad.csv", "-o", "squad.html"]):
    try:
        main(asked)
    except SystemExit as done:
        assert not done.code, (asked, done.code)
"""


def test_a_roster_is_scored_and_a_squad_reported_from_the_wheel_alone(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    wheel = next(tmp_path.glob("*.whl"))
    site, empty = tmp_path / "site", tmp_path / "empty"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", site, wheel]
    subprocess.run(install, check=True)
    empty.mkdir()
    for name in ("roster.csv", "squad.csv"):
        (empty / name).write_bytes((ROOT / "data/examples" / name).read_bytes())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PFPS_")}
    done = subprocess.run(
        [sys.executable, "-c", _SCORE], cwd=empty, env={**environment, "PYTHONPATH": str(site)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows_in, rows_out = ((empty / name).read_text().count("\n") for name in ("roster.csv", "scored.csv"))
    assert rows_in == rows_out
    assert "simulated data" in done.stdout
    assert (empty / "squad.html").read_text(encoding="utf-8").count("simulated data") == 2
    templates = {path.relative_to(ROOT) for path in ROOT.glob("pfps_ml/*/templates/*")}
    assert templates and all((site / path).is_file() for path in templates)
