"""What a client may send: the routes with their limits, and the JSON messages, which are derived from the dictionary.

The guard and the OpenAPI document both follow the list of endpoints.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field as PydanticField,
    ValidationError,
    WithJsonSchema,
    create_model,
    field_validator,
)
from pydantic_core import from_json

from pfps_ml.core import Fault, Floats, InputError, InvalidInput, Message
from pfps_ml.domain import CARE, INPUTS, Field, check_columns, limit_fault, rejects, request_model
from pfps_ml.io.column_matching import closest_field
from serving.errors import RepeatedKey

JSON = "application/json"
MARKDOWN = "text/markdown"
MULTIPART = "multipart/form-data"
PAGE = "/page/"  # the page's own files
ROLES = frozenset({"assess", "roster", "reload", "metrics"})  # what a key may ask for
UNKNOWN_PATH = "elsewhere"  # the label of every other path in the metrics: a path is free text of the sender


@dataclass(frozen=True)
class Endpoint:
    """One route of the HTTP API, as the guard enforces it and the OpenAPI document describes it.

    Attributes
    ----------
    media, max_bytes
        The media type that a POST must have, and the most bytes of its body; without them no body is read.
    key
        Whether a key is required where the service has keys.
    role
        The role that the key must have; any key of the service will do without one.
    """

    path: str
    summary: str
    method: str = "GET"
    media: str | None = None
    max_bytes: int = 0
    key: bool = True
    role: str | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that are allowed."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


_ENDPOINTS = (
    Endpoint("/assess", "Assess one runner or patient", "POST", JSON, 2_000_000, role="assess"),
    Endpoint("/assess_roster", "Assess up to 5,000 runners", "POST", JSON, 20_000_000, role="roster"),
    Endpoint("/score_roster", "Score a roster file", "POST", MULTIPART, 20_000_000, role="roster"),
    Endpoint("/map", "Ask what the columns of a roster file are", "POST", MULTIPART, 20_000_000, role="roster"),
    Endpoint("/reload", "Take over the bundle that PFPS_MODELS/CURRENT names", "POST", role="reload"),
    Endpoint("/tables", "The models as tables, for what-if in a browser", role="assess"),
    Endpoint("/schema", "What POST /assess reads: fields, limits and levels"),
    Endpoint("/about", "What this is, its version and its intended use"),
    Endpoint("/card", "The model card: what the bundle was trained on, how well it does, what it is not for"),
    Endpoint("/docs.json", "The OpenAPI document"),
    Endpoint("/metrics", "Counts and times of requests, for Prometheus", role="metrics"),
    Endpoint("/", "The page", key=False),
    Endpoint("/livez", "Whether the process answers", key=False),
    Endpoint("/healthz", "Whether the process answers", key=False),
    Endpoint("/readyz", "Whether a bundle is in service and what goes on record can be written", key=False),
)
ENDPOINTS = {endpoint.path: endpoint for endpoint in _ENDPOINTS}
_FILES = Endpoint(PAGE, "The page's own files", key=False)


def endpoint_of(path: str) -> Endpoint | None:
    """Return the endpoint of a path, or None if there is none: a route that is not listed here does not exist."""
    return ENDPOINTS.get(path) or (_FILES if path.startswith(PAGE) else None)


RequestModel = TypeVar("RequestModel", bound=BaseModel)

_FIELDS = {field.name: field for field in INPUTS}
_CHECKED = tuple(field.name for field in INPUTS if field.kind != "text")
_WHOLE = tuple(field.name for field in INPUTS if field.kind == "whole")
MAX_ROWS = 5_000  # rows of a request
REASONS = 3
_FINITE = 1e300
_MAX_FAULTS = 100  # faults of a row: more than there are fields
_MAX_COMPARED = (
    200  # unknown keys of a request that are compared with the fields' names: one takes a tenth of a millisecond
)
LikelyFields = MutableMapping[str, str | None]  # of unknown keys, the fields that they seem to mean
_MEMBERS = frozenset({"runner", "runners", "reasons"})  # keys of requests that are no fields
# the codes of values that are no numbers: of a field, and of anything else in a request
_KINDS = {bool: "true_or_false", str: "not_a_number", list: "is_a_list", dict: "is_an_object", type(None): "is_null"}
_GOT = {bool: "got_true_or_false", str: "got_text", list: "got_list", dict: "got_object", type(None): "got_nothing"}


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, as the checker of rosters and JSON Schema do; any other value is returned as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Runner = create_model(
    "Runner",
    __base__=request_model(),
    __validators__={"whole": field_validator(*_WHOLE, mode="before")(_whole)},
)
_STRICT = ConfigDict(
    # hide_input: a library that logs a validation error must have no value to print
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
    "One runner or patient, as in POST /assess, with a runner_id of its own. A value that cannot be used is set aside "
    "and named in the answer, and the row is scored partly. A row whose runner_id, age or sex cannot be used, or that "
    "has an unknown key, is rejected, with its problems; the others are assessed."
)
_Row = Annotated[Any, WithJsonSchema({"description": _ROW})]
RosterRequest = create_model(
    "RosterRequest",
    __config__=_STRICT,
    __doc__="Runners or patients to assess. " + CARE,
    __validators__={"whole": field_validator("reasons", mode="before")(_whole)},
    runners=(list[_Row], PydanticField(min_length=1, max_length=MAX_ROWS, description="Rows, in the order of the "
                               "answer.")),
    reasons=(int, PydanticField(default=REASONS, ge=0, le=100, description="How many reasons a row names, largest "
                                "first; the parts of all other fields are one sum after them.")),
)  # fmt: skip

_OBJECTS = {AssessRequest: 1_000}  # far more than a request with its runner; a list of 600,000 would take 0.2 s
_SHAPES = {
    AssessRequest: Message("request_assess"),
    RosterRequest: Message("request_assess_roster", {"most": MAX_ROWS}),
}

_RUNNER_EXAMPLE = {
    "runner_id": "R-1", "age_years": 27, "sex": "female", "height_cm": 168, "weight_kg": 61,
    "running_experience_years": 4, "weekly_distance_km": 32, "longest_run_spike_pct": 45, "prior_pfps": "yes",
    "knee_extension_nm_kg": 1.9, "foot_posture_index": 7,
}  # fmt: skip
_VISIT_EXAMPLE = {"symptom_duration_months": 8, "akps": 70, "failed_conventional_care": "no", "stairs_pain": "yes"}
EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "runner": {"runner": _RUNNER_EXAMPLE},
    "patient": {"runner": _RUNNER_EXAMPLE | _VISIT_EXAMPLE},
}


def read(model: type[RequestModel], body: bytes) -> RequestModel:
    """Read a request's JSON strictly: nothing is coerced or guessed.

    Raises
    ------
    InputError
        If the body is not JSON.
    RepeatedKey
        If a key stands twice in an object of a request that is valid otherwise.
    InvalidInput
        If it is JSON with unknown keys or impossible values: one fault for one, in the dictionary's words.
    """
    try:
        message = model.model_validate_json(body)
    except ValidationError as error:
        # from None: the validation error holds the values, and a chained error may reach a log
        raise _input_error(model, error, body) from None
    _check_keys(body, _OBJECTS.get(model))
    return message


def _check_keys(body: bytes, most: int | None = None) -> None:
    """Refuse JSON with a key that stands twice in one object: the reader above would take the last, another the first.

    Parameters
    ----------
    body
        JSON that was read already, so it is no deeper than the reader allows.
    most
        How many objects the request can have: more are values that the reader has passed over.
    """
    faults, objects = dict[Fault, None](), 0

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal objects
        objects += 1
        if most and objects > most:
            raise RepeatedKey(Message("keys_stand_twice", {"n": 1}), [_repeated("")])
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names) and len(faults) < _MAX_FAULTS:
            faults.update(dict.fromkeys(_repeated(name) for name, times in Counter(names).items() if times > 1))

    json.loads(body, object_pairs_hook=note, parse_int=len, parse_float=len)  # no number is made: some are too long
    if faults:
        raise RepeatedKey(Message("keys_stand_twice", {"n": len(faults)}), tuple(faults))


def _repeated(name: str) -> Fault:
    """Return the fault of a key that stands twice; a key that is none of ours is not repeated in the answer."""
    if name in _FIELDS:
        return Fault(None, (name,), "field_repeated", {"field": name})
    return Fault(None, (), "key_repeated", {"key": name}) if name in _MEMBERS else Fault(None, (), "other_key_repeated")


def read_row(row: Any, at: int, likely_fields: LikelyFields) -> tuple[BaseModel | None, tuple[Fault, ...]]:
    """Read one row of a roster; return it without the values that its faults set aside, and the faults.

    It is None where a fault rejects the row; see `rejects`. `likely_fields` remembers what unknown keys seem to mean,
    so that all rows share one comparison.
    """
    try:
        return Runner.model_validate(row), ()
    except ValidationError as error:
        if error.error_count() > _MAX_FAULTS:
            return None, (_far_too_many(error, at),)
        faults = tuple(dict.fromkeys(_row_fault(one["loc"], one, at, likely_fields) for one in _errors(error)))
    if any(map(rejects, faults)):
        return None, faults
    unusable = {fault.field for fault in faults}
    return Runner.model_validate({name: value for name, value in row.items() if name not in unusable}), faults


def coded(runners: Sequence[BaseModel]) -> dict[str, Floats]:
    """Return runners of requests as the coded rows that `assess` reads, without names and pseudonyms.

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
    """Return the columns that the checker of rosters reads, without names and pseudonyms."""
    rows = [vars(runner) for runner in runners]
    return {name: [row[name] for row in rows] for name in _CHECKED}


