"""The OpenAPI document: every route with its requests, its answers and its errors, made from the list of endpoints.

Requests and answers are the pydantic models; limits and units are the dictionary's; the examples are answers of the
bundle in service. A test holds the answers to the models.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from pfps_ml import __version__
from pfps_ml.domain import ARMS, NOTICE, Driver
from pfps_ml.io.readers import ENDINGS
from pfps_ml.model import Bundle
from pfps_ml.model.assess import assess
from serving.access import KEYS_VARIABLE
from serving.errors import ADVICE, CODE_HEADER
from serving.requests import (
    ENDPOINTS,
    EXAMPLES,
    JSON,
    MARKDOWN,
    MULTIPART,
    AssessRequest,
    Endpoint,
    RosterRequest,
    Runner,
    coded,
)
from serving.roster_routes import assess_rows, media_type

Arm = Annotated[str, Field(json_schema_extra={"enum": [arm.name for arm in ARMS]})]
Chance = Field(ge=0, le=1)
Effect = Field(ge=-1, le=1)


class _Reply(BaseModel):
    """An answer without any other key."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Message(_Reply):
    """What is said: a code for programs, what the sentence names, and the sentence in English."""

    code: str = Field(description="The key of the sentence in every catalogue; programs decide by it.")
    parameters: dict[str, Any]
    text: str


class Withheld(Message):
    """What a rule withholds, and why."""

    what: list[Literal["risk", "pathways"]]


class AtMonth(_Reply):
    """The risk over one horizon."""

    months: float = Field(gt=0)
    probability: float = Chance
    low: float = Chance
    high: float = Chance


class Risk(_Reply):
    """The risk of a new episode within the horizon, in a runner who is free of knee pain then."""

    probability: float = Field(ge=0, le=1, description="0 to 1, calibrated.")
    low: float = Field(ge=0, le=1, description="Lower end of the interval; never above the probability.")
    high: float = Field(ge=0, le=1, description="Upper end of the interval; never below the probability.")
    level: float = Field(gt=0, lt=1, description="Of the interval, as a share.")
    horizon_months: float = Field(gt=0, description="Months.")
    band: Literal["low", "moderate", "high"] = Field(description="Multiples of the base rate: an assumption.")
    average: float = Field(ge=0, le=1, description="The expected risk at that age and sex, 0 to 1.")
    link: Literal["logit", "cloglog"] = Field(description="The scale on which the reasons add up.")
    margin: float = Field(description="The probability on the scale of the link.")
    base_margin: float = Field(description="Where the reasons start: their contributions sum to the rest.")
    by_month: list[AtMonth] = Field(description="Every horizon of the bundle, ascending.")
    log_odds: float | None = Field(default=None, description="The margin, where the link is the logit.")
    base_log_odds: float | None = Field(default=None, description="The base margin, where the link is the logit.")


class Reason(Message):
    """One field's part in the risk: an exact Shapley value. An association, not a cause."""

    field: str | None = Field(description="The field; null for the sum of all fields that are not named.")
    label: str
    value: float | str | None = Field(description="Number or level; null where it was not measured.")
    unit: str
    contribution: float = Field(description="On the scale of the risk's link.")
    log_odds: float | None = Field(default=None, description="The contribution, where the link is the logit.")
    percentage_points: float


class Pathway(_Reply):
    """Success under one arm, at the bundle's horizon; numbers are null where the arm is not open to the patient."""

    arm: Arm
    probability: float | None = Chance
    low: float | None = Chance
    high: float | None = Chance
    effect: float | None = Field(ge=-1, le=1, description="Difference of probability from usual care; null for it.")
    effect_low: float | None = Effect
    effect_high: float | None = Effect
    eligible: bool
    why_not: Message | None = Field(description="Why it is not open to the patient; null where it is.")


class Preference(Message):
    """Which pathways remain, and the one that is preferred, if any is: no preference is a normal answer."""

    acceptable: list[Arm]
    preferred: Arm | None


class Test(Message):
    """Whether a provocation test agrees with the picture of runner's knee."""

    field: str
    label: str
    agrees: bool


class Measure(Message):
    """What to measure next; `gain` is the expected absolute change of the risk, in percentage points."""

    field: str
    label: str
    gain: float = Field(ge=0)


class Assessment(_Reply):
    """One runner's answer."""

    bundle: str = Field(description="The released models that answered.")
    trained_on: dict[str, Any] = Field(description="The training data; `notice` and `notice_message` as on every page.")
    risk: Risk | None = Field(description="null for a runner who has knee pain now.")
    reasons: list[Reason] = Field(description="By size. Every field, or in a roster the largest and the others' sum.")
    drivers: dict[Driver, float] = Field(description="The reasons' contributions, summed by what drives them.")
    pathways: list[Pathway] | None = Field(description="null without any visit field.")
    preference: Preference | None
    tests: list[Test] | None
    measure_next: list[Measure]
    cautions: list[Message]
    withheld: list[Withheld] = Field(description="What rules withhold, with the reason; empty where nothing is.")


