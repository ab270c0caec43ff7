"""The models of a bundle as its files hold them: one file an outcome, in it the models of every horizon.

schema.json of a bundle: its outcomes, and which fields and arms their models read.

A bundle is refused only where something that it reads has changed: a field's kind, unit, limits or levels, what a field
is computed from, or who may be offered an arm. Labels, texts, and every other field may change, or be added.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from pfps_ml.core import BundleFormat, Message
from pfps_ml.domain import FITTED, LINKS, OUTCOME, Horizon, schemas
from pfps_ml.model.additive import from_json, to_json
from pfps_ml.model.prediction import Predictor, interval_from_json, onset_to_json, pathways_to_json, predictor_from_json

NUMBER = 2
MOST_ARMS = 8
ALWAYS = ("age_years", "sex", "current_knee_pain")  # read of every runner: the average, and whether there is a risk
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FACTS = ("kind", "unit", "low", "high", "levels", "parts")


@dataclass(frozen=True)
class Dictionary:
    """The parts of a dictionary that models rely on: the facts of every field, and what every arm requires."""

    fields: Mapping[str, Mapping[str, Any]]
    arms: Mapping[str, list[list[str]]]

    def reads(self, names: Iterable[str], arms: Sequence[str] = ()) -> dict[str, Any]:
        """Return the facts of some fields and arms, and of all that these are computed from or require.

        Raises
        ------
        BundleFormat
            If there is no such field or arm.
        """
        wanted, facts = [*names, *(name for arm in arms for name, _ in self.arms.get(arm, ()))], {}
        unknown = sorted({*wanted} - {*self.fields}) + sorted({*arms} - {*self.arms})
        if unknown:
            raise BundleFormat(Message("models_over_unknown_names", {"unknown": [*unknown]}))
        while wanted:
            name = wanted.pop()
            facts[name] = dict(self.fields[name])
            wanted += self.fields[name].get("parts", ())
        return {"fields": facts, "arms": [{"name": arm, "requires": self.arms[arm]} for arm in arms]}


@dataclass(frozen=True)
class OutcomeSchema:
    """One outcome of a bundle.

    Attributes
    ----------
    kind, link, horizons, main, unit
        As of `domain.outcomes.Outcome`, but of this bundle's model.
    reads
        `fields`: the facts of every field that is read; `arms`: the arms in their order, the reference first, with
        what each requires.
    accounts
        The files of models of other scenarios, by scenario.
    """

    name: str
    kind: str
    link: str
    horizons: tuple[float, ...]
    main: float
    unit: str
    reads: Mapping[str, Any]
    accounts: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The file of its model."""
        return f"models/{self.name}.json"

    @property
    def horizon(self) -> Horizon:
        """The main horizon."""
        return OUTCOME[self.name].at(self.main)

    @property
    def fingerprint(self) -> str:
        """The digest of what is read."""
        return fingerprint_of(self.reads)


@dataclass(frozen=True)
class Schema:
    """The outcomes of a bundle by name, and the level of every interval."""

    level: float
    outcomes: Mapping[str, OutcomeSchema]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, the reference first."""
        return tuple(arm["name"] for arm in self.outcomes["success"].reads["arms"])

    @property
    def fields(self) -> dict[str, Mapping[str, Any]]:
        """The facts of every field that any model reads."""
        return {name: facts for outcome in self.outcomes.values() for name, facts in outcome.reads["fields"].items()}

    @property
    def models(self) -> tuple[str, ...]:
        """The files of all models."""
        return tuple(name for outcome in self.outcomes.values() for name in (outcome.model, *outcome.accounts.values()))


def dictionary_now() -> Dictionary:
    """Return what this version's dictionary says."""
    return _dictionary(json.loads(json.dumps(schemas.dictionary_facts())))


