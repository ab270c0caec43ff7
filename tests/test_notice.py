"""What a bundle says of itself: where its numbers come from, the same wherever they are shown."""

import shutil

import pandas as pd
import pytest

from pfps_ml.domain.input_validation import check
from pfps_ml.domain.schemas import CARE, NOTICE, notice_message, notice_of
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import load_bundle
from pfps_ml.squad.report import report_page
from serving.active_bundle import ActiveBundle
from serving.openapi import document
from serving.pages import about, tables
from tests.bundles import rewrite
from tests.rosters import roster
from tests.squad.pages import SQUAD, report_data

UPDATE = {"cohort": "a", "runners": 1812}
SAID = f"Trained on simulated data, updated on 1,812 runners of a cohort. {CARE}"


@pytest.fixture(scope="module")
def updated(bundle, tmp_path_factory):
    home = tmp_path_factory.mktemp("updated")
    shutil.copytree(bundle.path, home / "pfps-local")
    rewrite(home / "pfps-local", "manifest.json", lambda manifest: manifest.update(updates=[UPDATE]))
    (home / "CURRENT").write_text("pfps-local\n", encoding="utf-8")
    return load_bundle(home / "pfps-local")


def test_the_notice_follows_from_what_the_manifest_says(subtests):
    cases = [
        ({"trained_on": {}}, NOTICE), ({"trained_on": {"simulated": True, "runners": 9}}, NOTICE),
        ({"trained_on": {"simulated": False, "runners": 9000}}, f"Trained on 9,000 runners of a cohort. {CARE}"),
        ({"trained_on": {"simulated": True}, "updates": [UPDATE, UPDATE]},
         f"Trained on simulated data, updated on 1,812 runners of a cohort. {CARE}"),
        ({"trained_on": {"simulated": False, "runners": 9}, "updates": [UPDATE, {"cohort": "b", "runners": 2}]},
         f"Trained on 9 runners of a cohort, updated on 1,814 runners of 2 cohorts. {CARE}"),
    ]  # fmt: skip
    for manifest, said in cases:
        with subtests.test(manifest=manifest, said=said):
            assert notice_of(manifest) == said
            notice = notice_message(manifest)
            assert notice.code == "notice"
            assert notice.parameters["origin"]["code"] == (
                "origin_updated" if "updates" in manifest else
                "origin_simulated" if manifest["trained_on"].get("simulated", True) else "origin_cohort"
            )  # fmt: skip


def test_a_reply_and_a_scored_roster_say_that_the_bundle_was_updated(updated):
    found = assess(updated, check(pd.DataFrame({"age_years": [30], "sex": ["male"]})).values)
    assert found.as_dict(0)["trained_on"] == {**updated.manifest["trained_on"], "notice": SAID,
                                              "notice_message": notice_message(updated.manifest).as_dict()}  # fmt: skip
    signed = "pfps-local (trained on simulated data, updated on 1,812 runners of a cohort; not a medical device)"
    assert list(found.table(visit=False)["bundle"]) == [signed]


def test_the_service_its_tables_and_its_documents_say_so(updated, monkeypatch):
    monkeypatch.setenv("PFPS_MODELS", str(updated.path.parent))
    live = ActiveBundle()
    assert about(live)["notice"] == NOTICE  # nothing is in service yet
    live.take_over()
    assert about(live)["notice"] == tables(updated)["notice"] == SAID
    assert document(updated)["info"]["description"] == SAID


def test_the_report_of_a_squad_says_so_above_below_and_where_it_tells_of_the_model(updated, tmp_path):
    page = report_page(report_data(updated, tmp_path))
    assert page.count(SAID) == 2 and NOTICE not in page
    assert "clubs, updated on 1,812 runners of a cohort. Its risks" in page


def test_the_command_that_scores_ends_with_it(updated, pfps, tmp_path):
    code, out, _ = pfps("score", roster(tmp_path, SQUAD), "-o", tmp_path / "scored.csv", "--bundle", updated.path)
    assert code == 0
    assert out.splitlines()[-1] == SAID
