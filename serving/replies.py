"""The shapes of the answers, for the OpenAPI document; a test holds the answers to them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pfps_ml.knowledge.dictionary import ARMS
from pfps_ml.knowledge.field import Driver

Arm = Annotated[str, Field(json_schema_extra={"enum": [arm.name for arm in ARMS]})]
Chance = Field(ge=0, le=1)
Effect = Field(ge=-1, le=1)


class _Reply(BaseModel):
    """A shape without any other key."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


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


class Reason(_Reply):
    """One field's part in the risk: an exact Shapley value. An association, not a cause."""

    field: str | None = Field(description="The field; null for the sum of all fields that are not named.")
    label: str
    value: float | str | None = Field(description="Number or level; null where it was not measured.")
    unit: str
    contribution: float = Field(description="On the scale of the risk's link.")
    log_odds: float | None = Field(default=None, description="The contribution, where the link is the logit.")
    percentage_points: float
    text: str


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
    why_not: str | None


class Preference(_Reply):
    """Which pathways remain, and the one that is preferred, if any is: no preference is a normal answer."""

    acceptable: list[Arm]
    preferred: Arm | None
    text: str


class Test(_Reply):
    """Whether a provocation test agrees with the picture of runner's knee."""

    field: str
    label: str
    agrees: bool
    text: str


class Measure(_Reply):
    """What to measure next; `gain` is the expected absolute change of the risk, in percentage points."""

    field: str
    label: str
    gain: float = Field(ge=0)


class Assessment(_Reply):
    """One runner's answer."""

    bundle: str = Field(description="The released models that answered.")
    trained_on: dict[str, Any]
    risk: Risk | None = Field(description="null for a runner who has knee pain now.")
    reasons: list[Reason] = Field(description="By size. Every field, or in a roster the largest and the others' sum.")
    drivers: dict[Driver, float] = Field(description="The reasons' log-odds, summed by what drives them.")
    pathways: list[Pathway] | None = Field(description="null without any visit field.")
    preference: Preference | None
    tests: list[Test] | None
    measure_next: list[Measure]
    cautions: list[str]


class Counts(_Reply):
    """What became of the rows: `in` is the sum of the others."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)
    in_: int = Field(alias="in", ge=1)
    scored: int = Field(ge=0)
    rejected: int = Field(ge=0)


class Row(_Reply):
    """One row of a roster: scored with an assessment, or rejected with its problems."""

    runner_id: str | None
    status: Literal["scored", "rejected"]
    problems: str = Field(description="What is wrong, empty if nothing is.")
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


class OneFault(_Reply):
    """One thing that is wrong: the row (0 is the first, null the whole), the field if one is meant, what to do."""

    row: int | None
    field: str | None
    message: str


class ErrorContent(_Reply):
    """What went wrong: expected, got, and what to do."""

    code: str = Field(description="For programs; also in the header x-error-code.")
    message: str
    faults: list[OneFault]


class Error(_Reply):
    """The one shape of every error."""

    error: ErrorContent


__all__ = ["About", "Assessment", "Error", "Reloaded", "RosterReply", "TablesReply"]
