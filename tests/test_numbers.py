"""Numbers as files hold them: rounded, without a negative zero, and the same but for their last bits."""

import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from pfps_ml.core.numbers import ABSOLUTE, RELATIVE, at_least, csv_text, distinct, rounded, same
from pfps_ml.domain.input_validation import check, derive
from pfps_ml.evaluation.displays import save
from pfps_ml.model.additive import AdditiveModel, Step, from_json, to_json
from pfps_ml.model.bundle import dump, load_bundle
from pfps_ml.model.prediction import onset_to_json, pathways_to_json, predictor_from_json
from pfps_ml.training.onset import cuts_of
from pfps_ml.workflows.frames import coded

ROOT = Path(__file__).parents[1]
NEGATIVE_ZERO = re.compile(r"(?<![\w.])-0(\.0+)?(e[-+]?\d+)?(?![\w.])")
FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e280, max_value=1e280)
SIZED = st.floats(min_value=1e-6, max_value=1e6)
LEVEL = 0.1234567890123456


@given(FINITE)
def test_what_is_rounded_is_not_changed_by_rounding_again_and_loses_less_than_the_thirteenth_digit(number):
    once = rounded(number)
    assert rounded(once) == once
    assert abs(once - number) <= 0.5001e-12 * abs(number)


@pytest.mark.parametrize(
    "zero", [-0.0, np.float64(-0.0), np.float32(-0.0), [-0.0], {"a": [(-0.0,)]}, np.array([[-0.0]])], ids=repr
)
def test_a_negative_zero_is_written_as_zero_wherever_it_stands(zero):
    assert NEGATIVE_ZERO.search("-0.0") and NEGATIVE_ZERO.search("[-0, 1]") and not NEGATIVE_ZERO.search("1e-0.5 -0.01")
    assert not NEGATIVE_ZERO.search(dump(zero).decode())


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float64("nan"), [{"a": np.array([math.inf])}]])
def test_a_number_that_is_not_finite_is_refused_by_json(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump(number)


def test_rounding_leaves_counts_texts_and_truths_as_they_are():
    content = {
        "n": 12345678901234567890,
        "text": "-0.0",
        "flag": True,
        "none": None,
        "list": [np.int64(3), np.bool_(0)],
    }
    assert rounded(content) == {**content, "list": [3, False]}
    assert [type(each) for each in rounded(content)["list"]] == [int, bool]


@given(SIZED)
def test_the_last_bits_of_a_number_are_no_difference_and_a_millionth_of_it_is_one(number):
    larger = number + 1.0
    assert same(number, math.nextafter(number, math.inf)) and same(0.0, -0.0)
    assert not same(larger, larger * (1 + 1e-6))


def test_the_tolerance_holds_a_turned_last_decimal_of_a_table_entry_and_not_ten():
    assert same(0.25, 0.25 + 1e-8) and not same(0.25, 0.25 + 1e-7)
    assert 1e-8 < ABSOLUTE < 1e-7 and RELATIVE < 1e-8


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, 2), (1, 1.0), (True, 1), ("a", "b"), (None, 0.0), ([1.0], [1.0, 1.0]), ({"a": 1.0}, {"b": 1.0}),
     ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}), ([], {}), (10**17, 10**17 + 1)],
)  # fmt: skip
def test_structure_text_and_counts_must_be_equal(first, second):
    assert same(first, first) and same(second, second)
    assert not same(first, second) and not same(second, first)


@given(st.lists(FINITE, min_size=1, max_size=4))
def test_a_cut_is_never_rounded_below_a_value_that_lies_on_it(numbers):
    cuts = np.array(numbers)
    found = at_least(cuts)
    assert (found >= cuts).all() and (at_least(found) == found).all()
    assert rounded(found) == found.tolist()
    assert found == pytest.approx(cuts, rel=1.001e-12)


def test_a_value_on_a_cut_stays_in_its_bin_when_the_model_is_written():
    cut = 63.7 / 1.69**2  # 22.302440...: more digits than are written
    model = AdditiveModel(np.zeros(1), (Step("bmi", np.array([cut]), np.array([[1.0], [2.0], [3.0]])),))
    read = from_json(json.loads(dump(to_json(model))))
    assert read.terms[0].cuts[0] != cut
    for value in (cut, cut - 1e-9, cut + 1e-9, np.nan):
        assert read.margin({"bmi": np.array([value])}) == model.margin({"bmi": np.array([value])})


