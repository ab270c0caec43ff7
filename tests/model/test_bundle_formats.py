"""Bundles of both formats: format 1 loads for good, and a bundle is refused only where what it reads has changed."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import BundleFormat, BundleOutdated
from pfps_ml.core.numbers import generator, same
from pfps_ml.domain import schemas
from pfps_ml.domain.dictionary import ARMS, BY_NAME, FIELDS
from pfps_ml.domain.input_validation import check, complete
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import dump, load_bundle, manifest_of, parts_of, save_bundle
from pfps_ml.model.bundle_schema import dictionary_now, dictionary_of_format_1, fields_in, fingerprint_of
from tests.bundles import copy, rewrite

__all__ = ["copy"]  # a fixture

HOUSE = Path(__file__).parents[2]
GOLDEN = HOUSE / "tests" / "golden"
FORMAT_1, UPDATED_1 = GOLDEN / "pfps-format1", GOLDEN / "pfps-format1-updated"
OF_FORMAT_1 = [FORMAT_1, UPDATED_1]
PATIENT = {"age_years": 24, "sex": "female", "weekly_distance_km": 30, "akps": 71, "failed_conventional_care": "yes"}


def drawn(bundle, count=400):
    """Return coded runners over every field's range, a third of each field not measured."""
    draw, columns = generator(5, "formats"), {}
    for name, about in sorted(bundle.reference["fields"].items()):
        if about["values"] and not BY_NAME[name].parts:
            known = draw.choice(about["values"], count)
            hidden = draw.random(count) < (0 if BY_NAME[name].required else 1 / 3)
            columns[name] = np.where(hidden, np.nan, known)
    everything = {field.name: np.full(count, np.nan) for field in FIELDS if field.kind != "text"}
    body = {"height_cm": draw.uniform(150, 200, count), "weight_kg": draw.uniform(45, 100, count)}
    return complete(everything | body | columns)


def numbers(bundle, values):
    """Return every number that the models of a bundle give."""
    found = bundle.predictor.predict(values)
    estimates = [found.risk, *found.success.values(), *found.effect.values()]
    ends = [part for each in estimates for part in (each.value, each.low, each.high)]
    return np.column_stack([found.log_odds, found.base, found.contributions, *ends])


def in_format_2(bundle, folder):
    """Return a bundle rewritten in format 2."""
    parts = parts_of(bundle)
    save_bundle(folder / "pfps-2", parts, manifest_of("pfps-2", parts, bundle.manifest))
    return load_bundle(folder / "pfps-2")


@pytest.mark.parametrize("path", OF_FORMAT_1, ids=lambda path: path.name)
def test_a_bundle_of_format_1_loads_reproduces_its_answers_and_assesses(path):
    bundle = load_bundle(path)
    assert (bundle.manifest["format"], bundle.level) == ("pfps-bundle/1", 0.9)
    assert {name: str(each) for name, each in bundle.horizons.items()} == {"onset": "12 months", "success": "12 weeks"}
    found = assess(bundle, check(pd.DataFrame([PATIENT])).values).as_dict(0)
    assert found["risk"]["low"] < found["risk"]["probability"] < found["risk"]["high"]
    assert [each["arm"] for each in found["pathways"]] == [arm.name for arm in ARMS]


def test_the_updated_bundle_of_format_1_is_one_that_a_cohort_moved():
    assert load_bundle(UPDATED_1).manifest["updates"]


def test_the_dictionary_of_format_1_is_the_one_that_its_bundles_name():
    dictionary, fingerprint = dictionary_of_format_1()
    assert all(
        json.loads((p / "manifest.json").read_text())["dictionary_fingerprint"] == fingerprint for p in OF_FORMAT_1
    )
    assert dictionary.fields["bmi"]["parts"] == ["weight_kg", "height_cm"]


@pytest.mark.parametrize("path", OF_FORMAT_1, ids=lambda path: path.name)
def test_rewritten_in_format_2_a_bundle_gives_the_same_numbers_to_the_digits_of_a_file(path, tmp_path):
    before = load_bundle(path)
    after, values = in_format_2(before, tmp_path), drawn(before)
    np.testing.assert_allclose(numbers(after, values), numbers(before, values), rtol=0, atol=1e-12)
    assert after.manifest["format"] == "pfps-bundle/2"