@cache
def dictionary_of_format_1() -> tuple[Dictionary, str]:
    """Return what the dictionary said when format 1 was last written, and the fingerprint of such bundles."""
    fields, arms = json.loads((files("pfps_ml.model") / "format1_dictionary.json").read_text(encoding="utf-8"))
    ends = float("-inf"), float("inf")  # which JSON does not have: the file says null
    for facts in fields:
        facts[3:5] = (end if limit is None else limit for limit, end in zip(facts[3:5], ends, strict=True))
    return _dictionary([fields, arms]), schemas.fingerprint([fields, arms])


def changes(reads: Mapping[str, Any], now: Dictionary) -> Iterator[str]:
    """Yield in words what has changed of that which a bundle reads."""
    for name, facts in sorted(reads["fields"].items()):
        if name not in now.fields:
            yield f"{name} (a field that is gone)"
            continue
        for fact in _FACTS:
            before, after = facts.get(fact), now.fields[name].get(fact)
            if before != after:
                yield f"{name} ({fact}: {_shown(before)} became {_shown(after)})"
    for arm in reads["arms"]:
        if arm["name"] not in now.arms:
            yield f"{arm['name']} (an arm that is gone)"
        elif arm["requires"] != now.arms[arm["name"]]:
            before, after = _shown(arm["requires"]), _shown(now.arms[arm["name"]])
            yield f"{arm['name']} (an arm; requires: {before} became {after})"


def fields_in(content: Any) -> set[str]:
    """Return the fields that models read, however deep the models stand in parsed JSON."""
    if isinstance(content, list):
        return set().union(*map(fields_in, content))
    if not isinstance(content, dict):
        return set()
    names = {str(content["field"])} if "field" in content else {*map(str, content.get("fields", ()))}
    names |= {*map(str, content["shares"])} if isinstance(content.get("shares"), dict) else set()
    return names.union(*map(fields_in, content.values()))


