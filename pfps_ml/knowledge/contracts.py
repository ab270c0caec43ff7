"""What is derived from the dictionary: schemas, request model, template, DICTIONARY.md and the fingerprint."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pfps_ml.knowledge.dictionary import ARMS, FIELDS, INPUTS, ONSET, OUTCOMES, SCREENING, SUCCESS, VISIT
from pfps_ml.knowledge.field import Field

if TYPE_CHECKING:
    import pandera.pandas as pa
    from pydantic import BaseModel

_TOLD = ("group", "asked", "kind", "unit", "limits", "question", "meaning", "obtained", "role")
CARE = "Not a medical device. Validate locally before any use."
NOTICE = f"Trained on simulated data. {CARE}"


def dictionary_facts() -> list[Any]:
    """Return what models rely on: of fields name, kind, unit, limits, levels and parts, of arms what they require."""
    fields = [[f.name, f.kind, f.unit, f.low, f.high, f.levels, f.parts] for f in FIELDS]
    return [fields, [[arm.name, arm.requires] for arm in ARMS]]


def fingerprint(facts: list[Any] | None = None) -> str:
    """Return the digest of a dictionary, by default this version's: fields and arms, but not their wording.

    A bundle of format 2 is not held to it (see `model.bundle_schema`); one of format 1 says that it was made with it.
    """
    return hashlib.sha256(json.dumps(dictionary_facts() if facts is None else facts).encode()).hexdigest()


def origin_of(manifest: Mapping[str, Any]) -> str:
    """Return in words what a bundle learned from, as its manifest says: simulated data, or a cohort; and its updates.

    Parameters
    ----------
    manifest
        With `trained_on` and, if there were any, `updates`.
    """
    made, updates = manifest["trained_on"], manifest.get("updates", [])
    found = "simulated data" if made.get("simulated", True) else f"{made['runners']:,} runners of a cohort"
    if not updates:
        return found
    counts: dict[str, dict[str, int]] = {}
    for each in updates:  # a cohort that was used twice has as many as once
        people = people_of(each)
        counts.setdefault(people, {})[each["cohort"]] = each[people]
    told = " and ".join(f"{sum(seen.values()):,} {people}" for people, seen in counts.items())
    cohorts = len({each["cohort"] for each in updates})
    return f"{found}, updated on {told} of {'a cohort' if cohorts == 1 else f'{cohorts} cohorts'}"


def people_of(update: Mapping[str, Any]) -> str:
    """Return whom an update, as a manifest tells of it, was made on: runners (onset) or patients (pathways)."""
    return "runners" if "runners" in update else "patients"


def has_seen(manifest: Mapping[str, Any], cohort: str, people: str) -> bool:
    """Return whether outcomes of a cohort, by its digest, have moved a bundle already: then they cannot judge it.

    Parameters
    ----------
    manifest
        With `updates`, if there were any.
    cohort
        The digest of its file.
    people
        Whose outcomes: runners (onset) or patients (pathways).
    """
    return any(each["cohort"] == cohort and people_of(each) == people for each in manifest.get("updates", []))


def size_of(update: Mapping[str, Any]) -> str:
    """Return in words how large the cohort of an update was."""
    people = people_of(update)
    events = "cases" if people == "runners" else "successes"
    return f"{update[people]:,} {people} with {update[events]:,} {events}"


def notice_of(manifest: Mapping[str, Any]) -> str:
    """Return what every answer of a bundle says of it; `NOTICE` for one of simulated data alone."""
    return f"Trained on {origin_of(manifest)}. {CARE}"


def request_model() -> "type[BaseModel]":
    """Build the pydantic model of one runner: unknown keys forbidden, strict types, no NaN or infinity."""
    from pydantic import ConfigDict, create_model

    return create_model(  # type: ignore[call-overload, no-any-return]
        "Runner",
        __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True),
        __doc__="One runner or patient. " + CARE,
        **{field.name: _request_field(field) for field in INPUTS},
    )


def _request_field(field: Field) -> tuple[Any, Any]:
    from pydantic import Field as PydanticField

    types: dict[str, Any] = {"text": str, "number": float, "whole": int}
    python = Literal[field.levels] if field.kind == "choice" else types[field.kind]
    limits = field.limits[0].upper() + field.limits[1:]  # not capitalize(), which writes Nm/kg as nm/kg
    about: dict[str, Any] = {"title": field.label, "description": f"{field.question} {limits}."}
    # what a form needs beside the limits
    told = {name: getattr(field, name) for name in _TOLD}
    about["json_schema_extra"] = {"x-field": told | {"levels": list(field.levels)}}
    if field.kind in ("number", "whole"):
        about |= {"ge": field.low, "le": field.high}
    if field.kind == "text":
        about |= {"min_length": 1, "max_length": 200}
    # an id is required of a roster, where rows must be told apart; a single request needs none
    if field.required and field.kind != "text":
        return python, PydanticField(**about)
    return python | None, PydanticField(default=None, **about)


def frame_schema(frame: Literal["onset", "treatment"]) -> "pa.DataFrameSchema":
    """Build the pandera schema of a training frame: every field, the outcome, and the bookkeeping columns."""
    import pandera.pandas as pa

    fields = SCREENING if frame == "onset" else (*SCREENING, *VISIT)
    outcome = ONSET if frame == "onset" else SUCCESS
    columns = {field.name: _schema_column(field) for field in fields}
    columns |= {name: pa.Column(checks=pa.Check.isin([0, 1]), nullable=False) for name in outcome.columns}
    columns["draw"] = pa.Column(int, pa.Check.ge(0))
    if frame == "treatment":
        columns["arm"] = pa.Column(checks=pa.Check.isin([arm.name for arm in ARMS]), nullable=False)
    return pa.DataFrameSchema(columns, strict=True, unique=["runner_id"])


def _schema_column(field: Field) -> "pa.Column":
    import pandera.pandas as pa

    nullable = not field.required
    if field.kind == "text":
        # a training frame is split by club, so that both of its texts are needed
        return pa.Column(
            checks=pa.Check(lambda value: isinstance(value, str), element_wise=True, error=field.limits), nullable=False
        )
    if field.kind == "choice":
        return pa.Column(checks=pa.Check.isin(field.levels), nullable=nullable)
    checks = [pa.Check.in_range(field.low, field.high)]
    if field.kind == "whole":
        checks.append(pa.Check(lambda column: column == column.round(), error=field.limits))
    return pa.Column(float, checks, nullable=nullable)


def template() -> str:
    """Return an empty roster as CSV text: the header that `pfps score` reads."""
    return _csv([[field.name for field in INPUTS]])


def dictionary_page() -> str:
    """Return DICTIONARY.md: every field, arm and outcome as tables."""
    lines = ["# Dictionary", "", NOTICE, "", "Written by `pfps dictionary`; a test fails when it is stale.", ""]
    for title, fields in (("Screening fields", SCREENING), ("Visit fields (patients)", VISIT)):
        lines += [f"## {title}", "", *_field_table(fields), ""]
    lines += ["## Derived fields", "", *_field_table([f for f in FIELDS if f.parts]), ""]
    lines += ["## Arms", "", "| arm | label | meaning | offered to | source |", "|---|---|---|---|---|"]
    for arm in ARMS:
        offered = ", ".join(f"{name} = {level}" for name, level in arm.requires) or "every patient"
        lines.append(f"| `{arm.name}` | {arm.label} | {arm.meaning} | {offered} | {arm.source} |")
    lines += ["", "## Outcomes", "", "| column | outcome | meaning | horizon | at risk | source |", "|" + "---|" * 6]
    lines += [
        f"| `{o.column_at(h)}` | {o.name} ({o.kind}) | {o.meaning_at(h)} | {o.at(h)} | {o.at_risk} | {o.source} |"
        for o in OUTCOMES
        for h in o.horizons
    ]
    return "\n".join(lines) + "\n"


def _field_table(fields: Iterable[Field]) -> list[str]:
    rows = ["| field | label | limits | obtained by | role | settled direction | meaning | source |", "|" + "---|" * 8]
    for f in fields:
        settled = {1: "higher risk", -1: "lower risk", 0: ""}[f.direction]
        name = f"`{f.name}`" + (" (required)" if f.required else "")
        rows.append(
            f"| {name} | {f.label} | {f.limits} | {f.obtained} | {f.role} | {settled} | {f.meaning} | {f.source} |"
        )
    return rows


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


__all__ = [
    "CARE",
    "NOTICE",
    "dictionary_facts",
    "dictionary_page",
    "fingerprint",
    "frame_schema",
    "has_seen",
    "notice_of",
    "origin_of",
    "people_of",
    "request_model",
    "size_of",
    "template",
]
