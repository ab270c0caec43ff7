"""Set-up: the lock pins everything that pyproject.toml asks for, and the wheel carries the released bundle."""

import os
import re
import shutil
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pfps_ml
import setup_venv

HOUSE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (HOUSE / "Makefile").read_text(encoding="utf-8")
LOCK = (HOUSE / "requirements.lock").read_text(encoding="utf-8")
PACKAGES = re.split(r"(?m)^(?=\S)", re.sub(r"(?m)^\s*#.*\n?", "", LOCK))[1:]
# a name once, with a version and no marker: every Python on every processor gets the same
PINNED = re.compile(r"([\w.-]+)(?:\[.*\])?==([\w.+!-]+) (?:\\\n    --hash=sha256:[0-9a-f]{64}[ \n])+")
PINS = {canonicalize_name(found[1]): found[2] for found in map(PINNED.fullmatch, PACKAGES) if found}
SUPPORTED = [line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if ":: Python :: 3." in line]


def asked_for() -> list[Requirement]:
    # `spark` stands outside the lock: it wants a Java that the set-up cannot bring
    extras = [lines for name, lines in PROJECT["project"]["optional-dependencies"].items() if name != "spark"]
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    return [Requirement(line) for line in (*lines, *(line for extra in extras for line in extra))]


def test_every_package_of_the_lock_is_pinned_once_for_every_python_and_has_hashes():
    assert len(PACKAGES) > 100
    assert not [package.splitlines()[0] for package in PACKAGES if not PINNED.fullmatch(package)]
    assert len(PINS) == len(PACKAGES)


def test_the_lock_is_made_and_tried_for_every_python_that_the_project_promises():
    tried = re.findall(r"(?m)^(?:NEWER :=|\t\$\(COMPILE\) --python-version) ([\d. ]+)", MAKEFILE)
    assert sorted(" ".join(tried).split()) == SUPPORTED
    assert PROJECT["project"]["requires-python"] == f">={SUPPORTED[0]}"


def test_the_lock_covers_every_extra_but_spark():
    [extras] = re.findall(r"(?m)^EXTRAS := (.*)$", MAKEFILE)
    assert set(extras.split()) == set(PROJECT["project"]["optional-dependencies"]) - {"spark"}


def test_the_lock_holds_no_address_and_no_path():
    assert not re.search(r"(?m)://|index-url|find-links|trusted-host|^-|^[./]|\S @ ", LOCK)


def test_every_direct_dependency_is_pinned_within_its_bounds():
    pins = {str(wanted): PINS.get(canonicalize_name(wanted.name)) for wanted in asked_for()}
    assert pins and not [text for text, pin in pins.items() if pin is None]
    faults = [f"{wanted}: {pins[str(wanted)]}" for wanted in asked_for()
              if not wanted.specifier.contains(pins[str(wanted)])]  # fmt: skip
    assert not faults, "\n".join(faults)


def test_the_core_asks_for_no_library_of_training_tracking_or_serving():
    core = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}
    assert core == {"numpy", "pandas", "pyarrow", "pydantic", "pandera", "typer", "rich", "openpyxl", "jinja2"}


def test_what_is_installed_is_what_the_lock_pins():
    present = {canonicalize_name(one.name): one.version for one in metadata.distributions()}
    different = {name: present[name] for name, version in PINS.items() if name in present and present[name] != version}
    assert not different, "run `make setup`: it brings .venv up to date"
    assert set(PINS) - set(present) <= {"uv"}  # which the set-up does without where there is no wheel of it


def test_the_set_up_takes_uv_and_its_hashes_from_the_lock_alone():
    block = setup_venv.uv_alone(LOCK)
    assert block.startswith(f"uv=={PINS['uv']} ")
    assert len(re.findall("--hash=sha256:[0-9a-f]{64}", block)) > 5
    rest = setup_venv.without_uv(LOCK)
    assert "\nuv==" not in rest
    assert rest.count("==") == LOCK.count("==") - 1


def test_the_set_up_keeps_where_packages_come_from_and_nothing_else_of_the_users_settings(monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror.invalid/simple\nfind-links =\n  /a\n  /b\n"
        "constraint = /c\nno-binary = :all:\n[install]\ntarget = /elsewhere\nuser = true\n"
    )
    monkeypatch.setattr(setup_venv, "PIP", (sys.executable, "-m", "pip"))
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name in ("PIP_PRE", "PIP_REQUIRE_VIRTUALENV", "UV_EXCLUDE_NEWER", "UV_NO_BINARY", "PYTHONPATH", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
    found = {k: v for k, v in setup_venv.package_sources().items() if k.startswith(("PIP", "UV", "PYTHON"))}
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "https://mirror.invalid/simple"
    assert (found["PIP_FIND_LINKS"], found["UV_FIND_LINKS"]) == ("/a /b", "/a,/b")
    assert (found["PIP_CONFIG_FILE"], found["UV_OFFLINE"]) == (os.devnull, "1")
    forbidden = "CONSTRAINT|TARGET|USER|BINARY|PRE|VIRTUALENV|EXCLUDE|PYTHONPATH"
    assert not [name for name in found if re.search(forbidden, name)]


def test_a_command_of_the_set_up_that_fails_says_all_that_it_printed_and_what_to_do():
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
    with pytest.raises(setup_venv.SetupError, match=r"(?s)one.*two|two.*one") as caught:
        setup_venv.run([sys.executable, "-c", code], dict(os.environ), "Install three.")
    assert str(caught.value).endswith("Install three.")


def test_the_version_is_the_same_wherever_it_is_said():
    assert pfps_ml.__version__ == PROJECT["project"]["version"]
    assert f"## [{pfps_ml.__version__}]" in (HOUSE / "CHANGELOG.md").read_text(encoding="utf-8")


def test_make_help_names_every_target():
    named = set(re.findall(r"(?m)^([a-z-]+):.*## \S", MAKEFILE))
    phony = re.search(r"(?m)^\.PHONY: (.*)$", MAKEFILE)
    assert phony is not None
    assert named == set(phony[1].split()) >= {"demo", "test", "test-slow", "check", "serve", "ui", "bench", "system"}


def test_what_ci_runs_are_targets_of_the_makefile():
    steps = re.findall(r"(?m)^make (\S+)$", (HOUSE / ".ci/run").read_text(encoding="utf-8"))
    assert steps == ["system", "check", "test-slow"]


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