def test_pfps_0_2_0_has_the_models_of_pfps_0_1_0():
    before, after = load_bundle(FORMAT_1), load_bundle(HOUSE / "models" / "pfps-0.2.0")
    values = drawn(before)
    np.testing.assert_allclose(numbers(after, values), numbers(before, values), rtol=0, atol=1e-12)
    assert after.manifest["format"] == "pfps-bundle/2"
    reference = {key: value for key, value in before.reference.items() if key != "horizon_months"}
    assert same(after.reference, reference)  # written to 13 digits since


def test_a_bundle_of_format_1_that_was_made_with_another_dictionary_is_refused(tmp_path):
    old = shutil.copytree(FORMAT_1, tmp_path / "old")
    rewrite(old, "manifest.json", lambda manifest: manifest.update(dictionary_fingerprint="0" * 64))
    with pytest.raises(BundleOutdated, match="fields that format 1 ended with"):
        load_bundle(old)


ADDED = """    number(_load, "sleep_hours", 0, 14, unit="h", label="Sleep", question="For how many hours do you sleep?",
           meaning="A usual night.", source="assumption: a test", decimals=1),
    text(_id, "club","""
SCORE = """
import sys
from pathlib import Path
import pandas as pd
import pfps_ml
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import load_bundle
from pfps_ml.domain.input_validation import check
assert Path(pfps_ml.__file__).is_relative_to(sys.argv[1]), pfps_ml.__file__
checked = check(pd.DataFrame([{"age_years": 24, "sex": "female", "weekly_distance_km": 30, "sleep_hours": 7.5}]))
assert not checked.faults and "sleep_hours" in checked.values
for path in sys.argv[2:]:
    print(repr(assess(load_bundle(Path(path)), checked.values).as_dict(0)["risk"]["probability"]))
"""


