"""The reference of a bundle: what an assessment reads of it is there, or the bundle is refused by name."""

import json
import shutil

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pfps_ml.assess import assess
from pfps_ml.bundle import PARTS, digest, dump, load_bundle
from pfps_ml.errors import BundleError, BundleFormat
from pfps_ml.knowledge.checker import check
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
        ("averages", 0, "risk"), ("averages", 3, "sex"), ("averages", 5), ("horizon_months",), ("fields",),
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
    with pytest.raises(BundleFormat, match=r"bands\.low_below, .*averages and more;"):
        load_bundle(copy)


@pytest.mark.parametrize("end", [0, -1])
def test_a_reference_without_an_average_for_some_age_is_refused(copy, end):
    rewrite(copy, "reference.json", lambda content: content["averages"].pop(end))
    with pytest.raises(BundleFormat, match="kind: averages;"):
        load_bundle(copy)


def test_a_reference_about_a_field_that_nobody_knows_or_with_unequal_lists_is_refused(copy):
    def change(content):
        content["fields"]["luck"] = content["fields"]["bmi"]
        content["fields"]["akps"]["shares"].pop()

    rewrite(copy, "reference.json", change)
    with pytest.raises(BundleFormat, match=r"kind: fields\.akps, fields\.luck;"):
        load_bundle(copy)


ODD = st.sampled_from([None, True, -1, 0.5, 10**400, "text", [], [None], [[1]], {}, {"a": 1}])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_one_value_of_a_bundle_becomes_it_is_refused_or_it_still_assesses(bundle, tmp_path, data):
    part = data.draw(st.sampled_from(["manifest.json", *PARTS[:4]]))
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
