"""The bundle: JSON only, and nothing of it is trusted before it has been checked."""

import json
import shutil

import numpy as np
import pytest

from pfps_ml.core.errors import BundleFormat, BundleGolden, BundleMissing, BundleTampered
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.model.bundle import digest, dump, load_bundle, manifest_of, released_bundle, save_bundle
from tests.bundles import copy, rewrite

__all__ = ["copy"]  # a fixture


ONSET, SUCCESS = "models/onset.json", "models/success.json"
PARTS = ("schema.json", ONSET, SUCCESS, "reference.json", "golden.json", "card.md")


def test_a_bundle_holds_only_json_and_a_card_and_is_small(bundle):
    files = sorted(path.relative_to(bundle.path).as_posix() for path in bundle.path.rglob("*") if path.is_file())
    assert files == sorted([*PARTS, "manifest.json"])
    assert sum((bundle.path / name).stat().st_size for name in files) < 10_000_000
    for name in files:
        if name.endswith(".json"):
            json.loads((bundle.path / name).read_text(encoding="utf-8"))


def test_the_manifest_says_how_the_bundle_was_made(bundle):
    named = {"version", "created", "packages", "dictionary_fingerprint", "ledger_fingerprint", "seed", "data_digest",
             "config", "files", "metrics", "intended_use", "limits", "trained_on", "format", "name",
             "level"}  # fmt: skip
    assert named <= set(bundle.manifest)
    assert bundle.manifest["trained_on"]["simulated"] is True
    assert "auroc" in bundle.manifest["metrics"]
    assert "simulated data" in bundle.card


def test_a_bundle_holds_no_row_of_the_data_it_was_made_from(bundle, frames):
    everything = b"".join(path.read_bytes() for path in bundle.path.rglob("*") if path.is_file())
    for name in frames.onset["runner_id"].head(50):
        assert name.encode() not in everything


