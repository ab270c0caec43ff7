"""What is derived from the dictionary: schemas, request model, template, DICTIONARY.md, columns that scoring adds.

An earlier scoring of a roster is recognised by the columns that it added.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pfps_ml.core import Message
from pfps_ml.core.markup import markdown_table
from pfps_ml.domain.dictionary import (
    ARMS,
    EXAMINED,
    FIELDS,
    INPUTS,
    OUTCOMES,
    SCREENING,
    VISIT,
    Arm,
    Field,
)
from pfps_ml.domain.outcomes import Horizon, Outcome
from pfps_ml.domain.rules import Rule, clinical_rules
from pfps_ml.domain.synonyms import other_units

if TYPE_CHECKING:
    import pandera.pandas as pa
    from pydantic import BaseModel

_FORM_FACTS = ("group", "asked", "kind", "unit", "limits", "question", "meaning", "obtained", "role")
_COUNTED = {"runners": "count_runners", "patients": "count_patients"}
_SIMULATED = Message("origin_simulated")
CARE = Message("care").text
PRACTICE = (
    "The cost class is our judgement: `low` is advice and a few visits, `middle` a course of visits or a device, "
    "`high` a specialist's procedure and a course of visits. No harm named in an abstract is no proof that there was "
    "none."
)
RULES = (
    "A rule reads several fields of one row. `withhold`: risk and pathways are not shown, and what to do is said "
    "first. `caution`: said first, and the numbers stay. `set aside`: the cells are not used (`/assess` answers 422). "
    "`ineligible`: the arm is not open. A field that is missing fires no rule but one that asks for it."
)


def dictionary_facts() -> list[Any]:
    """Return what models rely on: of fields name, kind, unit, limits, levels and parts, of arms what they require."""
    fields = [[f.name, f.kind, f.unit, f.low, f.high, f.levels, f.parts] for f in FIELDS]
    return [fields, [[arm.name, arm.requires] for arm in ARMS]]


def fingerprint(facts: list[Any] | None = None) -> str:
    """Return the digest of a dictionary, by default this version's: fields and arms, but not their wording.

    A bundle of format 2 is not held to it (see `model.bundle_schema`); one of format 1 says that it was made with it.
    """
    return hashlib.sha256(json.dumps(dictionary_facts() if facts is None else facts).encode()).hexdigest()


def origin_message(manifest: Mapping[str, Any]) -> Message:
    """Return what a bundle learned from, as its manifest says: simulated data, or a cohort; and its updates.

    Parameters
    ----------
    manifest
        With `trained_on` and, if there were any, `updates`.
    """
    trained_on, updates = manifest["trained_on"], manifest.get("updates", [])
    origin = _SIMULATED
    if not trained_on.get("simulated", True):
        origin = Message("origin_cohort", {"n": trained_on["runners"]})
    if not updates:
        return origin
    counts: dict[str, dict[str, int]] = {}
    for update in updates:  # a cohort that was used twice has as many as once
        people = people_of(update)
        counts.setdefault(people, {})[update["cohort"]] = update[people]
    numbers = [Message(_COUNTED[people], {"n": sum(sizes.values())}).as_dict() for people, sizes in counts.items()]
    cohorts = len({update["cohort"] for update in updates})
    return Message("origin_updated", {"n": cohorts, "origin": origin.as_dict(), "people": numbers})


def updates_clause(manifest: Mapping[str, Any]) -> str:
    """Return what a bundle was updated on, to stand after a text that says what it was trained on; empty if nothing."""
    message = origin_message(manifest)
    return Message("updates_clause", message.parameters).text if message.code == "origin_updated" else ""


def origin_of(manifest: Mapping[str, Any]) -> str:
    """Return the sentence of `origin_message`."""
    return origin_message(manifest).text


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
    return any(update["cohort"] == cohort and people_of(update) == people for update in manifest.get("updates", []))


def size_of(update: Mapping[str, Any]) -> str:
    """Return in words how large the cohort of an update was."""
    people = people_of(update)
    events = "cases" if people == "runners" else "successes"
    return f"{update[people]:,} {people} with {update[events]:,} {events}"


def notice_message(manifest: Mapping[str, Any]) -> Message:
    """Return what every answer of a bundle says of it: what it learned from, and with what care to use it."""
    return _notice(origin_message(manifest))


def notice_of(manifest: Mapping[str, Any]) -> str:
    """Return the sentence of `notice_message`; `NOTICE` for a bundle of simulated data alone."""
    return notice_message(manifest).text


def _notice(origin: Message) -> Message:
    return Message("notice", {"origin": origin.as_dict(), "care": Message("care").as_dict()})


NOTICE = _notice(_SIMULATED).text


def request_model() -> "type[BaseModel]":
    """Build the pydantic model of one runner: unknown keys forbidden, strict types, no NaN or infinity."""
    from pydantic import ConfigDict, Field as PydanticField, create_model

    return create_model(  # type: ignore[call-overload, no-any-return]
        "Runner",
        __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True),
        __doc__="One runner or patient. " + CARE,
        **{field.name: _request_field(field, PydanticField) for field in INPUTS},
    )


def _request_field(field: Field, declared: Any) -> tuple[Any, Any]:
    types: dict[str, Any] = {"text": str, "number": float, "whole": int}
    python = Literal[field.levels] if field.kind == "choice" else types[field.kind]
    limits = field.limits[0].upper() + field.limits[1:]  # not capitalize(), which writes Nm/kg as nm/kg
    about: dict[str, Any] = {"title": field.label, "description": f"{field.question} {limits}."}
    # what a form needs beside the limits
    form = {name: getattr(field, name) for name in _FORM_FACTS}
    form |= {"levels": list(field.levels), "other_units": other_units(field)}
    about["json_schema_extra"] = {"x-field": form}
    if field.kind in ("number", "whole"):
        about |= {"ge": field.low, "le": field.high}
    if field.kind == "text":
        about |= {"min_length": 1, "max_length": 200}
    # an id is required of a roster, where rows must be told apart; a single request needs none
    if field.required and field.kind != "text":
        return python, declared(**about)
    return python | None, declared(default=None, **about)


def frame_schema(frame: Literal["onset", "treatment"]) -> "pa.DataFrameSchema":
    """Build the pandera schema of a training frame: every field, the outcome, and the bookkeeping columns."""
    import pandera.pandas as pa

    fields = SCREENING if frame == "onset" else (*SCREENING, *EXAMINED)
    population = "runners" if frame == "onset" else "patients"
    columns = {field.name: _schema_column(pa, field) for field in fields}
    for outcome in OUTCOMES:
        columns |= dict(_outcome_columns(pa, outcome)) if outcome.population == population else {}
    columns["draw"] = pa.Column(int, pa.Check.ge(0))
    if frame == "treatment":
        columns["arm"] = pa.Column(checks=pa.Check.isin([arm.name for arm in ARMS]), nullable=False)
    return pa.DataFrameSchema(columns, strict=True, unique=["runner_id"])


def _outcome_columns(pa: Any, outcome: Outcome) -> Iterator[tuple[str, Any]]:
    """Yield the columns of an outcome; a cohort may lack those that no model is trained for."""
    for name in outcome.columns:
        needed = name in outcome.needed
        yield name, pa.Column(checks=pa.Check.isin([0, 1]), nullable=not needed, required=needed)
    for name, _ in outcome.beside:
        yield name, pa.Column(nullable=True, required=False)


def _schema_column(pa: Any, field: Field) -> Any:
    nullable = not field.required
    if field.kind == "text":
        # a training frame is split by club, so that both of its texts are needed
        return pa.Column(
            checks=pa.Check(lambda value: isinstance(value, str), element_wise=True, error=field.limits), nullable=False
        )
    if field.kind == "choice":
        return pa.Column(checks=pa.Check.isin(field.levels), nullable=nullable, required=not field.optional)
    checks = [pa.Check.in_range(field.low, field.high)]
    if field.kind == "whole":
        checks.append(pa.Check(lambda column: column == column.round(), error=field.limits))
    return pa.Column(float, checks, nullable=nullable, required=not field.optional)


def template() -> str:
    """Return an empty roster as CSV text: the header that `pfps score` reads."""
    return _csv([[field.name for field in INPUTS]])


def dictionary_page() -> str:
    """Return DICTIONARY.md: every field, arm and outcome as tables."""
    lines = ["# Dictionary", "", NOTICE, "", "Written by `pfps dictionary`; a test fails when it is stale.", ""]
    for title, fields in (("Screening fields", SCREENING), ("Visit fields (patients)", VISIT)):
        lines += [f"## {title}", "", _field_table(fields), ""]
    lines += ["## Derived fields", "", _field_table([f for f in FIELDS if f.parts]), ""]
    lines += ["## Arms", "", _arm_table(), ""]
    lines += ["### What the trials did, harms and costs", "", PRACTICE, "", _practice_table(), ""]
    lines += ["## Outcomes", "", _outcome_table(), ""]
    lines += ["Columns beside them, in a cohort alone:", "", _beside_table(), ""]
    lines += ["## Rules across fields", "", RULES, "", rules_table()]
    return "\n".join(lines) + "\n"


def rules_table(more: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the rules across fields as a Markdown table; `more` are further columns, a cell a rule."""
    more = more or {}
    rows = [(f"`{rule.code}`", rule.kind.replace("_", " "), _condition(rule), _effect(rule), rule.message.text,
             ", ".join(rule.sources) or "by definition", *(cells[at] for cells in more.values()))
            for at, rule in enumerate(clinical_rules())]  # fmt: skip
    return markdown_table(("rule", "kind", "fires where", "effect", "what is said", "source", *more), rows)


