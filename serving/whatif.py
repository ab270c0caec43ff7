"""The models of the bundle in service as one JSON document: what a page needs to answer what-if by itself."""

from collections.abc import Mapping
from dataclasses import asdict
from gzip import compress
from typing import Any

from starlette.responses import Response

from pfps_ml.bundle import Bundle, digest, dump
from pfps_ml.knowledge.dictionary import FIELDS
from pfps_ml.knowledge.field import DRIVERS, Field
from pfps_ml.prediction import onset_to_json, pathways_to_json
from serving.asked import answered
from serving.routes import JSON

_NUMBERS = ("low", "high")


class Tables:
    """The tables as they are sent: written and compressed once a bundle."""

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._plain = self._packed = b""
        self._tag = ""

    def reply(self, bundle: Bundle, headers: Mapping[str, str]) -> Response:
        """Answer the tables, or that they have not changed since they were last asked for."""
        if bundle is not self._bundle:
            self._plain = dump(tables(bundle))
            self._packed, self._tag, self._bundle = compress(self._plain, 6), f'"{digest(self._plain)}"', bundle
        answered(bundle.name)
        shared = {"etag": self._tag, "cache-control": "private, no-cache", "vary": "accept-encoding"}
        if headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=shared)
        if "gzip" in headers.get("accept-encoding", ""):
            return Response(self._packed, headers=shared | {"content-encoding": "gzip"}, media_type=JSON)
        return Response(self._plain, headers=shared, media_type=JSON)


def tables(bundle: Bundle) -> dict[str, Any]:
    """Return the released models with what their numbers mean.

    `onset` and `pathways` are the bundle's own files: terms with a value for each member (the main model first),
    Shapley tables, and the numbers of the interval; see "Additive model and bundle" in the README of models/.
    `reference` has the bands, the averages by age and sex, and what cautions and `measure next` read. `fields` says
    how values are coded: a level by its place in `levels`, a missing field by nothing.
    """
    return {
        "bundle": bundle.name,
        "notice": bundle.notice,
        "trained_on": bundle.manifest["trained_on"],
        "fields": [_field(field) for field in FIELDS],
        "drivers": list(DRIVERS),
        "arms": [asdict(arm) for arm in bundle.arms],
        "reference_arm": bundle.predictor.usual,
        "level": bundle.level,
        "outcomes": {name: _outcome(bundle, name) for name in bundle.horizons},
        "onset": onset_to_json(bundle.predictor),
        "pathways": pathways_to_json(bundle.predictor),
        "reference": dict(bundle.reference),
    }


def _outcome(bundle: Bundle, name: str) -> dict[str, Any]:
    """Return an outcome at the bundle's main horizon, in words and as numbers."""
    own = bundle.schema.outcomes[name]
    numbers = {"kind": own.kind, "link": own.link, "horizons": list(own.horizons), "main": own.main, "unit": own.unit}
    return {"name": name, "label": bundle.label(name), "meaning": bundle.meaning(name), **numbers}


def _field(field: Field) -> dict[str, Any]:
    """Return a field with no infinity in it, which JSON does not have."""
    found = asdict(field) | {"limits": field.limits}
    return found if field.kind in ("number", "whole") else {k: v for k, v in found.items() if k not in _NUMBERS}


__all__ = ["Tables", "tables"]