def _input_error(model: type[BaseModel], error: ValidationError, body: bytes) -> InputError:
    if error.error_count() > _MAX_FAULTS:
        return _invalid([_far_too_many(error, None)])
    errors, likely_fields = _errors(error), dict[str, str | None]()
    if errors[0]["type"] == "json_invalid":
        return InputError(Message("json_invalid", {"reason": errors[0]["msg"]}))
    # a thousand unknown keys are one fault, not a reply larger than the request
    faults = tuple(dict.fromkeys(_fault(_SHAPES[model], one, likely_fields) for one in errors))
    runner = from_json(body).get("runner") if model is AssessRequest and errors[0]["loc"] else None
    return _invalid((*faults, *(_contradictions(runner, faults) if isinstance(runner, dict) else ())))


def _contradictions(runner: Mapping[str, Any], faults: Sequence[Fault]) -> list[Fault]:
    """Return which of the values that can be read contradict each other, so that all faults are answered at once."""
    unusable = {fault.field for fault in faults}
    cells = {name: [runner[name]] for name in _CHECKED if name in runner and name not in unusable}
    return [fault for fault in check_columns(cells)[1] if len(fault.fields) > 1]


def _errors(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    return error.errors(include_url=False, include_context=False)


def _far_too_many(error: ValidationError, row: int | None) -> Fault:
    return Fault(row, (), "too_many_faults", {"faults": error.error_count()})


def _invalid(faults: Iterable[Fault]) -> InvalidInput:
    unique = tuple(faults)
    return InvalidInput(Message("request_invalid", {"n": len(unique)}), unique)


def _fault(shape: Message, error: Mapping[str, Any], likely_fields: LikelyFields) -> Fault:
    place, kind = error["loc"], error["type"]
    if place[:1] == ("runner",) and len(place) > 1:
        return _row_fault(place[1:], error, 0, likely_fields)
    others = {"extra_forbidden": Message("got_another_key"), "missing": Message("got_nothing")}
    got = others.get(kind) or _got(error["input"])
    return Fault(None, (), "request_misfit", {"expected": shape.as_dict(), "got": got.as_dict()})


def _row_fault(place: Sequence[Any], error: Mapping[str, Any], row: int, likely_fields: LikelyFields) -> Fault:
    """Return one fault of a row; keys, texts and pseudonyms are never repeated."""
    if not place:
        return Fault(row, (), "row_is_no_object", {"got": _got(error["input"]).as_dict()})
    field = _FIELDS.get(str(place[0]))
    if field is None:
        return _unknown(str(place[0]), row, likely_fields)
    if error["type"] == "missing":
        return Fault(row, (field.name,), "required", {"field": field.name})
    if field.kind == "text":
        return Fault(row, (field.name,), "text_invalid", {"field": field.name, "reason": error["msg"]})
    return Fault(row, (field.name,), *_value_fault(error["input"], field))


def _unknown(key: str, row: int, likely_fields: LikelyFields) -> Fault:
    if key not in likely_fields and len(likely_fields) < _MAX_COMPARED:
        likely_fields[key] = closest_field(key[:_MAX_FAULTS])
    likely = likely_fields.get(key)
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
    return limit_fault(field, value)


def _got(value: Any) -> Message:
    if type(value) in _GOT:
        return Message(_GOT[type(value)])
    return Message("got_number", {"value": value}) if -_FINITE < value < _FINITE else Message("got_no_finite_number")


__all__ = [
    "ENDPOINTS",
    "EXAMPLES",
    "JSON",
    "MARKDOWN",
    "MAX_ROWS",
    "MULTIPART",
    "PAGE",
    "ROLES",
    "UNKNOWN_PATH",
    "AssessRequest",
    "LikelyFields",
    "RequestModel",
    "RosterRequest",
    "Runner",
    "coded",
    "columns_of",
    "endpoint_of",
    "read",
    "read_row",
]