def test_cuts_are_laid_as_they_are_written_and_two_that_are_written_alike_are_one():
    bmi = 18 + np.arange(400) / np.pi / 9
    (cuts,) = cuts_of(pd.DataFrame({"bmi": bmi}), 16).values()
    assert rounded(cuts) == cuts.tolist() and len(cuts) == 15
    (cuts,) = cuts_of(pd.DataFrame({"bmi": [20.0, 20.1, 20.1, 20.1, math.nextafter(20.1, 21), 30.0]}), 16).values()
    assert len(set(rounded(cuts))) == len(cuts)
    assert distinct(np.array([2.0, 1.0, math.nextafter(2.0, 3)])).tolist() == [1.0, 2.0]


def test_a_frame_is_written_rounded_with_its_texts_counts_and_gaps_as_they_were():
    mixed, kinds = np.array([-0.0, "c", 2.5], dtype=object), pd.Categorical(["u", "v", "u"])
    columns = {"x": [-0.0, LEVEL, np.nan], "n": [1, 2, 3], "t": ["-0.0", None, "b"], "o": mixed, "k": kinds}
    frame = pd.DataFrame(columns)
    assert csv_text(frame, 4) == "x,n,t,o,k\n0.0,1,-0.0,0.0,u\n0.1235,2,,c,v\n,3,b,2.5,u\n"
    assert csv_text(frame.head(0)) == "x,n,t,o,k\n"
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(csv_text(frame[["x", "n"]]))), frame[["x", "n"]], rtol=1e-12)


def numbers_of(content):
    """Yield every float of JSON content."""
    if isinstance(content, float):
        yield content
    for each in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from numbers_of(each)


def test_every_number_of_a_released_file_is_rounded_and_none_is_a_negative_zero(bundle, evaluation, tmp_path):
    evaluation.write(tmp_path)
    save(next(iter(evaluation.pictures.values())), tmp_path, "picture")
    for path in [*filter(Path.is_file, bundle.path.rglob("*")), *tmp_path.glob("*.csv"), *tmp_path.glob("*.json")]:
        text = path.read_text(encoding="utf-8")
        assert not NEGATIVE_ZERO.search(text), path.name
        if path.suffix == ".json":
            found = list(numbers_of(json.loads(text)))
            assert found == rounded(found), path.name
            assert len(found) > 1 or path.name == "subject.json"


def test_a_loaded_bundle_says_what_the_models_said_before_they_were_written(bundle, candidate, frames):
    people = coded(frames.onset)
    close(bundle.predictor.predict(people), candidate.predictor.predict(people))


def test_the_release_says_the_same_when_it_is_written_again_for_people_on_its_cuts_too():
    release = load_bundle(ROOT / "models" / (ROOT / "models" / "CURRENT").read_text().strip())
    plain = [json.loads(dump(part(release.predictor))) for part in (onset_to_json, pathways_to_json)]
    inputs = json.loads((release.path / "golden.json").read_text())["inputs"]
    people = derive(check(pd.DataFrame(inputs)).values)
    cuts = next(term.cuts for term in release.predictor.onset.terms if isinstance(term, Step) and term.field == "bmi")
    on_cuts = people.iloc[np.arange(len(cuts)) % len(people)].assign(bmi=cuts)
    for rows in (people, on_cuts):
        close(predictor_from_json(*plain).predict(rows), release.predictor.predict(rows))


def close(found, expected):
    """Hold predictions to the same numbers, to 1e-12."""
    pairs = [(found.log_odds, expected.log_odds), (found.base, expected.base),
             (found.contributions, expected.contributions), (found.risk.low, expected.risk.low)]  # fmt: skip
    pairs += [(found.success[arm].high, each.high) for arm, each in expected.success.items()]
    pairs += [(found.effect[arm].low, each.low) for arm, each in expected.effect.items()]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
