"""Set-up: the lock pins everything that pyproject.toml asks for, and the wheel carries the released bundle."""

import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pfps_ml

HOUSE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (HOUSE / "requirements.lock").read_text(encoding="utf-8")
PINS = {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)(?:\[.*\])?==(\S+)", LOCK)}


def asked_for() -> list[Requirement]:
    # `spark` stands outside the lock: it wants a Java that the set-up cannot bring
    extras = [lines for name, lines in PROJECT["project"]["optional-dependencies"].items() if name != "spark"]
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    return [Requirement(line) for line in (*lines, *(line for extra in extras for line in extra))]


def test_every_package_of_the_lock_has_a_hash():
    packages = re.split(r"(?m)^(?=\S)", re.sub(r"(?m)^\s*#.*\n?", "", LOCK))[1:]
    assert len(packages) == len(PINS) > 20
    for package in packages:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", package), package.splitlines()[0]


def test_the_lock_holds_no_address_and_no_path():
    assert not re.search(r"(?m)://|index-url|find-links|trusted-host|^-|^[./]|\S @ ", LOCK)


@pytest.mark.parametrize("wanted", asked_for(), ids=str)
def test_every_direct_dependency_is_pinned_within_its_bounds(wanted):
    assert canonicalize_name(wanted.name) in PINS
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])


def test_the_core_asks_for_no_library_of_training_tracking_or_serving():
    core = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}
    assert core == {"numpy", "pandas", "pyarrow", "pydantic", "pandera", "typer", "rich", "openpyxl"}


def test_what_is_installed_is_what_the_lock_pins():
    different = {n: metadata.version(n) for n in ("numpy", "pandas", "lightgbm") if metadata.version(n) != PINS[n]}
    assert not different, "run `make lint` or any other target: it brings .venv up to date"


def test_the_version_is_the_same_wherever_it_is_said():
    assert pfps_ml.__version__ == PROJECT["project"]["version"]
    assert f"## [{pfps_ml.__version__}]" in (HOUSE / "CHANGELOG.md").read_text(encoding="utf-8")


def test_make_help_names_every_target():
    makefile = (HOUSE / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?m)^([a-z-]+):.*## \S", makefile))
    phony = re.search(r"(?m)^\.PHONY: (.*)$", makefile)
    assert phony is not None
    assert named == set(phony[1].split()) >= {"demo", "test", "test-slow", "check", "serve", "ui", "bench", "browser"}


def test_what_ci_runs_are_targets_of_the_makefile():
    steps = re.findall(r"(?m)^make (\S+)$", (HOUSE / ".ci/run").read_text(encoding="utf-8"))
    assert steps == ["browser", "check", "test-slow"]


@pytest.fixture
def checkout(tmp_path):
    for name in ("pyproject.toml", "hatch_build.py", "LICENSE", ".gitignore"):
        shutil.copy(HOUSE / name, tmp_path)
    (tmp_path / "README.md").write_text("# pfps-ml\n", encoding="utf-8")
    for package in ("pfps_ml", "serving"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def build(checkout, kind="standard"):
    [wheel] = WheelBuilder(str(checkout)).build(directory=str(checkout / "dist"), versions=[kind])
    return ZipFile(wheel).namelist()


def test_the_wheel_carries_the_released_bundle_and_no_other(checkout):
    for name in ("pfps-0.2.0", "pfps-0.0.9"):
        (checkout / "models" / name).mkdir(parents=True)
        (checkout / "models" / name / "manifest.json").write_text("{}", encoding="utf-8")
    (checkout / "models/CURRENT").write_text("pfps-0.2.0\n", encoding="utf-8")
    carried = {name for name in build(checkout) if "models" in name}
    assert carried == {"pfps_ml/models/CURRENT", "pfps_ml/models/pfps-0.2.0/manifest.json"}


def test_a_wheel_without_a_released_bundle_is_not_built(checkout, capsys):
    with pytest.raises(SystemExit):
        build(checkout)
    assert "run `make demo` first" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pfps-9.9.9", "", "../elsewhere"])
def test_a_wheel_is_not_built_when_current_names_no_bundle(checkout, capsys, name):
    (checkout / "models").mkdir()
    (checkout / "models/CURRENT").write_text(name, encoding="utf-8")
    with pytest.raises(SystemExit):
        build(checkout)
    assert repr(name) in capsys.readouterr().err


def test_an_editable_install_needs_no_released_bundle(checkout):
    assert not [name for name in build(checkout, "editable") if "models" in name]