def test_one_changed_byte_is_refused(copy):
    for part in PARTS:
        spoilt = shutil.copytree(copy, copy.parent / f"spoilt-{part.replace('/', '-')}")
        content = bytearray((spoilt / part).read_bytes())
        content[len(content) // 2] ^= 1
        (spoilt / part).write_bytes(bytes(content))
        with pytest.raises(BundleTampered, match=part):
            load_bundle(spoilt)


def test_a_model_over_an_unknown_field_is_refused(copy):
    rewrite(copy, ONSET, lambda c: c["horizons"]["12"]["model"]["terms"][0].update(field="luck"))
    with pytest.raises(BundleFormat, match="luck"):
        load_bundle(copy)


def test_one_wrong_golden_value_is_refused(copy):
    rewrite(copy, "golden.json", lambda c: c["answers"]["risk"].__setitem__(0, c["answers"]["risk"][0] + 1e-8))
    with pytest.raises(BundleGolden, match="risk by 1e-08"):
        load_bundle(copy)


def test_a_golden_answer_that_is_no_number_is_refused(copy):
    rewrite(copy, "golden.json", lambda c: c["answers"]["risk"].__setitem__(0, None))
    with pytest.raises(BundleGolden):
        load_bundle(copy)


def test_golden_without_answers_cannot_pass(copy):
    rewrite(copy, "golden.json", lambda c: c.update(answers={}))
    with pytest.raises(BundleGolden, match="risk by inf"):
        load_bundle(copy)


def test_golden_holds_every_number_of_an_assessment_effects_and_their_ends_included(bundle):
    answers = json.loads((bundle.path / "golden.json").read_bytes())["answers"]
    pathways = [*(f"p_{arm.name}" for arm in ARMS), *(f"effect_{name}" for name in ACTIVE_ARMS)]
    risk = {"risk", "risk_low", "risk_high", "margin", "base_margin", "contributions"}
    assert set(answers) == risk | {f"{name}{end}" for name in pathways for end in ("", "_low", "_high")}


def test_an_effect_that_is_not_reproduced_is_refused(copy):
    rewrite(copy, "golden.json", lambda c: c["answers"]["effect_hip_high"].__setitem__(3, -1.0))
    with pytest.raises(BundleGolden, match="effect_hip_high by"):
        load_bundle(copy)


@pytest.mark.parametrize("answers", [{"risk": [0.1]}, {"risk": []}, {"risk": 0.1}, {"luck": [0.1]}, {"luck": 3}])
def test_golden_answers_of_another_number_or_name_are_not_reproduced(copy, answers):
    rewrite(copy, "golden.json", lambda c: c.update(answers=answers))
    with pytest.raises(BundleGolden, match="by inf"):
        load_bundle(copy)


@pytest.mark.parametrize("content", [{}, {"answers": 3, "inputs": []}, []])
def test_golden_of_another_shape_is_refused(copy, content):
    (copy / "golden.json").write_bytes(dump(content))
    rewrite(copy, "manifest.json", lambda m: m["files"].update({"golden.json": digest(dump(content))}))
    with pytest.raises(BundleFormat, match=r"golden\.json"):
        load_bundle(copy)


def test_a_changed_table_does_not_reproduce_golden_even_with_a_true_hash(copy):
    def change(content):
        content["horizons"]["12"]["model"]["intercept"][0] += 1e-6

    rewrite(copy, ONSET, change)
    with pytest.raises(BundleGolden, match="margin"):
        load_bundle(copy)


@pytest.mark.parametrize("part", [*PARTS, "manifest.json"])
def test_a_file_that_is_not_there_is_named(copy, part):
    (copy / part).unlink()
    with pytest.raises(BundleMissing, match=part):
        load_bundle(copy)


def test_another_format_is_refused(copy):
    rewrite(copy, "manifest.json", lambda m: m.update(format="pfps-bundle/99"))
    with pytest.raises(BundleFormat, match="pfps-bundle/2 or pfps-bundle/1"):
        load_bundle(copy)


@pytest.mark.parametrize("content", [b"not json", b"[]", b"\xff\xfe", b'{"created": NaN}', b"[" * 100_000])
def test_a_manifest_that_is_no_manifest_is_refused(copy, content):
    (copy / "manifest.json").write_bytes(content)
    with pytest.raises(BundleFormat):
        load_bundle(copy)


@pytest.mark.parametrize("updates", [None, 3, [3], [{"cohort": "a", "runners": "many"}], [{"runners": 3}]])
def test_a_manifest_that_does_not_say_how_many_runners_it_was_updated_on_is_refused(copy, updates):
    rewrite(copy, "manifest.json", lambda manifest: manifest.update(updates=updates))
    with pytest.raises(BundleFormat, match="trained and updated on"):
        load_bundle(copy)


@pytest.mark.parametrize("key", ["files", "trained_on"])
@pytest.mark.parametrize("value", [None, [], "text"])
def test_a_manifest_without_what_is_read_of_it_is_refused_by_name(copy, key, value):
    rewrite(copy, "manifest.json", lambda m: m.update({key: value}))
    with pytest.raises(BundleFormat, match=f"expected {key} in the manifest"):
        load_bundle(copy)


def test_a_card_that_is_no_text_is_refused(copy):
    (copy / "card.md").write_bytes(b"\xff\xfe")
    rewrite(copy, "manifest.json", lambda m: m["files"].update({"card.md": digest(b"\xff\xfe")}))
    with pytest.raises(BundleFormat, match=r"card\.md"):
        load_bundle(copy)


def test_a_part_of_the_models_that_is_not_there_is_refused(copy):
    rewrite(copy, SUCCESS, lambda c: c["horizons"]["12"]["modifiers"].pop("hip"))
    with pytest.raises(BundleFormat, match="hip"):
        load_bundle(copy)


def test_the_released_bundle_is_the_one_that_current_names(models_home, monkeypatch, bundle):
    assert released_bundle(models_home).name == bundle.name
    monkeypatch.setenv("PFPS_MODELS", str(models_home))
    assert released_bundle().name == bundle.name


def test_without_a_folder_named_the_checkouts_models_are_used_or_else_those_in_the_package(monkeypatch, tmp_path):
    from pfps_ml.model import bundle as module

    monkeypatch.delenv("PFPS_MODELS", raising=False)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "pfps_ml" / "model" / "bundle.py"))
    assert module._models_home() == tmp_path / "pfps_ml" / "models"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "CURRENT").write_text("pfps-1\n")
    assert module._models_home() == tmp_path / "models"