def _condition(rule: Rule) -> str:
    joint = " and " if rule.all else " or "
    return joint.join(map(str, rule.conditions))


def _effect(rule: Rule) -> str:
    what = ", ".join([*rule.what, *([rule.arm] if rule.arm else [])])
    return rule.effect.replace("_", " ") + (f": {what}" if what else "")


def _arm_table() -> str:
    rows = []
    for arm in ARMS:
        offered = ", ".join(f"{name} = {level}" for name, level in arm.requires) or "every patient"
        rows.append((f"`{arm.name}`", arm.label, arm.meaning, offered, arm.source))
    return markdown_table(("arm", "label", "meaning", "offered to", "source"), rows)


def arm_practice(arm: Arm) -> dict[str, Any] | None:
    """Return weeks, dose, protocol, harms and costs of an arm as JSON values, each with its rows of the ledger."""
    return asdict(arm.practice) if arm.practice else None


def _practice_table() -> str:
    rows = []
    for arm in ARMS:
        if arm.practice:
            said = (arm.practice.dose, arm.practice.protocol, arm.practice.harms, arm.practice.cost)
            dose, protocol, harms, cost = (f"{part.text} ({', '.join(part.rows)})" for part in said)
            weeks = str(arm.practice.weeks)
            rows.append((arm.label, weeks, dose, protocol, harms, arm.practice.cost_class, cost))
    return markdown_table(("arm", "weeks", "dose", "what the trials did", "harms", "cost class", "costs"), rows)