class Counts(_Reply):
    """What became of the rows: `in` is the sum of the others."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)
    in_: int = Field(alias="in", ge=1)
    scored: int = Field(ge=0)
    partly: int = Field(ge=0, description="Assessed without the values that the row's faults name.")
    rejected: int = Field(ge=0)


class OneFault(_Reply):
    """One thing that is wrong: where it is, its kind, and what to do."""

    row: int | None = Field(description="0 is the first row; null is the request or the file as a whole.")
    fields: list[str] = Field(description="The fields that the fault is about; empty if it is about none.")
    field: str | None = Field(deprecated=True, description="The first of `fields`, for one version.")
    code: str = Field(description="The kind of the fault, for programs: `outside_limits`, for example.")
    parameters: dict[str, Any] = Field(description="What the text names: fields, numbers and levels; never free text.")
    text: str = Field(description="What was expected, what arrived, and what to do.")
    message: str = Field(deprecated=True, description="A copy of `text`, for one version.")


class Row(_Reply):
    """One row of a roster: scored, scored partly with its problems, or rejected with its problems."""

    runner_id: str | None
    status: Literal["scored", "partly", "rejected"]
    problems: str = Field(description="The texts of the faults, empty if there is none.")
    faults: list[OneFault]
    assessment: Assessment | None


class RosterReply(_Reply):
    """Every row once, in order."""

    bundle: str
    counts: Counts
    rows: list[Row]


class Reloaded(_Reply):
    """The bundle in service now, and the one before."""

    bundle: str
    before: str | None


class About(_Reply):
    """What this is; null where no bundle is in service yet."""

    name: str
    version: str
    notice: str
    bundle: str | None
    created: str | None
    trained_on: dict[str, Any] | None
    intended_use: str | None
    limits: list[str] | None
    arms: list[dict[str, Any]] = Field(description="What the trials of each arm did, its harms and costs, with sources")


class TablesReply(_Reply):
    """The released models, and what their numbers mean; a level is coded by its place in `levels`."""

    bundle: str
    notice: str
    trained_on: dict[str, Any]
    fields: list[dict[str, Any]]
    drivers: list[str]
    arms: list[dict[str, Any]]
    reference_arm: Arm
    level: float
    outcomes: dict[str, dict[str, Any]]
    onset: dict[str, Any]
    pathways: dict[str, Any]
    reference: dict[str, Any]


class ErrorContent(_Reply):
    """What went wrong: expected, got, and what to do."""

    code: str = Field(description="For programs; also in the header x-error-code.")
    message: str
    faults: list[OneFault]


class Error(_Reply):
    """The one shape of every error."""

    error: ErrorContent


class Question(_Reply):
    """What only a person who knows the file can answer: of a unit, a code, a side, or which column is a field."""

    id: str = Field(description="The key of the answer.")
    columns: list[str]
    code: str
    text: str
    samples: list[str] = Field(description="Values of the columns, if they are numbers or levels.")
    choices: list[str] = Field(description="The answers to choose from; none where a number is asked for.")
    default: str = Field(description="The answer of who says nothing; blank where there must be an answer.")


class MappedColumn(_Reply):
    """What a column, or the columns of the two sides, is read as."""

    columns: list[str]
    field: str
    samples: list[str]
    open: bool = Field(description="Whether it is not read until a question is answered.")
    notes: list[str]


class NoRunner(_Reply):
    """A row of a sheet that is no runner: a second row of names, an average."""

    row: int
    text: str


class MapReply(_Reply):
    """What the columns of a roster seem to be; nothing is scored."""

    needed: bool = Field(description="Whether the roster needs a map at all.")
    questions: list[Question]
    columns: list[MappedColumn]
    unread: list[str] = Field(description="Columns that are no field that we know.")
    no_runners: list[NoRunner]
    map: str = Field(description="The map with the answers so far, TOML; send it as `map` to /score_roster.")


_REPLIES: dict[str, type[BaseModel]] = {
    "/assess": Assessment, "/assess_roster": RosterReply, "/reload": Reloaded, "/tables": TablesReply, "/about": About,
    "/map": MapReply,
}  # fmt: skip
_REQUESTS: dict[str, type[BaseModel]] = {"/assess": AssessRequest, "/assess_roster": RosterRequest}
_TEXTS = {"/": "text/html", "/card": MARKDOWN, "/metrics": "text/plain"}
_PROBES = ("/livez", "/healthz", "/readyz")
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["roster"],
    "additionalProperties": False,
    "properties": {
        "roster": {"type": "string", "format": "binary", "description": "A roster file, as `pfps score` reads it."},
        "map": {"type": "string", "format": "binary", "description": "Names, levels and units of its columns, TOML."},
    },
}
_ANSWERS = {
    "type": "string",
    "format": "binary",
    "description": 'Answers to questions, JSON: [{"id": "...", "answer": "..."}], in the order of the questions.',
}
_MAP_FORM = {**_FORM, "properties": {**_FORM["properties"], "answers": _ANSWERS}}
_STATUS_TEXTS = {
    400: "the body cannot be read",
    401: f"no key of this service (keys are set by {KEYS_VARIABLE}); or there are no keys, and the request is from "
    "another machine, through a proxy, by another name than this machine's, or of a page of another site",
    403: "the key has another role than this route asks for",
    404: ADVICE[404], 405: ADVICE[405],
    413: "the body is larger than the route reads",
    415: "the body is of another media type, compressed or not UTF-8",
    422: "the body can be read, but what it says is not valid: every fault of it at once",
    429: "too many requests of this key, or too many rosters at once; Retry-After says how many seconds to wait",
    500: ADVICE[500], 503: ADVICE[503], 504: "the request took too long",
}  # fmt: skip
_ROWS = [EXAMPLES["runner"]["runner"], {"runner_id": "R-2", "age_years": 300, "sex": "male"}]
_ROSTER: dict[str, Any] = {"runners": _ROWS, "reasons": 1}
_FILE = {"schema": {"type": "string", "format": "binary"}}


def document(bundle: Bundle | None) -> dict[str, Any]:
    """Return the document; without a bundle in service, without examples of answers."""
    models: list[type[BaseModel]] = [*_REPLIES.values(), *_REQUESTS.values(), Error]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pfps-ml",
            "version": __version__,
            "summary": "Explained risk of runner's knee, and treatment pathways for patients",
            "description": bundle.notice if bundle else NOTICE,
        },
        "paths": {
            path: {endpoint.method.lower(): _operation(endpoint, bundle)} for path, endpoint in ENDPOINTS.items()
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _STATUS_TEXTS[401]}},
        },
    }


def _operation(endpoint: Endpoint, bundle: Bundle | None) -> dict[str, Any]:
    codes = _codes(endpoint)
    reads = [f"Reads at most {endpoint.max_bytes:,} bytes."] if endpoint.media else []
    role = [f"Where there are keys: one with the role {endpoint.role}."] if endpoint.role else []
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": " ".join([*reads, *role]),
        "operationId": endpoint.path.strip("/").replace(".", "_") or "page",
        "security": [{"key": []}, {}] if endpoint.key else [],
        "responses": {"200": _answer(endpoint, bundle), **{str(code): _error(code) for code in codes}},
    }
    if endpoint.media:
        operation["requestBody"] = {"required": True, "content": {endpoint.media: _body(endpoint)}}
        operation["description"] = f"Reads at most {endpoint.max_bytes:,} bytes."
    if endpoint.role:
        operation["description"] = (
            f"{operation.get('description', '')} Where there are keys: role {endpoint.role}.".strip()
        )
    return operation


def _codes(endpoint: Endpoint) -> list[int]:
    codes = [405, 500, 504]
    if endpoint.key:
        codes += [401, 429]
    if endpoint.role:
        codes.append(403)
    if endpoint.media:
        codes += [400, 413, 415, 422]
    if endpoint.method == "POST" or endpoint.path in ("/tables", "/card", "/readyz"):
        codes.append(503)
    return sorted({*codes, 401})


def _body(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.media == MULTIPART:
        return {"schema": _MAP_FORM if endpoint.path == "/map" else _FORM}
    examples = EXAMPLES if endpoint.path == "/assess" else {"roster": _ROSTER}
    return {
        "schema": _ref(_REQUESTS[endpoint.path]),
        "examples": {name: {"value": example} for name, example in examples.items()},
    }


def _answer(endpoint: Endpoint, bundle: Bundle | None) -> dict[str, Any]:
    headers = {"x-pfps-bundle": _header("The bundle that answered, or the one in service.")}
    if endpoint.path == "/score_roster":
        headers["x-pfps-counts"] = _header("What became of the rows: in=N; scored=N; partly=N; rejected=N.")
        about = "The roster in the format that it came in, with our columns after its own."
        return {"description": about, "headers": headers, "content": {media_type(ending): _FILE for ending in ENDINGS}}
    if endpoint.path in _PROBES:
        content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    elif endpoint.path in _TEXTS:
        content = {_TEXTS[endpoint.path]: {"schema": {"type": "string"}}}
    else:
        model = _REPLIES.get(endpoint.path)
        content = {JSON: {"schema": _ref(model) if model else {"type": "object"}, **_examples(endpoint, bundle)}}
    return {"description": endpoint.summary, "headers": headers, "content": content}


def _examples(endpoint: Endpoint, bundle: Bundle | None) -> dict[str, Any]:
    if bundle is None or endpoint.path not in _REQUESTS:
        return {}
    if endpoint.path == "/assess_roster":
        return {"examples": {"roster": {"value": assess_rows(bundle, _ROWS, 1)}}}
    answers = {
        name: assess(bundle, coded([Runner.model_validate(example["runner"])])).as_dict(0)
        for name, example in EXAMPLES.items()
    }
    return {"examples": {name: {"value": answer} for name, answer in answers.items()}}


def _error(code: int) -> dict[str, Any]:
    headers = {CODE_HEADER: _header("The code of the error, for programs.")}
    if code == 429:
        headers["retry-after"] = _header("Seconds.")
    return {"description": _STATUS_TEXTS[code], "headers": headers, "content": {JSON: {"schema": _ref(Error)}}}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


__all__ = [
    "About",
    "Assessment",
    "Error",
    "Reloaded",
    "RosterReply",
    "TablesReply",
    "document",
]