def fingerprint_of(reads: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of what a model reads."""
    canonical = json.dumps(reads, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """Return the content of schema.json."""
    return {
        "format": NUMBER,
        "level": schema.level,
        "outcomes": {name: _outcome_to_json(outcome) for name, outcome in schema.outcomes.items()},
    }


def schema_from_json(content: Any) -> Schema:
    """Build a schema from the content of schema.json: inspect, then construct.

    Raises
    ------
    BundleFormat
        If it is of another shape, or names an outcome, a link, a file or a number of arms that this version cannot
        read.
    """
    try:
        schema = Schema(float(content["level"]), {n: _outcome(n, c) for n, c in content["outcomes"].items()})
        fault = next(_faults(schema, content), None)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BundleFormat(Message("schema_lacks_parts")) from error
    if fault:
        raise BundleFormat(Message("schema_unreadable", {"fault": fault}))
    return schema


def _outcome_to_json(outcome: OutcomeSchema) -> dict[str, Any]:
    content = {
        "kind": outcome.kind, "link": outcome.link, "horizons": list(outcome.horizons), "main": outcome.main,
        "unit": outcome.unit, "model": outcome.model, "fingerprint": outcome.fingerprint, "reads": outcome.reads,
    }  # fmt: skip
    return content | ({"accounts": dict(outcome.accounts)} if outcome.accounts else {})


def _outcome(name: str, content: Any) -> OutcomeSchema:
    return OutcomeSchema(
        name, content["kind"], content["link"], tuple(content["horizons"]), content["main"], content["unit"],
        {"fields": dict(content["reads"]["fields"]), "arms": list(content["reads"]["arms"])},
        dict(content.get("accounts", {})),
    )  # fmt: skip


def _faults(schema: Schema, content: Any) -> Iterator[str]:
    if content["format"] != NUMBER:
        yield f"the format {content['format']!r}"
    if not 0 < schema.level < 1:
        yield "a level that is not between 0 and 1"
    fitted = [outcome.name for outcome in FITTED]
    if {*schema.outcomes} != {*fitted}:
        yield f"other outcomes than {' and '.join(fitted)}"
        return
    for outcome in schema.outcomes.values():
        yield from (f"{what} of {outcome.name}" for what in _faults_of(outcome, content["outcomes"][outcome.name]))
    if not 1 <= len(schema.arms) <= MOST_ARMS or len(set(schema.arms)) < len(schema.arms):
        yield f"not one to {MOST_ARMS} different arms"


def _faults_of(outcome: OutcomeSchema, content: Mapping[str, Any]) -> Iterator[str]:
    declared, numbers = OUTCOME[outcome.name], outcome.horizons
    if (outcome.kind, outcome.unit) != (declared.kind, declared.unit):
        yield "another kind or unit"
    if outcome.link not in LINKS:
        yield "an unknown link"
    real = all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    rising = real and all(a < b for a, b in zip((0, *numbers), numbers, strict=False)) and numbers[-1:] < (1e6,)
    if not rising or outcome.main not in numbers:
        yield "horizons that do not ascend, or lack the main one"
    files_of = {scenario: f"models/{outcome.name}.{scenario}.json" for scenario in outcome.accounts}
    if content["model"] != outcome.model or outcome.accounts != files_of or not all(map(_NAME.fullmatch, files_of)):
        yield "a model in a file of another name"
    if any(not isinstance(facts, dict) for facts in outcome.reads["fields"].values()) or not all(
        isinstance(arm["name"], str) and isinstance(arm["requires"], list) for arm in outcome.reads["arms"]
    ):
        yield "fields or arms of another shape"
    if content["fingerprint"] != outcome.fingerprint:
        yield "a fingerprint that is not that of its fields and arms"


def _dictionary(facts: Any) -> Dictionary:
    fields = {
        name: {
            "kind": kind, "unit": unit, "low": _bound(low), "high": _bound(high), "levels": list(levels),
            **({"parts": list(parts)} if parts else {}),
        }
        for name, kind, unit, low, high, levels, parts in facts[0]
    }  # fmt: skip
    return Dictionary(fields, {name: [list(pair) for pair in requires] for name, requires in facts[1]})


def _bound(number: float) -> float | None:
    """Return a limit as JSON can hold it: none is null."""
    return None if number in (float("inf"), float("-inf")) else float(number)


def _shown(fact: Any) -> str:
    if isinstance(fact, list):
        return ", ".join(" ".join(part) if isinstance(part, list) else str(part) for part in fact) or "none"
    return f"{fact:g}" if isinstance(fact, float) else str(fact)


_AT_HORIZON = {"onset": ("model", "explanation"), "success": ("prognosis", "modifiers")}


def schema_of(
    models: Mapping[str, Any], reference: Mapping[str, Any], arms: Sequence[str], level: float,
    horizons: Mapping[str, Horizon], dictionary: Dictionary,
) -> Schema:  # fmt: skip
    """Return the schema of models: what they, their explanation, the averages and the propensities read.

    Parameters
    ----------
    models
        As `models_to_json` returns them, or those of format 1 under the names of the outcomes.
    reference
        The content of reference.json; a field that it describes and no model of success reads is one of onset.
    arms
        The reference arm first.
    level
        Of the intervals.
    horizons
        The main horizon of each outcome.
    dictionary
        The one that the models were made with.
    """
    success = fields_in(models["success"]) | fields_in(reference.get("propensity", {}))
    onset = fields_in(models["onset"]).union(ALWAYS, {*reference["fields"]} - success)
    reads = {"onset": dictionary.reads(onset), "success": dictionary.reads(success, arms)}
    outcomes = {}
    for outcome in FITTED:
        numbers = sorted(map(_number, models[outcome.name].get("horizons", [horizons[outcome.name].number])))
        main, link = _number(horizons[outcome.name].number), _link(models[outcome.name])
        outcomes[outcome.name] = OutcomeSchema(
            outcome.name, outcome.kind, link, tuple(numbers), main, outcome.unit, reads[outcome.name]
        )
    return Schema(level, outcomes)


def models_to_json(predictor: Predictor, horizons: Mapping[str, Horizon]) -> dict[str, Any]:
    """Return the content of each outcome's model by outcome: by horizon, and without the interval's level.

    Parameters
    ----------
    horizons
        The main horizon of each outcome.
    """
    onset, success = onset_to_json(predictor), pathways_to_json(predictor)
    main = {key: onset[key] for key in _AT_HORIZON["onset"]}
    others = {n: {"model": to_json(parts)} if parts else main for n, parts in predictor.horizons.items()}
    arms = {key: success.pop(key) for key in _AT_HORIZON["success"]}
    return {
        "onset": {"interval": _levelless(onset), "horizons": {f"{n:g}": parts for n, parts in others.items()}},
        "success": {**success, "interval": _levelless(success), "horizons": {f"{horizons['success'].number:g}": arms}},
    }


def predictor_from_models(models: Mapping[str, Any], schema: Schema) -> Predictor:
    """Build a predictor from the models of a bundle of format 2, by outcome.

    Raises
    ------
    BundleFormat
        As `predictor_from_json`, or if the horizons or a link are not those of the schema.
    """
    try:
        whole = {name: _at_main(models[name], outcome, schema.level) for name, outcome in schema.outcomes.items()}
        further = {
            number: None if number == schema.outcomes["onset"].main else from_json(content["model"])
            for number, content in _horizons(models, schema, "onset")
        }
        _horizons(models, schema, "success")
        predictor = predictor_from_json(whole["onset"], whole["success"], schema.arms)
        interval_from_json(whole["onset"]["interval"], filter(None, (predictor.onset, *further.values())))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleFormat(Message("schema_models_faulty", {"reason": str(error)})) from error
    onset, success = (
        (predictor.onset, *filter(None, further.values())),
        (predictor.prognosis, *predictor.modifiers.values()),
    )
    links = {"onset": {model.link for model in onset}, "success": {model.link for model in success}}
    if any(links[name] != {outcome.link} for name, outcome in schema.outcomes.items()):
        raise BundleFormat(Message("schema_names_other_links"))
    return replace(predictor, horizons=further)


def _horizons(models: Mapping[str, Any], schema: Schema, name: str) -> list[tuple[float, Any]]:
    """Return an outcome's models with their horizons, as the schema has them.

    Raises
    ------
    ValueError
        If they are not those of the schema, or success has more than one.
    """
    horizon_models, numbers = models[name]["horizons"], schema.outcomes[name].horizons
    if {*horizon_models} != {f"{number:g}" for number in numbers} or (name == "success" and len(numbers) > 1):
        raise ValueError(f"the horizons of {name}")
    return [(number, horizon_models[f"{number:g}"]) for number in numbers]


def _at_main(content: Any, outcome: OutcomeSchema, level: float) -> dict[str, Any]:
    """Return an outcome's model at its main horizon in the shape of `predictor_from_json`."""
    main = content["horizons"][f"{outcome.main:g}"]
    without_horizons = {key: value for key, value in content.items() if key != "horizons"}
    return {**without_horizons, **main, "interval": {**content["interval"], "level": level}}


def _number(number: Any) -> float:
    """Return a horizon as it is written: 12, and not 12.0."""
    return int(number) if float(number).is_integer() else float(number)


def _link(content: Any) -> str:
    """Return the link of the first model in parsed JSON."""
    if isinstance(content, dict):
        return str(content["link"]) if "link" in content else next(filter(None, map(_link, content.values())), "")
    return ""


def _levelless(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content["interval"].items() if key != "level"}


__all__ = [
    "ALWAYS", "MOST_ARMS", "NUMBER", "Dictionary", "OutcomeSchema", "Schema", "changes", "dictionary_now",
    "dictionary_of_format_1", "fields_in", "fingerprint_of", "models_to_json", "predictor_from_models",
    "schema_from_json", "schema_of", "schema_to_json",
]  # fmt: skip
