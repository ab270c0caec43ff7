"""The wheel: it scores with no checkout, no training and nothing of the training extras, and it brings its types."""

import os
import subprocess
import sys
import sysconfig
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]

_SCORE = """
import sys
for heavy in ("sklearn", "lightgbm", "scipy", "mlflow", "bentoml", "shap", "matplotlib"):
    sys.modules[heavy] = None  # an import of it fails, as where it is not installed
import pfps_ml
assert "site" in pfps_ml.__file__, pfps_ml.__file__
from pfps_ml.cli.main import main
for asked in (["score", "roster.csv", "-o", "scored.csv"], ["squad", "squad.csv", "-o", "squad.html"]):
    try:
        main(asked)
    except SystemExit as done:
        assert not done.code, (asked, done.code)
"""


# a program of somebody else; its last line is wrong
_CLIENT = """
from pathlib import Path
from pfps_ml import Bundle, load_bundle, score_roster
from pfps_ml.core.errors import PfpsError

bundle: Bundle = load_bundle(Path("pfps-0.1.0"))
try:
    rows: int = score_roster(Path("roster.csv"), Path("scored.csv"), bundle).rows
except PfpsError as error:
    code: int = error.exit_code
wrong: int = load_bundle(Path("pfps-0.1.0"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


def installed(wheel, site):
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def type_check(wheel, home):
    """Return what mypy says of the client in an environment where the wheel is installed beside its requirements."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    python = home / "venv" / "bin" / "python"
    site = home / "venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    installed(wheel, site)
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (home / "client.py").write_text(_CLIENT, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "client.py"]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False).stdout


def test_a_program_is_type_checked_against_the_wheel(wheel, tmp_path):
    said = type_check(wheel, tmp_path)
    line = _CLIENT.splitlines().index('wrong: int = load_bundle(Path("pfps-0.1.0"))') + 1
    assert said.startswith(f"client.py:{line}: error: Incompatible types in assignment"), said
    assert 'expression has type "Bundle", variable has type "int"' in said
    assert said.endswith("Found 1 error in 1 file (checked 1 source file)\n"), said


def test_the_wheel_says_who_made_it_and_what_it_is(wheel):
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = Parser().parsestr(archive.read(name).decode("utf-8"))
        assert {"pfps_ml/py.typed", "serving/py.typed"} <= set(archive.namelist())
    assert about["Author"] == "the pfps-ml authors"
    assert "patellofemoral-pain" in about["Keywords"]
    assert "Typing :: Typed" in about.get_all("Classifier")


def test_a_roster_is_scored_and_a_squad_reported_from_the_wheel_alone(wheel, tmp_path):
    site, empty = installed(wheel, tmp_path / "site"), tmp_path / "empty"
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
