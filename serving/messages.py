"""What a request may say, and what is wrong with one that may not: all of it derived from the dictionary."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema, create_model, field_validator
from pydantic import Field as PydanticField

from pfps_ml.core.messages import Message
from pfps_ml.errors import Fault, InputError, InvalidInput
from pfps_ml.files.headers import closest_field
from pfps_ml.knowledge.checker import check_columns
from pfps_ml.knowledge.contracts import CARE, request_model
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.field import Field

RequestModel = TypeVar("RequestModel", bound=BaseModel)

_FIELDS = {field.name: field for field in INPUTS}
_ASKED = tuple(field.name for field in INPUTS if field.kind != "text")
_WHOLE = tuple(field.name for field in INPUTS if field.kind == "whole")
MOST = 5_000  # rows of a request
REASONS = 3
_FINITE = 1e300
_TOLD = 100  # faults of a row: more than there are fields
_MEANT = 200  # unknown keys of a request that are compared with the fields' names: each takes a tenth of a millisecond
Meanings = MutableMapping[str, str | None]  # of unknown keys, the fields that they seem to mean
# the codes of values that are no numbers: of a field, and of anything else in a request
_KINDS = {bool: "true_or_false", str: "not_a_number", list: "is_a_list", dict: "is_an_object", type(None): "required"}
_GOT = {bool: "got_true_or_false", str: "got_text", list: "got_list", dict: "got_object", type(None): "got_nothing"}


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, as the checker of rosters and JSON Schema do; what is broken or no number stays as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Runner = create_model(
    "Runner",
    __base__=request_model(),
    __validators__={"whole": field_validator(*_WHOLE, mode="before")(_whole)},
)
_STRICT = ConfigDict(
    # a library that logs a validation error must have no value to print
    extra="forbid",
    strict=True,
    frozen=True,
    hide_input_in_errors=True,
)

AssessRequest = create_model(
    "AssessRequest",
    __config__=_STRICT,
    __doc__="One runner or patient to assess. " + CARE,
    runner=(Runner, PydanticField(description="One runner or patient; only age_years and sex are required.")),
)

_ROW = (
    "One runner or patient, as in POST /assess, with a runner_id of its own. A row that is not so is rejected in the "
    "answer, with its problems; the others are assessed."
)
_Row = Annotated[Any, WithJsonSchema({"description": _ROW})]
RosterRequest = create_model(
    "RosterRequest",
    __config__=_STRICT,
    __doc__="Runners or patients to assess. " + CARE,
    __validators__={"whole": field_validator("reasons", mode="before")(_whole)},
    runners=(list[_Row], PydanticField(min_length=1, max_length=MOST, description="Rows, in the order of the answer.")),
    reasons=(int, PydanticField(default=REASONS, ge=0, le=100, description="How many reasons a row names, largest "
                                "first; the parts of all other fields are one sum after them.")),
)  # fmt: skip

_SHAPES = {
    AssessRequest: Message("request_assess"),
    RosterRequest: Message("request_assess_roster", {"most": MOST}),
}

_SCREENED = {
    "runner_id": "R-1", "age_years": 27, "sex": "female", "height_cm": 168, "weight_kg": 61,
    "running_experience_years": 4, "weekly_distance_km": 32, "longest_run_spike_pct": 45, "prior_pfps": "yes",
    "knee_extension_nm_kg": 1.9, "foot_posture_index": 7,
}  # fmt: skip
_SEEN = {"symptom_duration_months": 8, "akps": 70, "failed_conventional_care": "no", "stairs_pain": "yes"}
EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "runner": {"runner": _SCREENED},
    "patient": {"runner": _SCREENED | _SEEN},
}


def read(model: type[RequestModel], body: bytes) -> RequestModel:
    """Read a request's JSON strictly: nothing is coerced or guessed; of a key that stands twice, the last counts.

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
        raise _explained(model, error) from None


def read_row(row: Any, at: int, meanings: Meanings) -> tuple[BaseModel | None, tuple[Fault, ...]]:
    """Read one row of a roster as strictly as a request; return it, or else what is wrong with it.

    What unknown keys seem to mean is found once for all rows, and kept in `meanings`.
    """
    try:
        return Runner.model_validate(row), ()
    except ValidationError as error:
        if error.error_count() > _TOLD:
            return None, (_far_too_many(error, at),)
        return None, tuple(dict.fromkeys(_row_fault(each["loc"], each, at, meanings) for each in _errors(error)))


