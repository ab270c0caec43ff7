"""What the service puts on record: promotions and answers in files, its log, and counts and times for Prometheus."""

import json
import logging
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pfps_ml.errors import OutputError

PROMOTIONS = "PFPS_PROMOTION_LOG"
AUDIT = "PFPS_AUDIT"


def now() -> str:
    """Return the time as it is written down."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def record(variable: str, **facts: Any) -> None:
    """Add one line of JSON to the file that a variable of the environment names; nothing if it names none.

    The line is added in one step, so that several processes may share a file; it can be read by its owner alone.

    Raises
    ------
    OutputError
        If the line cannot be written: what goes on record must not happen unrecorded.
    """
    if not (name := os.environ.get(variable)):
        return
    line = json.dumps({"time": now(), **facts}).encode() + b"\n"
    try:
        file = os.open(Path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)
    except OSError as error:
        raise OutputError(f"expected to add a line to the file that {variable} names, got: {error.strerror}") from error


# BentoML's set-up shows the lines of its own loggers and their children, and may disable all others
LOG = logging.getLogger("bentoml.pfps")


class ValueFreeLogs(logging.Filter):
    """Takes the message off every logged exception: messages quote input, while types and places do not."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the exception by its stack and its type."""
        if record.exc_info:
            kind, _, stack = record.exc_info
            record.exc_text = "".join(traceback.format_tb(stack)) + (kind.__name__ if kind else "")
            record.exc_info = None
        return True


# BentoML logs what an endpoint raises on this one, with the message
for _logger in (LOG, logging.getLogger("bentoml._internal.server.http_app")):
    _logger.addFilter(ValueFreeLogs())
# it tells which characters of an upload it did not like, and all that it reads in its debugging
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


_REGISTRY = CollectorRegistry()
_LABELS = ("endpoint", "http_response_code")
_COUNT = Counter("bentoml_service_request", "Requests answered", _LABELS, registry=_REGISTRY)
_TIME = Histogram("bentoml_service_request_duration_seconds", "Time of answering", _LABELS, registry=_REGISTRY)
_LIVE = Gauge(
    "pfps_bundle_in_service", "1 for the bundle in service, 0 for those before", ("bundle",), registry=_REGISTRY
)
EXPOSITION_MEDIA = CONTENT_TYPE_LATEST


def count_answer(endpoint: str, status: int, seconds: float) -> None:
    """Count one answer."""
    labels = (endpoint, str(status))
    _COUNT.labels(*labels).inc()
    _TIME.labels(*labels).observe(seconds)


def count_bundle(bundle: str, before: str | None) -> None:
    """Say which bundle is in service, and which is no more."""
    if before:
        _LIVE.labels(before).set(0)
    _LIVE.labels(bundle).set(1)


def exposition() -> bytes:
    """Return all of it, as Prometheus reads it."""
    return generate_latest(_REGISTRY)


__all__ = [
    "AUDIT",
    "EXPOSITION_MEDIA",
    "LOG",
    "PROMOTIONS",
    "ValueFreeLogs",
    "count_answer",
    "count_bundle",
    "exposition",
    "now",
    "record",
]
