"""Releasing what a cohort made: only after another cohort has borne it out, written whole, registered, then current."""

import json
import shutil
from dataclasses import replace

import pytest

from pfps_ml.core.config import ReleaseConfig
from pfps_ml.core.console import command
from pfps_ml.core.errors import InputError, OutputError, ReleaseRefused
from pfps_ml.core.records import Metric, Model, Param, Tag
from pfps_ml.evaluation.validation_report import digest_of
from pfps_ml.model.bundle import load_bundle
from pfps_ml.workflows import release
from pfps_ml.workflows.card import validation_section
from pfps_ml.workflows.release import _facts_of_update, judge_bundle, point, records, release_bundle
from pfps_ml.workflows.release_gate import read_validation
from tests.bundles import rewrite
from tests.workflows.validations import BY, local, seasons, validation

__all__ = ["local", "seasons", "validation"]  # fixtures


@pytest.fixture
def home(models_home, tmp_path, monkeypatch):
    """Return a folder of bundles with a release in it; MLflow keeps its runs beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(models_home, tmp_path / "models")


def rewritten(validation, folder, change):
    content = json.loads((validation / "report.json").read_text(encoding="utf-8"))
    change(content)
    content["digest"] = digest_of(content)  # as if it had been found so
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_validated_bundle_is_written_whole_registered_as_champion_and_becomes_the_release(
    local, validation, home, monkeypatch, capsys
):
    from mlflow import MlflowClient

    asked = ["release", str(local.path), "--validation", str(validation), "--models", str(home)]
    monkeypatch.setattr("sys.argv", asked)
    with pytest.raises(SystemExit) as done:
        command(release.main)
    assert not done.value.code
    told = capsys.readouterr().out
    assert "AUROC" in told and "REFUSED" not in told
    assert (home / "CURRENT").read_text(encoding="utf-8") == "pfps-local\n"
    new = load_bundle(home / "pfps-local")
    assert new.manifest["validation"]["verdict"] in ("holds", "does not hold", "none")
    assert new.manifest["updates"] == local.manifest["updates"]
    assert (new.path / "models" / "onset.json").read_bytes() == (local.path / "models" / "onset.json").read_bytes()
    assert new.card.startswith("# pfps-local\n") and new.card.index("## Validated on an") < new.card.index("## Updated")
    client = MlflowClient(f"sqlite:///{home.parent}/mlruns/mlflow.db")
    version = client.get_model_version_by_alias("pfps", "champion")
    run = client.get_run(version.run_id)
    assert run.data.tags["released"] == "pfps-local"
    assert run.data.metrics["validation_auroc"] == new.manifest["validation"]["metrics"]["auroc"]["value"]
    assert BY not in str(run.data)
    command_again = release_bundle(judge_bundle(local.path, validation), home)
    assert command_again == home / "pfps-local"  # nothing but the time differs


def test_what_is_tracked_of_a_release_is_figures_digests_and_the_bundle(local, validation):
    ready = judge_bundle(local.path, validation)
    facts = {"cohort": "c", "runners": 9, "cases": 3, "metrics": {"auroc": {"value": 0.6, "low": 0.5, "high": 0.7}}}
    released = replace(local, manifest={**local.manifest, "validation": facts})
    found = list(records(released, ready))
    assert Metric("validation_auroc", 0.6, 0.5, 0.7) in found and Model(local.path) in found
    outcomes = {check.figure.code: check.outcome for check in ready.checks}
    assert {tag.name: tag.value for tag in found if isinstance(tag, Tag) and tag.name.startswith("gate_")} == outcomes
    assert Tag("notice", local.notice) in found and Param("validation.runners", 9) in found
    assert Param("update.cohort", local.manifest["updates"][0]["cohort"]) in found
    assert BY in str(local.manifest["updates"]) and BY not in str(found)


def test_a_bundle_is_not_validated_by_the_cohort_that_it_was_updated_on(local, seasons, validation, tmp_path):
    own_digest = seasons["this"].digest
    own = rewritten(validation, tmp_path / "own", lambda found: found["subject"].update(cohort=own_digest))
    with pytest.raises(InputError, match="the cohort that it was updated on"):
        judge_bundle(local.path, own)


def test_the_validation_of_other_models_is_refused_whatever_their_name(bundle, local, validation):
    with pytest.raises(InputError, match=f"of other models by this name .{local.name}."):
        read_validation(validation, bundle)


@pytest.mark.parametrize(
    "change", [lambda c: c.pop("verdict"), lambda c: c["tables"].pop("onset"), lambda c: c.clear()]
)
def test_a_folder_without_a_whole_validation_is_an_explained_error(local, validation, tmp_path, change):
    with pytest.raises(InputError, match=r"got none; make it with `pfps evaluate"):
        read_validation(rewritten(validation, tmp_path / "spoilt", change), local)
    with pytest.raises(InputError, match=r"got none; make it with `pfps evaluate"):
        read_validation(tmp_path / "nowhere", local)


@pytest.mark.parametrize(
    "edit", [lambda c: c["verdict"].update(said="holds for sure"), lambda c: c.pop("digest"),
             lambda c: c["tables"].update(checks=[]), lambda c: c["subject"].pop("intervals")]
)  # fmt: skip
def test_a_validation_that_was_edited_bears_nothing_out(local, validation, tmp_path, edit):
    content = json.loads((validation / "report.json").read_text(encoding="utf-8"))
    edit(content)
    (tmp_path / "report.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="edited since"):
        judge_bundle(local.path, tmp_path)


@pytest.mark.parametrize("version", ["../1", "a/b", "..", "-1", "x" * 65, "[/b]", "1 2"])
def test_a_version_that_is_no_name_of_a_folder_is_refused_and_nothing_is_written(local, validation, home, version):
    before = sorted(home.rglob("*"))
    with pytest.raises(InputError, match="expected a version"):
        release_bundle(judge_bundle(local.path, validation), home, version)
    assert sorted(home.rglob("*")) == before


def test_a_bundle_that_names_no_version_is_asked_for_one(local, validation, home):
    ready = judge_bundle(local.path, validation)
    nameless = replace(local, manifest={key: each for key, each in local.manifest.items() if key != "version"})
    with pytest.raises(InputError, match="--version"):
        release_bundle(replace(ready, bundle=nameless), home)


def test_patients_alone_release_nothing(tmp_path):
    with pytest.raises(InputError, match="--validation DIR beside"):
        release.main(tmp_path, pathways=tmp_path)


def test_figures_that_do_not_pass_the_gate_are_refused_and_nothing_is_written(local, validation, home):
    before = sorted(home.iterdir())
    ready = judge_bundle(local.path, validation, ReleaseConfig(auroc_above=0.99))
    with pytest.raises(ReleaseRefused) as refused:
        release_bundle(ready, home)
    assert [fault.field for fault in refused.value.faults] == ["AUROC"]
    assert sorted(home.iterdir()) == before
    assert (home / "CURRENT").read_text(encoding="utf-8") != "pfps-local\n"


def test_a_cohort_that_failed_a_check_bears_nothing_out(local, validation, tmp_path):
    def fail(content):
        content["tables"]["checks"][0] |= {"code": "C01", "verdict": "fail"}

    checks = judge_bundle(local.path, rewritten(validation, tmp_path / "failed", fail)).checks
    assert [(each.what, each.found) for each in checks if not each.holds] == [("Checks of the cohort", "C01 failed")]


@pytest.mark.parametrize(("runners", "verdict"), [(500, "not judged: too few runners"), (5000, "REFUSED")])
def test_an_index_that_chance_alone_would_raise_is_not_judged(local, validation, tmp_path, runners, verdict):
    def shrink(content):
        content["subject"] |= {"evaluated": runners, "events": runners // 10}
        index = next(row for row in content["tables"]["onset"] if row["metric"] == "ici")
        index.update(value=0.03, low=0.02, high=0.04)

    found = judge_bundle(local.path, rewritten(validation, tmp_path / "few", shrink)).checks
    (check,) = [each for each in found if each.what == "Integrated calibration index"]
    assert check.verdict == verdict
    assert check.holds is (runners == 500)


@pytest.mark.parametrize(("high", "holds"), [(0.001, True), (-0.001, False)])
def test_a_bundle_that_was_shown_to_be_worse_than_another_is_refused(local, validation, tmp_path, high, holds):
    row = {"metric": "log_loss", "label": "Log loss", "against": "pfps-9", "value": 0.3, "other": 0.29, "gain": -0.01,
           "gain_low": -0.02, "gain_high": high}  # fmt: skip
    rows = [{**row, "metric": "auroc", "label": "AUROC"}, row]
    compared = rewritten(validation, tmp_path / "compared", lambda c: c["tables"].update(against=rows))
    (check,) = [each for each in judge_bundle(local.path, compared).checks if "pfps-9" in each.what]
    assert check.holds is holds
    assert check.found.startswith("-0.0100 (-0.0200 to ")


def moved_by_patients(local, folder):
    """Return the bundle as if patients had moved its pathways, too."""
    shutil.copytree(local.path, folder / "pfps-both")
    update = {
        "from": "pfps-local",
        "cohort": "a-clinic",
        "patients": 900,
        "successes": 400,
        "level": "pathways",
        "by": "",
    }
    rewrite(folder / "pfps-both", "manifest.json", lambda manifest: manifest["updates"].append(update))
    return load_bundle(folder / "pfps-both")


def of_patients(validation, folder, bundle, said="none", cohort="another"):
    """Return a validation of a bundle's pathways, as `pfps evaluate` writes one."""

    def change(content):
        counts = {"people": "patients", "evaluated": 700, "events": 300}
        content["subject"] |= {"pathways": bundle.model_digest("success"), "cohort": cohort, **counts}
        content["verdict"] |= {"conclusion": said, "text": "Not enough patients."}
        content["tables"] |= {"success": content["tables"].pop("onset")}

    return rewritten(validation, folder / f"pathways-{said}-{cohort}", change)