def coded(runners: Sequence[BaseModel]) -> dict[str, NDArray[np.float64]]:
    """Return runners of requests as the coded rows that `assess` reads; names and pseudonyms stay behind.

    Raises
    ------
    InvalidInput
        If the checker of rosters refuses what the request model let pass.
    """
    columns, faults = check_columns(columns_of(runners))
    if faults:
        raise _invalid(faults)
    return columns


def columns_of(runners: Sequence[BaseModel]) -> dict[str, list[Any]]:
    """Return what the checker of rosters reads; names and pseudonyms stay behind."""
    rows = [vars(runner) for runner in runners]
    return {name: [row[name] for row in rows] for name in _ASKED}


def _explained(model: type[BaseModel], error: ValidationError) -> InputError:
    if error.error_count() > _TOLD:
        return _invalid([_far_too_many(error, None)])
    errors, meanings = _errors(error), dict[str, str | None]()
    if errors[0]["type"] == "json_invalid":
        return InputError(Message("json_invalid", {"reason": errors[0]["msg"]}))
    # a thousand unknown keys are one fault, not a reply larger than the request
    return _invalid(dict.fromkeys(_fault(_SHAPES[model], each, meanings) for each in errors))


def _errors(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    return error.errors(include_url=False, include_context=False)


def _far_too_many(error: ValidationError, row: int | None) -> Fault:
    return Fault(row, (), "too_many_faults", {"faults": error.error_count()})


def _invalid(faults: Iterable[Fault]) -> InvalidInput:
    unique = tuple(faults)
    return InvalidInput(Message("request_invalid", {"n": len(unique)}), unique)


def _fault(shape: Message, error: Mapping[str, Any], meanings: Meanings) -> Fault:
    place, kind = error["loc"], error["type"]
    if place[:1] == ("runner",) and len(place) > 1:
        return _row_fault(place[1:], error, 0, meanings)
    others = {"extra_forbidden": Message("got_another_key"), "missing": Message("got_nothing")}
    got = others.get(kind) or _got(error["input"])
    return Fault(None, (), "request_misfit", {"expected": shape.as_dict(), "got": got.as_dict()})


def _row_fault(place: Sequence[Any], error: Mapping[str, Any], row: int, meanings: Meanings) -> Fault:
    """Return one fault of a row; keys, texts and pseudonyms are never repeated."""
    if not place:
        return Fault(row, (), "row_is_no_object", {"got": _got(error["input"]).as_dict()})
    field = _FIELDS.get(str(place[0]))
    if field is None:
        return _unknown(str(place[0]), row, meanings)
    if error["type"] == "missing":
        return Fault(row, (field.name,), "required", {"field": field.name})
    if field.kind == "text":
        return Fault(row, (field.name,), "text_invalid", {"field": field.name, "reason": error["msg"]})
    return Fault(row, (field.name,), *_value_fault(error["input"], field))


def _unknown(key: str, row: int, meanings: Meanings) -> Fault:
    if key not in meanings and len(meanings) < _MEANT:
        meanings[key] = closest_field(key[:_TOLD])
    likely = meanings.get(key)
    if likely is None:
        return Fault(row, (), "key_unknown")
    return Fault(row, (likely,), "key_resembles_field", {"field": likely})


def _value_fault(value: Any, field: Field) -> tuple[str, dict[str, Any]]:
    """Return the code and the parameters of a value that a field cannot have."""
    about = {"field": field.name}
    if field.kind == "choice" and isinstance(value, str):
        return "not_a_level", about
    if type(value) in _KINDS:
        return _KINDS[type(value)], about
    # compared, not converted: JSON's whole numbers can be too large for a float
    if not -_FINITE < value < _FINITE:
        return "not_finite", about
    code = "not_whole" if field.kind == "whole" and field.low <= value <= field.high else "outside_limits"
    return code, {**about, "value": value}


def _got(value: Any) -> Message:
    if type(value) in _GOT:
        return Message(_GOT[type(value)])
    return Message("got_number", {"value": value}) if -_FINITE < value < _FINITE else Message("got_no_finite_number")


__all__ = [
    "EXAMPLES",
    "MOST",
    "AssessRequest",
    "Meanings",
    "RequestModel",
    "RosterRequest",
    "Runner",
    "coded",
    "columns_of",
    "read",
    "read_row",
]
