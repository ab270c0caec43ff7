"""Counts and times of requests, under the names that BentoML gives them.

BentoML's own metrics take the path of every request as a label: free text of the sender's, and one more series for
each. Here a path that is no route has one label for all.
"""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_REGISTRY = CollectorRegistry()
_LABELS = ("endpoint", "http_response_code")
_COUNT = Counter("bentoml_service_request", "Requests answered", _LABELS, registry=_REGISTRY)
_TIME = Histogram("bentoml_service_request_duration_seconds", "Time of answering", _LABELS, registry=_REGISTRY)
_LIVE = Gauge(
    "pfps_bundle_in_service", "1 for the bundle in service, 0 for those before", ("bundle",), registry=_REGISTRY
)
MEDIA = CONTENT_TYPE_LATEST


def count(endpoint: str, status: int, seconds: float) -> None:
    """Count one answer."""
    labels = (endpoint, str(status))
    _COUNT.labels(*labels).inc()
    _TIME.labels(*labels).observe(seconds)


def serve(bundle: str, before: str | None) -> None:
    """Say which bundle is in service, and which is no more."""
    if before:
        _LIVE.labels(before).set(0)
    _LIVE.labels(bundle).set(1)


def shown() -> bytes:
    """Return all of it, as Prometheus reads it."""
    return generate_latest(_REGISTRY)


__all__ = ["MEDIA", "count", "serve", "shown"]