def test_pathways_that_patients_moved_are_not_released_before_other_patients_were_asked(local, validation, tmp_path):
    both = moved_by_patients(local, tmp_path)
    told = {"none": True, "holds": True, "does not hold": False}
    (refused,) = [each for each in judge_bundle(both.path, validation).checks if not each.holds]
    assert (refused.what, refused.found) == ("Pathways, moved by patients", "not validated")
    for said, holds in told.items():
        pathways = of_patients(validation, tmp_path, both, said)
        checks = judge_bundle(both.path, validation, None, pathways).checks
        assert all(each.holds for each in checks) is holds
        assert checks[-1].what == "Checks of the cohort of patients"
    with pytest.raises(InputError, match="on patients that it had not seen"):
        judge_bundle(both.path, validation, None, of_patients(validation, tmp_path, both, cohort="a-clinic"))
    with pytest.raises(InputError, match=r"of a bundle on patients in .* got none"):
        judge_bundle(both.path, validation, None, validation)


def test_the_card_and_the_manifest_say_what_other_patients_said(local, validation, home, tmp_path):
    both = moved_by_patients(local, tmp_path)
    ready = judge_bundle(both.path, validation, None, of_patients(validation, tmp_path, both))
    facts, card = _facts_of_update(ready)["validation"], _account(ready)
    assert facts["pathways"] == {"cohort": "another", "patients": 700, "successes": 300, "verdict": "none",
                                 "verdict_codes": ["no_verdict_too_few_runners"]}  # fmt: skip
    assert "Pathways: 700 patients with 300 successes (cohort another). Not enough patients." in card
    assert "Pathways were not validated." in _account(judge_bundle(local.path, validation))


def _account(ready):
    """Return what the card says first of the validation."""
    return validation_section(ready.validated, ready.treated, ready.checks).blocks[0]


@pytest.mark.slow
def test_where_mlflow_cannot_be_written_the_release_before_stays(local, validation, home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/CURRENT")  # a file that is no database
    with pytest.raises(OutputError, match="log the run"):
        release_bundle(judge_bundle(local.path, validation), home, "0.0.1")
    assert (home / "CURRENT").read_text(encoding="utf-8") == "pfps-0.0.1\n"
    assert (home / "pfps-0.0.1-2").is_dir()


def test_a_folder_of_bundles_that_cannot_be_written_is_an_explained_error(local, validation, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="nothing moved"):
        release_bundle(judge_bundle(local.path, validation), tmp_path / "file")


def test_where_current_cannot_be_moved_it_is_an_explained_error(tmp_path):
    (tmp_path / "CURRENT" / "in the way").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"expected to write .*CURRENT, but cannot"):
        point(tmp_path, "pfps-9")
    assert [each.name for each in tmp_path.iterdir()] == ["CURRENT"]
