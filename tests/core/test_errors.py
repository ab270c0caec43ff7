"""The error tree is what its own docstring says: names, parents, exit codes and HTTP codes."""

import re
from dataclasses import replace

from pfps_ml.core import errors
from pfps_ml.core.errors import Fault, InvalidInput, PfpsError, rows_shown
from pfps_ml.core.messages import Message

LINE = re.compile(r"^ {4}(?P<indent>[│├└─ ]*)(?P<name>\w+) +(?:(?P<exit>\d) +(?P<http>\d{3}) *)?(?P<words>\S.*)?$")


def drawn():
    """Return the tree of the docstring: name -> (parent, exit code, HTTP code), codes inherited where blank."""
    tree = {"PfpsError": (None, PfpsError.exit_code, PfpsError.http_status)}
    path = [(-1, "PfpsError")]
    for line in (errors.__doc__ or "").splitlines():
        found = LINE.match(line)
        if found and "─" in found["indent"]:
            depth = len(found["indent"])
            path = [(d, name) for d, name in path if d < depth]
            parent = path[-1][1]
            codes = (int(found["exit"]), int(found["http"])) if found["exit"] else tree[parent][1:]
            tree[found["name"]] = (parent, *codes)
            path.append((depth, found["name"]))
    return tree


def kinds():
    named = [getattr(errors, name) for name in errors.__all__]
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, PfpsError)]


def test_the_drawing_has_every_error_and_no_other():
    assert set(drawn()) == {kind.__name__ for kind in kinds()}


def test_each_error_stands_where_it_is_drawn_and_has_the_codes_that_are_written_there(subtests):
    for kind in kinds():
        with subtests.test(kind=kind):
            parent, exit_code, http_status = drawn()[kind.__name__]
            assert (None if kind is PfpsError else kind.__base__.__name__) == parent
            assert (kind.exit_code, kind.http_status) == (exit_code, http_status)


def test_no_two_errors_have_the_same_code():
    codes = [kind.code for kind in kinds()]
    assert len(set(codes)) == len(codes)


def test_exit_codes_are_those_of_the_command_line():
    assert {kind.exit_code for kind in kinds() if kind is not PfpsError} == {2, 3, 4, 5}


AGE = Fault(3, ("age_years",), "outside_limits", {"field": "age_years", "value": 255.0})


def test_an_error_carries_its_message_and_its_faults_in_the_shape_of_the_http_reply():
    error = InvalidInput("one row is not valid", [AGE])
    assert str(error) == error.message == "one row is not valid"
    text = "expected a number from 10 to 90 years, got 255"
    assert [fault.as_dict() for fault in error.faults] == [{
        "row": 3, "fields": ["age_years"], "field": "age_years", "code": "outside_limits",
        "parameters": {"field": "age_years", "value": 255.0}, "text": text, "message": text,
    }]  # fmt: skip
    assert (AGE.line, Fault(3, (), "no_rows").field) == (f"age_years: {text}", None)
    assert PfpsError("no faults").faults == ()


def test_faults_with_the_same_content_are_equal_and_can_be_counted_once():
    again = Fault(3, ("age_years",), "outside_limits", {"value": 255.0, "field": "age_years"})
    assert list(dict.fromkeys([AGE, again, replace(AGE, row=4)])) == [AGE, replace(AGE, row=4)]


def test_an_error_of_one_file_among_several_names_the_file_in_each_of_its_faults():
    error = InvalidInput(Message("header_invalid", {"n": 1}), [AGE])
    whole, part = (fault.within("fault_in_partition", partition="p1.parquet") for fault in error.as_faults())
    assert whole.text.startswith("p1.parquet: expected a header")
    assert part.line == f"age_years: p1.parquet: {AGE.text}"
    assert InvalidInput("as it is").as_faults()[0].text == "as it is"


def test_rows_are_named_as_a_person_counts_them_and_no_more_than_five():
    assert rows_shown([0, 4]) == "1, 5"
    assert rows_shown(list(range(9))) == "1, 2, 3, 4, 5, ..."
