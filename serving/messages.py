"""What a request may say, and what is wrong with one that may not: all of it derived from the dictionary."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, create_model, field_validator
from pydantic import Field as PydanticField

from pfps_ml.errors import Fault, InputError, InvalidInput
from pfps_ml.files.headers import meant
from pfps_ml.knowledge.checker import check
from pfps_ml.knowledge.contracts import NOTICE, request_model
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.field import Field

Message = TypeVar("Message", bound=BaseModel)

_FIELDS = {field.name: field for field in INPUTS}
_ASKED = tuple(field.name for field in INPUTS if field.kind != "text")
_WHOLE = tuple(field.name for field in INPUTS if field.kind == "whole")
_FINITE = 1e300
_GOT = {bool: "true or false", str: "text", list: "a list", dict: "an object", type(None): "nothing"}


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, as the checker of rosters and JSON Schema do; what is broken or no number stays as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_RUNNER = create_model(
    "Runner",
    __base__=request_model(),
    __validators__={"whole": field_validator(*_WHOLE, mode="before")(_whole)},
)

AssessRequest = create_model(
    "AssessRequest",
    # a library that logs a validation error must have no value to print
    __config__=ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True),
    __doc__="One runner or patient to assess. " + NOTICE,
    runner=(_RUNNER, PydanticField(description="One runner or patient; only age_years and sex are required.")),
)


def read(model: type[Message], body: bytes) -> Message:
    """Read a request's JSON strictly: nothing is coerced, dropped or guessed.

    Raises
    ------
    InputError
        If the body is not JSON.
    InvalidInput
        If it is, but holds unknown keys or impossible values: one fault for each, in the dictionary's words.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # from None: the validation error holds the values, and a chained error may reach a log
        raise _explained(error.errors(include_url=False, include_context=False)) from None


def coded(runner: BaseModel) -> pd.DataFrame:
    """Return a request's runner as the coded row that `assess` reads; names and pseudonyms stay behind.

    Raises
    ------
    InvalidInput
        If the checker of rosters refuses what the request model let pass.
    """
    given = {name: getattr(runner, name) for name in _ASKED}
    checked = check(pd.DataFrame({name: [value] for name, value in given.items() if value is not None}))
    if checked.faults:
        raise _invalid(checked.faults)
    return checked.values


def _explained(errors: Iterable[Mapping[str, Any]]) -> InputError:
    errors = list(errors)
    if errors[0]["type"] == "json_invalid":
        return InputError(f"expected JSON, got something else ({errors[0]['msg']}); see /schema")
    # a thousand unknown keys are one fault, not a reply larger than the request
    return _invalid(dict.fromkeys(map(_fault, errors)))


def _invalid(faults: Iterable[Fault]) -> InvalidInput:
    found = tuple(faults)
    return InvalidInput(f"expected a request as /schema describes it, got {len(found)} fault(s) in it", found)


def _fault(error: Mapping[str, Any]) -> Fault:
    """Put one validation error into the dictionary's words; keys, texts and pseudonyms are never repeated."""
    place, kind = error["loc"], error["type"]
    if len(place) < 2:
        got = "another key" if kind == "extra_forbidden" else "nothing" if kind == "missing" else _got(error["input"])
        return Fault(None, None, f'expected {{"runner": {{...}}}} and no other key, got {got}')
    field = _FIELDS.get(str(place[1]))
    if field is None:
        return _unknown(str(place[1]))
    if kind == "missing":
        return Fault(0, field.name, f"is required: expected {field.limits}, got nothing")
    if field.kind == "text":
        return Fault(0, field.name, f"expected {field.limits}, got something else: {error['msg']}")
    return Fault(0, field.name, f"expected {field.limits}, got {_got(error['input'], field)}")


def _unknown(key: str) -> Fault:
    likely = meant(key)
    if likely is None:
        return Fault(0, None, "expected only the fields that /schema names, got another key")
    expected = _FIELDS[likely].limits
    return Fault(0, likely, f"a key is not a field's name; if it is {likely} ({expected}), name it so")


def _got(value: Any, field: Field | None = None) -> str:
    if field is not None and field.kind == "choice" and isinstance(value, str):
        return "another level"
    if type(value) in _GOT:
        return _GOT[type(value)]
    # compared, not converted: JSON's whole numbers can be too large for a float
    return f"{value:.12g}" if -_FINITE < value < _FINITE else "no finite number"


__all__ = ["AssessRequest", "Message", "coded", "read"]
