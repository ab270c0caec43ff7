"""What the service puts on record: the audit and the promotions in files, its log, and its counts for Prometheus.

None of it may hold a value, a name or an id of a request.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pfps_ml.core import OutputError

PROMOTIONS = "PFPS_PROMOTION_LOG"
AUDIT = "PFPS_AUDIT"


class Clock:
    """The time of a process as it is written down: it stands still while the machine's clock is set back.

    So nothing on record ends before it began. `read` is the machine's clock.
    """

    def __init__(self, read: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._read, self._last, self._lock = read, datetime.min.replace(tzinfo=UTC), Lock()

    def now(self) -> str:
        """Return the time: the machine's, or that of the last answer if the machine's is before it."""
        with self._lock:
            self._last = max(self._last, self._read())
            return self._last.isoformat(timespec="milliseconds")


_CLOCK = Clock()


def now() -> str:
    """Return the time as it is written down: UTC, to the millisecond; see `Clock`."""
    return _CLOCK.now()


def record(variable: str, **facts: Any) -> None:
    """Append one line of JSON to the file that an environment variable names; do nothing if it names none.

    The line is appended in one step, so that several processes may share a file. Only the owner can read the file.

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


class ValueFreeLogs(logging.Filter):
    """Removes the message of a logged exception: messages quote input, types and places do not."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the exception by its stack and its type."""
        if record.exc_info:
            kind, _, stack = record.exc_info
            record.exc_text = "".join(traceback.format_tb(stack)) + (kind.__name__ if kind else "")
            record.exc_info = None
        return True


LOG = logging.getLogger("pfps")
LOG.setLevel(logging.INFO)
LOG.addFilter(ValueFreeLogs())
# the parser of forms logs which characters of an upload it rejects, and at level DEBUG all that it reads
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def show_log() -> None:
    """Print the log to standard output, where nothing prints it yet, and keep values out of every library's log."""
    logging.basicConfig(
        stream=sys.stdout, format="%(asctime)s [%(levelname)s] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(ValueFreeLogs())


# The metrics have the names that BentoML gives them. BentoML's own take the path of every request as a label, which
# is free text of the sender. Here all paths that are no route share one label.
_REGISTRY = CollectorRegistry()
_LABELS = ("endpoint", "http_response_code")
_COUNT = Counter("bentoml_service_request", "Requests answered", _LABELS, registry=_REGISTRY)
_SECONDS = Histogram("bentoml_service_request_duration_seconds", "Time of answering", _LABELS, registry=_REGISTRY)
_BUNDLE = Gauge(
    "pfps_bundle_in_service", "1 for the bundle in service, 0 for those before", ("bundle",), registry=_REGISTRY
)
METRICS_MEDIA = CONTENT_TYPE_LATEST


def count_answer(endpoint: str, status: int, seconds: float) -> None:
    """Count one answer and the seconds that it took."""
    labels = (endpoint, str(status))
    _COUNT.labels(*labels).inc()
    _SECONDS.labels(*labels).observe(seconds)


def count_bundle(bundle: str, before: str | None) -> None:
    """Set which bundle is in service, and which one no longer is."""
    if before:
        _BUNDLE.labels(before).set(0)
    _BUNDLE.labels(bundle).set(1)


def metrics() -> bytes:
    """Return all metrics in the text format of Prometheus."""
    return generate_latest(_REGISTRY)


__all__ = [
    "AUDIT",
    "LOG",
    "METRICS_MEDIA",
    "PROMOTIONS",
    "Clock",
    "ValueFreeLogs",
    "count_answer",
    "count_bundle",
    "metrics",
    "now",
    "record",
    "show_log",
]
