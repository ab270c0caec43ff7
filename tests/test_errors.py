"""The error tree is what its own docstring says: names, parents, exit codes and HTTP codes."""

import re

from pfps_ml import errors
from pfps_ml.errors import Fault, InvalidInput, PfpsError

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
    return [kind for name in errors.__all__ if issubclass(kind := getattr(errors, name), PfpsError)]


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


def test_an_error_carries_its_message_and_its_faults_in_the_shape_of_the_http_reply():
    fault = Fault(3, "age_years", "expected a number from 10 to 90 years, got 255")
    error = InvalidInput("one row is not valid", [fault])
    assert str(error) == error.message == "one row is not valid"
    assert [f.as_dict() for f in error.faults] == [{"row": 3, "field": "age_years", "message": fault.message}]
    assert PfpsError("no faults").faults == ()
