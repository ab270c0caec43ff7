"""Releases that never change: what differs in its last bits from a release is that release."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pfps_ml.model.bundle import digest, dump, load_bundle
from pfps_ml.model.prediction import onset_to_json, pathways_to_json, predictor_from_json
from pfps_ml.workflows.release import release, same_release
from pfps_ml.workflows.train import write_candidate
from tests.bundles import copy

__all__ = ["copy"]  # a fixture


def mapped(content, change):
    """Return JSON content with every float changed."""
    if isinstance(content, dict):
        return {key: mapped(value, change) for key, value in content.items()}
    if isinstance(content, list):
        return [mapped(value, change) for value in content]
    return change(content) if isinstance(content, float) else content


def one_ulp_up(number):
    return -number if number == 0 else math.nextafter(number, math.inf)


def one_ulp_down(number):
    return -number if number == 0 else math.nextafter(number, -math.inf)


def zeros_turned(number):
    return -number if number == 0 else number


def last_decimal_turned(number):
    return number + 1e-8 if 0 < abs(number) < 1 else number


def a_millionth_more(number):
    return number * (1 + 1e-6)


def moved(candidate, change, parts=("onset", "pathways", "reference")):
    """Return a candidate as another machine might have trained it: each number of some of its parts changed."""
    content = {"onset": onset_to_json(candidate.predictor), "pathways": pathways_to_json(candidate.predictor),
               "reference": candidate.reference}  # fmt: skip
    content |= {part: mapped(content[part], change) for part in parts}
    predictor = predictor_from_json(content["onset"], content["pathways"])
    predictor = replace(predictor, horizons=candidate.predictor.horizons)
    return replace(candidate, predictor=predictor, reference=content["reference"])


@pytest.fixture
def shelf(models_home, evaluation, tmp_path):
    """Return a folder of bundles, and what offers a candidate for release there, with the evaluation of the first."""
    home = shutil.copytree(models_home, tmp_path / "models")

    def offer(candidate):
        write_candidate(candidate, tmp_path / "candidate")
        about = {**evaluation.subject, "candidate": candidate.identity}
        replace(evaluation, subject=about).write(tmp_path / "evaluation")
        return release(tmp_path / "candidate", tmp_path / "evaluation", home, "0.0.1")

    return home, offer


def contents(home):
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "change",
    [
        one_ulp_up,
        pytest.param(one_ulp_down, marks=pytest.mark.slow),
        pytest.param(zeros_turned, marks=pytest.mark.slow),
    ],
)
def test_numbers_moved_in_their_last_bit_and_zeros_of_another_sign_make_no_new_release(shelf, candidate, change):
    home, offer = shelf
    before = contents(home)
    assert offer(moved(candidate, change)).name == "pfps-0.0.1"
    assert contents(home) == before


@pytest.mark.slow
def test_table_entries_whose_last_decimal_turned_make_no_new_release(shelf, candidate):
    home, offer = shelf
    before = contents(home)
    assert offer(moved(candidate, last_decimal_turned, ("reference",))).name == "pfps-0.0.1"
    assert contents(home) == before


@pytest.mark.slow
@pytest.mark.parametrize("part", ["onset", "pathways"])
def test_models_that_moved_by_a_millionth_are_a_new_release(shelf, candidate, part):
    home, offer = shelf
    assert offer(moved(candidate, a_millionth_more, (part,))).name == "pfps-0.0.1-2"
    assert (home / "CURRENT").read_text() == "pfps-0.0.1-2\n"


@pytest.fixture
def said(bundle):
    """Return the files of the small bundle, and its manifest as of another day."""
    parts = {part: (bundle.path / part).read_bytes() for part in bundle.manifest["files"]}
    return parts, {**bundle.manifest, "created": "another day"}


def test_two_releases_are_the_same_if_only_the_time_differs(bundle, said):
    parts, manifest = said
    assert same_release(bundle.path, parts, manifest)
    assert not same_release(bundle.path, parts, {**manifest, "seed": -1})
    assert not same_release(bundle.path, parts, {**manifest, "data_digest": {}})


def test_another_word_in_a_file_is_another_release(bundle, said):
    parts, manifest = said
    card = parts["card.md"].replace(b"simulated", b"Simulated", 1)
    assert not same_release(bundle.path, {**parts, "card.md": card}, manifest)
    reference = json.loads(parts["reference.json"])
    reference["averages"][0]["sex"] = "male"
    assert not same_release(bundle.path, {**parts, "reference.json": dump(reference)}, manifest)
    reference = json.loads(parts["reference.json"])
    reference["averages"][0]["n"] += 1
    assert not same_release(bundle.path, {**parts, "reference.json": dump(reference)}, manifest)


@pytest.mark.parametrize("change", [one_ulp_up, one_ulp_down])
@pytest.mark.parametrize("part", ["models/onset.json", "models/success.json", "reference.json", "golden.json"])
def test_files_that_differ_in_the_last_bits_of_their_numbers_say_the_same(bundle, said, part, change):
    parts, manifest = said
    other = json.dumps(mapped(json.loads(parts[part]), change)).encode()
    assert other != parts[part]
    assert same_release(bundle.path, {**parts, part: other}, manifest)


def test_the_figures_of_a_manifest_are_numbers_too(bundle, said):
    parts, manifest = said
    assert np.isfinite(manifest["metrics"]["auroc"]["value"])
    assert same_release(bundle.path, parts, mapped(manifest, one_ulp_up))
    assert not same_release(bundle.path, parts, mapped(manifest, a_millionth_more))


def test_a_released_folder_is_the_same_only_if_it_is_whole(copy, said):
    assert same_release(copy, *said)
    (copy / "card.md").write_bytes(b"spoilt")
    assert not same_release(copy, *said)
    (copy / "manifest.json").unlink()
    assert not same_release(copy, *said)


def test_a_release_of_before_numbers_were_rounded_is_left_as_it_is(copy, bundle, said):
    parts, manifest = said
    manifest = {key: value for key, value in manifest.items() if key != "files"}
    golden = json.loads(parts["golden.json"])
    golden["answers"] = mapped(golden["answers"], one_ulp_up)
    (copy / "golden.json").write_text(json.dumps(golden))
    files = {part: digest((copy / part).read_bytes()) for part in bundle.manifest["files"]}
    (copy / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
    assert load_bundle(copy).manifest["files"] != said[1]["files"]
    assert same_release(copy, *said)


def test_the_tracked_release_is_the_same_once_its_files_are_written_rounded():
    home = Path(__file__).parents[2] / "models"
    folder = home / (home / "CURRENT").read_text(encoding="utf-8").strip()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    parts = {part: (folder / part).read_bytes() for part in manifest["files"]}
    written = {part: dump(json.loads(content)) for part, content in parts.items() if part != "card.md"}
    assert same_release(folder, {**parts, **written}, {**manifest, "created": "another day", "files": {}})