def _outcome_table() -> str:
    rows = (
        (f"`{o.column_at(h)}`", f"{o.name} ({o.kind})", o.meaning_at(h), str(o.at(h)), _models(o, h), o.at_risk,
         o.source)
        for o in OUTCOMES for h in o.horizons
    )  # fmt: skip
    return markdown_table(("column", "outcome", "meaning", "horizon", "models", "at risk", "source"), rows)


def _models(outcome: Outcome, horizon: float) -> str:
    return "yes" if horizon in outcome.fitted else "not yet"


def _beside_table() -> str:
    rows = ((f"`{name}`", o.name, meaning) for o in OUTCOMES for name, meaning in o.beside)
    return markdown_table(("column", "outcome", "meaning"), rows)


def _field_table(fields: Iterable[Field]) -> str:
    rows = []
    for f in fields:
        settled = {1: "higher risk", -1: "lower risk", 0: ""}[f.direction]
        name = f"`{f.name}`" + (" (required)" if f.required else "")
        units = ", ".join(other_units(f))
        rows.append((name, f.label, f.limits, units, f.obtained, f.role, settled, f.meaning, f.source))
    header = (
        "field",
        "label",
        "limits",
        "other units on the page",
        "obtained by",
        "role",
        "settled direction",
        "meaning",
        "source",
    )
    return markdown_table(header, rows)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


ACCOUNT = ("status", "problems", "problem_codes")
REASONS = 3  # in a roster; the JSON names every field
_RISK = re.compile(r"risk_\d+(\.\d+)?[a-z]")
_ENDS = ("", "_low", "_high")


def risk_column(horizon: Horizon) -> str:
    """Return the column of the risk over a horizon: `risk_12m`."""
    return f"risk_{horizon.suffix}"


def risk_columns(horizon: Horizon) -> tuple[str, str, str]:
    """Return the columns of the risk over a horizon and of the ends of its interval."""
    return (risk_column(horizon), "risk_low", "risk_high")


def roster_columns(horizon: Horizon) -> tuple[str, ...]:
    """Return the columns of every scored roster, behind its account, for a bundle over a horizon."""
    reasons = (f"reason_{rank + 1}" for rank in range(REASONS))
    cautions = ("cautions", "caution_codes")
    return ("withheld", *risk_columns(horizon), "risk_band", *reasons, "measure_next", *cautions, "bundle")


def visit_columns(arms: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a roster with visit fields, for a bundle with some arms, the reference first."""
    chances = (f"p_{name}" for name in arms)
    effects = (f"effect_{name}{end}" for name in arms[1:] for end in _ENDS)
    return (*chances, *effects, "acceptable_pathways", "preferred_pathway")


def risk_columns_in(header: Sequence[str]) -> list[str]:
    """Return the columns of a header that hold a risk, over whatever horizon."""
    return [name for name in header if _RISK.fullmatch(name)]


def scored_before(header: Sequence[str]) -> bool:
    """Return whether a header is that of a scored roster, by a bundle of any horizon."""
    return "status" in header and bool(risk_columns_in(header))


def added_by_scoring(header: Sequence[str], arms: Sequence[str]) -> frozenset[str]:
    """Return which columns of a header scoring adds: by any bundle whose arms are among these."""
    any_horizon = Horizon(1, "months")
    input_columns = {*roster_columns(any_horizon), *visit_columns(arms)} - {risk_column(any_horizon)}
    return frozenset({*ACCOUNT, *risk_columns_in(header), *input_columns}.intersection(header))


__all__ = [
    "ACCOUNT", "CARE", "NOTICE", "REASONS", "added_by_scoring", "arm_practice", "dictionary_facts",
    "dictionary_page", "fingerprint",
    "frame_schema", "has_seen", "notice_message", "notice_of", "origin_message", "origin_of", "people_of",
    "request_model", "risk_column", "risk_columns", "risk_columns_in", "roster_columns", "scored_before", "size_of",
    "template", "updates_clause", "visit_columns",
]  # fmt: skip
