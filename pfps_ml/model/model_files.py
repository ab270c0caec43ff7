"""The models of a bundle as its files hold them: one file an outcome, in it the models of every horizon."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pfps_ml.core.errors import BundleFormat
from pfps_ml.domain.outcomes import OUTCOMES, Horizon
from pfps_ml.model.additive import from_json, to_json
from pfps_ml.model.bundle_schema import ALWAYS, Dictionary, OutcomeSchema, Schema, fields_in
from pfps_ml.model.prediction import Predictor, interval_from_json, onset_to_json, pathways_to_json, predictor_from_json

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
    found = {}
    for each in OUTCOMES:
        numbers = sorted(map(_number, models[each.name].get("horizons", [horizons[each.name].number])))
        main, link = _number(horizons[each.name].number), _link(models[each.name])
        found[each.name] = OutcomeSchema(each.name, each.kind, link, tuple(numbers), main, each.unit, reads[each.name])
    return Schema(level, found)


def models_to_json(predictor: Predictor, horizons: Mapping[str, Horizon]) -> dict[str, Any]:
    """Return the content of each outcome's model by outcome: by horizon, and without the interval's level.

    Parameters
    ----------
    horizons
        The main horizon of each outcome.
    """
    onset, success = onset_to_json(predictor), pathways_to_json(predictor)
    main = {key: onset[key] for key in _AT_HORIZON["onset"]}
    others = {n: {"model": to_json(model)} if model else main for n, model in predictor.horizons.items()}
    arms = {key: success.pop(key) for key in _AT_HORIZON["success"]}
    return {
        "onset": {"interval": _levelless(onset), "horizons": {f"{n:g}": each for n, each in others.items()}},
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
        whole = {name: _at_main(models[name], each, schema.level) for name, each in schema.outcomes.items()}
        further = {
            number: None if number == schema.outcomes["onset"].main else from_json(each["model"])
            for number, each in _horizons(models, schema, "onset")
        }
        _horizons(models, schema, "success")
        found = predictor_from_json(whole["onset"], whole["success"], schema.arms)
        interval_from_json(whole["onset"]["interval"], filter(None, (found.onset, *further.values())))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleFormat(f"expected the models that schema.json names, got a fault at {error}") from error
    onset, success = (found.onset, *filter(None, further.values())), (found.prognosis, *found.modifiers.values())
    links = {"onset": {model.link for model in onset}, "success": {model.link for model in success}}
    if any(links[name] != {each.link} for name, each in schema.outcomes.items()):
        raise BundleFormat("expected models with the links that schema.json names, got others; restore the bundle")
    return replace(found, horizons=further)


def _horizons(models: Mapping[str, Any], schema: Schema, name: str) -> list[tuple[float, Any]]:
    """Return an outcome's models with their horizons, as the schema has them.

    Raises
    ------
    ValueError
        If they are not those of the schema, or success has more than one.
    """
    held, numbers = models[name]["horizons"], schema.outcomes[name].horizons
    if {*held} != {f"{number:g}" for number in numbers} or (name == "success" and len(numbers) > 1):
        raise ValueError(f"the horizons of {name}")
    return [(number, held[f"{number:g}"]) for number in numbers]


def _at_main(content: Any, each: OutcomeSchema, level: float) -> dict[str, Any]:
    """Return an outcome's model at its main horizon in the shape of `predictor_from_json`."""
    main = content["horizons"][f"{each.main:g}"]
    rest = {key: value for key, value in content.items() if key != "horizons"}
    return {**rest, **main, "interval": {**content["interval"], "level": level}}


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


__all__ = ["models_to_json", "predictor_from_models", "schema_of"]