def test_after_an_optional_field_was_added_released_and_updated_bundles_of_both_formats_score_as_before(tmp_path):
    shutil.copytree(HOUSE / "pfps_ml", tmp_path / "pfps_ml", ignore=shutil.ignore_patterns("__pycache__"))
    dictionary = tmp_path / "pfps_ml" / "domain" / "dictionary.py"
    before = dictionary.read_text(encoding="utf-8")
    dictionary.write_text(before.replace('    text(_id, "club",', ADDED), encoding="utf-8")
    assert dictionary.read_text(encoding="utf-8") != before
    updated = in_format_2(load_bundle(UPDATED_1), tmp_path).path
    paths = [*OF_FORMAT_1, HOUSE / "models" / "pfps-0.2.0", updated]
    found = subprocess.run(
        [sys.executable, "-c", SCORE, str(tmp_path), *map(str, paths)], cwd=tmp_path, check=True, capture_output=True,
        text=True, env={"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    one = check(pd.DataFrame([{"age_years": 24, "sex": "female", "weekly_distance_km": 30}])).values
    expected = [assess(load_bundle(path), one).as_dict(0)["risk"]["probability"] for path in paths]
    assert [float(line) for line in found.stdout.split()] == expected


def changed(monkeypatch, name, facts):
    fields = tuple(replace(field, **facts) if field.name == name else field for field in FIELDS)
    monkeypatch.setattr(schemas, "FIELDS", fields)


@pytest.fixture(params=["format 1", "format 2"])
def path(request, bundle):
    """Return the folder of a bundle of each format."""
    return FORMAT_1 if request.param == "format 1" else bundle.path


@pytest.mark.parametrize(
    ("name", "facts", "said"),
    [
        ("age_years", {"high": 91.0}, r"age_years \(high: 90 became 91\)"),
        ("akps", {"low": 1.0}, r"akps \(low: 0 became 1\)"),
        ("weight_kg", {"unit": "lb"}, r"weight_kg \(unit: kg became lb\)"),
        ("bmi", {"parts": ("weight_kg",)}, r"bmi \(parts: weight_kg, height_cm became weight_kg\)"),
        ("sex", {"levels": ("male", "female")}, r"sex \(levels: female, male became male, female\)"),
        ("current_knee_pain", {"levels": ("yes", "no")}, r"current_knee_pain \(levels"),
        ("foot_posture_index", {"kind": "number"}, r"foot_posture_index \(kind: whole became number\)"),
        ("failed_conventional_care", {"name": "failed_care"}, r"failed_conventional_care \(a field that is gone\)"),
    ],
)
def test_a_bundle_is_refused_where_a_field_that_it_reads_changed_and_told_which(path, monkeypatch, name, facts, said):
    changed(monkeypatch, name, facts)
    with pytest.raises(BundleOutdated, match=said) as refused:
        load_bundle(path)
    assert "retrain it, or install the version of pfps-ml" in refused.value.message


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ([replace(arm, requires=()) for arm in ARMS], "injection .*failed_conventional_care yes became none"),
        (ARMS[:2], r"orthotic \(an arm that is gone\); injection \(an arm that is gone\)"),
    ],
)  # fmt: skip
def test_a_bundle_is_refused_where_an_arm_changed_whom_it_is_offered_to(path, monkeypatch, arms, said):
    monkeypatch.setattr(schemas, "ARMS", tuple(arms))
    with pytest.raises(BundleOutdated, match=said):
        load_bundle(path)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("morning_stiffness_min", {"high": 300.0}),
        ("sitting_pain", {"levels": ("no", "sometimes", "yes")}),
        ("effusion_grade", {"name": "effusion"}),
        ("club", {"name": "team"}),
        ("age_years", {"label": "Years", "question": "?", "meaning": "-", "source": "-", "decimals": 1}),
    ],
)
def test_a_bundle_loads_where_what_changed_is_not_read_by_it(path, monkeypatch, name, facts):
    changed(monkeypatch, name, facts)
    assert load_bundle(path).predictor.arms == tuple(arm.name for arm in ARMS)


def test_a_new_arm_revokes_no_bundle(path, monkeypatch):
    monkeypatch.setattr(schemas, "ARMS", (*ARMS, replace(ARMS[1], name="taping")))
    assert load_bundle(path).predictor.arms == tuple(arm.name for arm in ARMS)


def test_the_schema_names_what_every_model_reads_with_a_fingerprint_of_it(bundle):
    content = json.loads((bundle.path / "schema.json").read_bytes())
    assert (content["format"], content["level"]) == (2, 0.9) and set(content["outcomes"]) == {"onset", "success"}
    for name, each in content["outcomes"].items():
        assert set(each) == {"kind", "link", "horizons", "main", "unit", "model", "fingerprint", "reads"}
        read = fields_in(json.loads((bundle.path / each["model"]).read_bytes()))
        assert read and read <= set(each["reads"]["fields"])
        assert each["fingerprint"] == fingerprint_of(each["reads"]) != fingerprint_of({**each["reads"], "arms": ["x"]})
        assert each["reads"] == dictionary_now().reads(
            each["reads"]["fields"], bundle.schema.arms if name == "success" else ()
        )
    assert {"height_cm", "weight_kg", "current_knee_pain"} <= set(content["outcomes"]["onset"]["reads"]["fields"])