def test_a_folder_without_current_says_how_to_get_one(tmp_path):
    with pytest.raises(BundleMissing, match="make demo"):
        released_bundle(tmp_path)


@pytest.mark.parametrize("name", [b"\xff\xfe\x00p", b"pfps-0.0.1\x00", b"x" * 300, b""])
def test_a_current_that_names_no_folder_is_a_bundle_that_is_missing(models_home, tmp_path, name):
    (tmp_path / "CURRENT").write_bytes(name)
    with pytest.raises(BundleMissing, match="cannot be read"):
        released_bundle(tmp_path)


def test_a_bundle_that_is_not_there_says_so(models_home, tmp_path):
    (tmp_path / "CURRENT").write_text("pfps-9.9.9\n")
    with pytest.raises(BundleMissing, match=r"pfps-9\.9\.9"):
        released_bundle(tmp_path)


def test_a_bundle_that_fails_its_own_golden_is_never_put_in_place(bundle, tmp_path):
    parts = {part: (bundle.path / part).read_bytes() for part in PARTS}
    golden = json.loads(parts["golden.json"])
    golden["answers"]["risk"][3] += 0.1
    parts["golden.json"] = dump(golden)
    with pytest.raises(BundleGolden):
        save_bundle(tmp_path / "pfps-1", parts, manifest_of("pfps-1", parts, {"trained_on": {}}))
    assert not list(tmp_path.iterdir())


def test_a_bundle_over_the_limit_is_refused(tmp_path):
    with pytest.raises(BundleFormat, match="10,000,000"):
        save_bundle(tmp_path / "pfps-1", {ONSET: b" " * 10_000_001}, {})


def test_intervals_hold_the_prediction_and_widen_with_the_level(bundle, frames):
    from dataclasses import replace

    from pfps_ml.workflows.frames import coded

    values = coded(frames.onset.head(200))
    found = bundle.predictor.predict(values)
    assert ((found.risk.low <= found.risk.value) & (found.risk.value <= found.risk.high)).all()
    members = bundle.predictor.onset.margin(values)
    by_hand = members[:, 0] - bundle.predictor.interval.t * members[:, 1:].std(axis=1, ddof=1)
    np.testing.assert_allclose(found.risk.low, 1 / (1 + np.exp(-by_hand)), atol=1e-12)
    chances = 1 / (1 + np.exp(-bundle.predictor.prognosis.margin(values)))
    treated = bundle.predictor.prognosis.margin(values) + bundle.predictor.modifiers["hip"].margin(values)
    effects = 1 / (1 + np.exp(-treated)) - chances
    reach = bundle.predictor.pathway_interval.t * effects[:, 1:].std(axis=1, ddof=1)
    np.testing.assert_allclose(found.effect["hip"].high, effects[:, 0] + reach, atol=1e-12)
    assert bundle.predictor.interval.t == pytest.approx(2.353, abs=1e-3)  # Student's t, 95 %, 3 degrees of freedom
    wider = replace(bundle.predictor, interval=replace(bundle.predictor.interval, t=bundle.predictor.interval.t * 2))
    assert (wider.predict(values).risk.high >= found.risk.high).all()
    alone = replace(
        bundle.predictor, onset=bundle.predictor.onset.member(0), prognosis=bundle.predictor.prognosis.member(0),
        modifiers={name: model.member(0) for name, model in bundle.predictor.modifiers.items()},
    ).predict(values)  # fmt: skip
    np.testing.assert_array_equal(alone.risk.low, alone.risk.high)
    np.testing.assert_allclose(alone.risk.value, found.risk.value, rtol=0, atol=1e-12)
