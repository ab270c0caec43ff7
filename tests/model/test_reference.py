"""The reference of a bundle: what an assessment reads of it is there, or the bundle is refused by name."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.core.config import ProductConfig
from pfps_ml.core.errors import BundleError, BundleFormat
from pfps_ml.domain.input_validation import check
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import digest, dump, load_bundle
from pfps_ml.model.reference import SMALLEST, build_reference
from tests.bundles import copy, rewrite

__all__ = ["copy"]  # a fixture


def emptied(content, *path):
    *way, last = path
    for key in way:
        content = content[key]
    content[last] = None


@pytest.mark.parametrize(
    "path",
    [
        ("base_rate",), ("bands",), ("bands", "low_below"), ("bands", "high_from"), ("averages",),
        ("averages", 0, "risk"), ("averages", 3, "sex"), ("averages", 5), ("fields",),
        ("fields", "age_years"), ("fields", "bmi", "values"), ("fields", "bmi", "high"), ("fields", "akps", "low"),
        ("fields", "prior_pfps", "shares"),
    ],
)  # fmt: skip
def test_a_reference_that_lacks_what_an_assessment_reads_is_refused_by_name(copy, path):
    rewrite(copy, "reference.json", lambda content: emptied(content, *path))
    with pytest.raises(BundleFormat, match=r"this of reference\.json") as refused:
        load_bundle(copy)
    named = ".".join(path[:2]) if path[0] in ("bands", "fields") and len(path) > 1 else path[0]
    assert named in refused.value.message


@pytest.mark.parametrize("content", [None, [], 3])
def test_a_reference_that_is_none_is_refused(copy, content):
    (copy / "reference.json").write_bytes(dump(content))
    rewrite(copy, "manifest.json", lambda m: m["files"].update({"reference.json": digest(dump(content))}))
    with pytest.raises(BundleFormat, match=r"bands\.low_below, .*averages, .* and more;"):
        load_bundle(copy)


@pytest.mark.parametrize("end", [0, -1])
def test_a_reference_without_an_average_for_some_age_is_refused(copy, end):
    rewrite(copy, "reference.json", lambda content: content["averages"].pop(end))
    with pytest.raises(BundleFormat, match="kind: averages;"):
        load_bundle(copy)


def test_a_reference_about_a_field_that_nobody_knows_or_with_unequal_lists_is_refused(copy):
    def change(content):
        content["fields"]["luck"] = content["fields"]["bmi"]

    rewrite(copy, "reference.json", lambda content: content["fields"]["akps"]["shares"].pop())
    with pytest.raises(BundleFormat, match=r"kind: fields\.akps;"):
        load_bundle(copy)
    rewrite(copy, "reference.json", change)
    with pytest.raises(BundleFormat, match=r"reference of the fields that schema\.json names, got luck"):
        load_bundle(copy)


def people(count, **columns):
    """Return the reference of so many made-up people, no two of whom are alike."""
    at = np.arange(count)
    frame = pd.DataFrame({"age_years": 12.0 + at, "sex": at % 2.0, "bmi": 18 + at * at / 999, **columns})
    return build_reference(frame, frame[[]], 0.01 + at / 9000, 0.05, ProductConfig(), of_people=True), frame


def test_of_people_every_number_is_the_mean_of_at_least_five_and_no_two_differ_by_fewer(subtests):
    for count in [5, 9, 14, 40, 44, 57, 99, 103, 600, 1001]:
        with subtests.test(count=count):
            found, frame = people(count)
            about, known = found["fields"]["bmi"], np.sort(frame["bmi"])
            counts = np.round(np.array(about["shares"]) * count).astype(int)
            assert counts.sum() == count and counts.min() >= SMALLEST
            starts = np.cumsum([0, *counts])
            for value, start, end in zip(about["values"], starts, starts[1:], strict=False):
                assert value == pytest.approx(known[start:end].mean(), abs=1e-7)
            ends = {"low": (known, counts[0]), "high": (known[::-1], counts[-1])}
            for name, (order, group) in ends.items():
                means = {size: order[:size].mean() for size in range(1, group + 1)}
                sizes = [size for size, mean in means.items() if about[name] == pytest.approx(mean, abs=1e-7)]
                assert len(sizes) == 1 and sizes[0] >= SMALLEST
                assert sizes[0] == group or group - sizes[0] >= SMALLEST


def test_of_fewer_than_five_people_nothing_is_said():
    few = np.where(np.arange(40) < SMALLEST - 1, 170.0, np.nan)
    found, frame = people(40, step_rate_spm=few, prior_pfps=np.arange(40) < 3, prior_knee_injury=few / 170)
    assert found["fields"]["step_rate_spm"] == {"measured": 0, "values": [], "shares": [], "low": 120, "high": 230}
    assert found["fields"]["prior_pfps"]["shares"] == [1, 0] and found["fields"]["prior_pfps"]["measured"] == 37 / 40
    assert found["fields"]["prior_knee_injury"]["shares"] == [0, 0]
    assert frame["prior_knee_injury"].sum() == SMALLEST - 1


def test_of_people_nobody_is_counted_and_a_group_of_fewer_than_five_answers_with_its_sex():
    found, frame = people(40, sex=(np.arange(40) < 3).astype(float))
    risk = 0.01 + np.arange(40) / 9000
    assert not any("n" in cell for cell in found["averages"])
    for cell in found["averages"]:
        age = frame["age_years"].between(cell["age_from"], cell["age_below"], inclusive="left")
        inside = ((frame["sex"] == 0) & age).to_numpy()
        if cell["sex"] == "male":  # three of them: everybody's risk
            rows = np.full(40, True)
        else:
            rows = inside if inside.sum() >= SMALLEST else (frame["sex"] == 0).to_numpy()
        assert cell["risk"] == pytest.approx(risk[rows].mean(), abs=1e-7)


def test_whole_numbers_of_people_stay_whole_so_that_made_up_runners_can_have_them():
    found, _ = people(44, foot_posture_index=np.arange(44) % 13 - 6.0)
    values = found["fields"]["foot_posture_index"]["values"]
    assert values == sorted(values) and all(value == round(value) for value in values)


ODD = st.sampled_from([None, True, -1, 0.5, 10**400, "text", [], [None], [[1]], {}, {"a": 1}])


@settings(max_examples=80)
@given(data=st.data())
def test_whatever_one_value_of_a_bundle_becomes_it_is_refused_or_it_still_assesses(bundle, tmp_path, data):
    part = data.draw(
        st.sampled_from(["manifest.json", *(part for part in bundle.manifest["files"] if part != "card.md")])
    )
    spoilt = shutil.copytree(bundle.path, tmp_path / bundle.name, dirs_exist_ok=True)
    content = json.loads((spoilt / part).read_bytes())
    spot = content
    while True:
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            break
        spot = spot[key]
    spot[key] = data.draw(ODD)
    rewrite(spoilt, part, lambda c: c.update(content))
    try:
        loaded = load_bundle(spoilt)
    except BundleError as error:
        assert error.message.startswith("expected ")
        return
    rows = check(pd.DataFrame({"age_years": [10, 90], "sex": ["male", "female"], "akps": [50, None]})).values
    assessed = assess(loaded, rows)
    assert len(assessed.table(visit=True)) == 2
    json.dumps([assessed.as_dict(0), assessed.as_dict(1)], allow_nan=False)