def reschemed(path, change):
    """Change schema.json of a bundle, with fingerprints and hashes kept true."""

    def whole(content):
        change(content["outcomes"]["onset"], content)
        for each in content["outcomes"].values():
            each["fingerprint"] = fingerprint_of(each["reads"])

    rewrite(path, "schema.json", whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda onset, _: onset.update(link="probit"), "an unknown link of onset"),
        (lambda onset, _: onset.update(horizons=[12, 6]), "horizons that do not ascend"),
        (lambda onset, _: onset.update(horizons=[6], main=12), "horizons that do not ascend"),
        (lambda onset, _: onset.update(horizons=["12"], main="12"), "horizons that do not ascend"),
        (lambda onset, _: onset.update(unit="weeks"), "another kind or unit of onset"),
        (lambda onset, _: onset.update(model="../onset.json"), "a file of another name"),
        (lambda onset, _: onset.update(accounts={"../x": "models/onset.../x.json"}), "a file of another name"),
        (lambda _, all_: all_["outcomes"].pop("success"), "other outcomes than onset and success"),
        (lambda _, all_: all_.update(level=90), "a level that is not between 0 and 1"),
        (lambda _, all_: all_.update(format=3), "the format 3"),
        (lambda _, all_: all_["outcomes"]["success"]["reads"].update(arms=[]), "not one to 8 different arms"),
    ],
)  # fmt: skip
def test_a_schema_that_this_version_cannot_read_is_refused(copy, change, said):
    reschemed(copy, change)
    with pytest.raises(BundleFormat, match=said):
        load_bundle(copy)


def test_a_schema_whose_fingerprint_is_not_that_of_its_fields_is_refused(copy):
    rewrite(copy, "schema.json", lambda c: c["outcomes"]["onset"]["reads"]["fields"]["age_years"].update(low=3.0))
    with pytest.raises(BundleFormat, match="a fingerprint that is not that of its fields"):
        load_bundle(copy)


def test_a_field_that_a_model_reads_and_the_schema_does_not_name_is_refused(copy):
    reschemed(copy, lambda onset, _: onset["reads"]["fields"].pop("step_rate_spm"))
    with pytest.raises(BundleFormat, match=r"that schema\.json names, got step_rate_spm"):
        load_bundle(copy)


def test_two_levels_of_the_intervals_are_refused(copy):
    rewrite(copy, "manifest.json", lambda manifest: manifest.update(level=0.8))
    with pytest.raises(BundleFormat, match="one level of the intervals"):
        load_bundle(copy)


@pytest.mark.parametrize(
    "name",
    ["models/../../x.json", "/etc/passwd", "models/onset.pkl", "models\\onset.json", "extra.json", "models/a.b.c.json"],
)  # fmt: skip
def test_a_file_of_a_name_that_no_bundle_has_is_refused(copy, name):
    rewrite(copy, "manifest.json", lambda manifest: manifest["files"].update({name: "0" * 64}))
    with pytest.raises(BundleFormat, match="expected the files of a bundle"):
        load_bundle(copy)


def test_a_model_that_the_schema_does_not_name_is_refused(copy):
    content = (copy / "models" / "onset.json").read_bytes()
    (copy / "models" / "relapse.json").write_bytes(content)
    rewrite(
        copy, "manifest.json", lambda m: m["files"].update({"models/relapse.json": m["files"]["models/onset.json"]})
    )
    with pytest.raises(BundleFormat, match=r"the models that schema\.json of .* names"):
        load_bundle(copy)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_bundle_of_one_to_eight_arms_assesses(bundle, monkeypatch, tmp_path, count):
    """Arms are data: fewer than the dictionary declares, or more than today, with nothing else changed."""
    from pfps_ml.domain import dictionary
    from pfps_ml.model import bundle as loading

    more = tuple(replace(ARMS[1], name=f"arm_{at}") for at in range(8 - len(ARMS)))
    declared = (*ARMS, *more)[:count]
    for module in (schemas, dictionary, loading):
        monkeypatch.setattr(module, "ARMS", declared)
    found, names = bundle.predictor, [arm.name for arm in declared]
    modifiers = {name: found.modifiers.get(name, found.modifiers["hip"]) for name in names[1:]}
    parts = _parts(replace(bundle, predictor=replace(found, modifiers=modifiers)), names)
    save_bundle(tmp_path / "pfps-arms", parts, manifest_of("pfps-arms", parts, bundle.manifest))
    loaded = load_bundle(tmp_path / "pfps-arms")
    assert list(loaded.predictor.arms) == names
    assessed = assess(loaded, check(pd.DataFrame([PATIENT])).values)
    answer = assessed.as_dict(0)
    assert [each["arm"] for each in answer["pathways"]] == names
    assert set(answer["preference"]["acceptable"]) <= set(names)
    assert [name for name in assessed.table(True) if name.startswith("p_")] == [f"p_{name}" for name in names]


def _parts(bundle, names):
    """Return the files of a bundle whose clinics chose among these arms."""
    from pfps_ml.model.bundle import bundle_parts, golden_inputs

    states = {state: {name: model for name, model in models.items() if name in names}
              for state, models in bundle.reference["propensity"]["states"].items()}  # fmt: skip
    reference = {**bundle.reference, "propensity": {**bundle.reference["propensity"], "states": states}}
    parts = bundle_parts(bundle.predictor, reference, golden_inputs(bundle), bundle.horizons)
    return parts | {"card.md": bundle.card.encode()}


def test_a_bundle_over_two_horizons_answers_both_ascending_and_the_main_one_is_the_risk(bundle, tmp_path):
    from pfps_ml.model.bundle import bundle_parts, golden_inputs

    onset = bundle.predictor.onset
    earlier = replace(onset, intercept=onset.intercept - 0.5)
    two = replace(bundle.predictor, horizons={6: earlier, 12: None})
    parts = bundle_parts(two, bundle.reference, golden_inputs(bundle), bundle.horizons) | {"card.md": b"card"}
    save_bundle(tmp_path / "pfps-two", parts, manifest_of("pfps-two", parts, bundle.manifest))
    loaded = load_bundle(tmp_path / "pfps-two")
    assert loaded.schema.outcomes["onset"].horizons == (6, 12)
    risk = assess(loaded, check(pd.DataFrame([PATIENT])).values).as_dict(0)["risk"]
    assert [each["months"] for each in risk["by_month"]] == [6, 12]
    first, main = risk["by_month"]
    assert main == {"months": 12, **{name: risk[name] for name in ("probability", "low", "high")}}
    assert np.log(first["probability"] / (1 - first["probability"])) == pytest.approx(risk["margin"] - 0.5)
    rewrite(loaded.path, "models/onset.json", lambda content: content["horizons"].pop("6"))
    with pytest.raises(BundleFormat, match="the horizons of onset"):
        load_bundle(loaded.path)


def test_a_bundle_with_a_complementary_log_log_link_assesses_on_that_scale(bundle, tmp_path):
    from pfps_ml.model.bundle import bundle_parts, golden_inputs

    other = replace(bundle.predictor, onset=replace(bundle.predictor.onset, link="cloglog"))
    parts = bundle_parts(other, bundle.reference, golden_inputs(bundle), bundle.horizons) | {"card.md": b"card"}
    save_bundle(tmp_path / "pfps-cloglog", parts, manifest_of("pfps-cloglog", parts, bundle.manifest))
    assessed = assess(load_bundle(tmp_path / "pfps-cloglog"), check(pd.DataFrame([PATIENT])).values)
    answer = assessed.as_dict(0)
    risk, reasons = answer["risk"], answer["reasons"]
    assert risk["link"] == "cloglog" and "log_odds" not in risk and "log_odds" not in reasons[0]
    assert risk["probability"] == pytest.approx(1 - np.exp(-np.exp(risk["margin"])), abs=1e-12)
    parts_of_risk = sum(reason["contribution"] for reason in reasons)
    assert parts_of_risk == pytest.approx(risk["margin"] - risk["base_margin"], abs=1e-9)
    base = 1 - np.exp(-np.exp(risk["base_margin"]))
    points = sum(reason["percentage_points"] for reason in reasons)
    assert 100 * base + points == pytest.approx(100 * risk["probability"], abs=1e-6)
    rewrite(tmp_path / "pfps-cloglog", "schema.json", lambda content: content["outcomes"]["onset"].update(link="logit"))
    with pytest.raises(BundleFormat, match=r"links that schema\.json names"):
        load_bundle(tmp_path / "pfps-cloglog")


def test_the_files_are_canonical_json(bundle):
    for name in bundle.manifest["files"]:
        if name.endswith(".json"):
            content = (bundle.path / name).read_bytes()
            assert content == dump(json.loads(content))
