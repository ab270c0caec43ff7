"""What the service puts on record: the audit and the promotions in files, its log, and its counts for Prometheus.

None of it may hold a value, a name or an id of a request.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pfps_ml.core import (
    Message,
    PfpsError,
    append_lines,
    check_room,
    mend_record,
)
from pfps_ml.io.pseudonyms import mark, mark_key
from serving.errors import RecordUnwritable


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


class RecordFile:
    """The file of lines of JSON that an environment variable names: the audit trail or the promotion log.

    Every line is in it whole or not at all, whatever ends the process. Several processes may share it, and it may be
    moved away while it is written to: it is opened for every line. Only the owner can read it. The system writes it to
    the disk in its own time: a power cut may take the last lines.

    Parameters
    ----------
    variable
        The environment variable. Nothing is written while it is empty.
    of_people
        Whether lines are about persons: a key for their marks stands beside the file then.
    """

    def __init__(self, variable: str, of_people: bool = False) -> None:
        self.variable, self._of_people = variable, of_people
        self._unwritable = False
        self._key: tuple[Path, bytes | None] | None = None

    @property
    def path(self) -> Path | None:
        """The file, or None if none is named."""
        name = os.environ.get(self.variable)
        return Path(name) if name else None

    @property
    def unwritable(self) -> bool:
        """Whether the last line could not be written, and no room was made since."""
        return self._unwritable and self.path is not None

    def append(self, *lines: Mapping[str, Any], wait: bool = True) -> None:
        """Append lines, all of them or none, with the time before each.

        Parameters
        ----------
        lines
            Facts. Under `people` stand the ids of persons: marks are written in their place (see `marks`).
        wait
            Whether to wait while another process has the file.

        Raises
        ------
        BlockingIOError
            If another process has the file, and nobody is to wait for it.
        RecordUnwritable
            If they cannot be written: what goes on record must not happen unrecorded.
        """
        if path := self.path:
            with self._watched(wait):
                stamped = [{"time": now(), **self._marked(path, line)} for line in lines]
                content = "".join(json.dumps(line) + "\n" for line in stamped).encode()
                self._say_torn(append_lines(path, content, wait))

    def check(self) -> None:
        """Try whether there is room for a line; a file that another process is writing to has room.

        Raises
        ------
        RecordUnwritable
            If there is none.
        """
        if path := self.path:
            with suppress(BlockingIOError), self._watched(wait=False):
                self._say_torn(check_room(path))

    def start(self) -> None:
        """Mend what a process that was killed has left, and make the key of the marks; a fault is logged."""
        with suppress(RecordUnwritable):
            if path := self.path:
                _WRITABLE.labels(self.variable).set(1)
                with self._watched():
                    self._say_torn(mend_record(path))
                    self._marked(path, {"people": []} if self._of_people else {})
            self.check()

    def _marked(self, path: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        if "people" not in facts:
            return facts
        if self._key is None or self._key[0] != path:
            # a device or a pipe has no file beside it, and nobody can be taken out of it
            self._key = path, None if path.exists() and not path.is_file() else mark_key(path, make=True)
        key = self._key[1]
        return {**facts, "people": [mark(one, key) if one and key else None for one in facts["people"]]}

    @contextmanager
    def _watched(self, wait: bool = True) -> Iterator[None]:
        """Explain what the disk refuses, and log it once; log, too, when there is room again."""
        try:
            yield
        except (OSError, PfpsError) as error:
            if isinstance(error, BlockingIOError) and not wait:
                raise
            message = Message("record_unwritable", {"variable": self.variable, "reason": _reason(error)})
            self._turn(True, message)
            raise RecordUnwritable(message) from None
        if self._unwritable:
            self._turn(False, Message("record_writable_again", {"variable": self.variable}))

    def _turn(self, unwritable: bool, message: Message) -> None:
        if unwritable != self._unwritable:
            LOG.log(logging.ERROR if unwritable else logging.INFO, "%s: %s", message.code, message.text)
            self._unwritable = unwritable
            _WRITABLE.labels(self.variable).set(not unwritable)

    def _say_torn(self, torn: int) -> None:
        if torn:
            message = Message("record_mended", {"variable": self.variable, "n": torn})
            LOG.warning("%s: %s", message.code, message.text)


def _reason(error: OSError | PfpsError) -> str:
    """Return why the disk refuses, without the name of a file: this is told to whoever sent the request."""
    cause = error.__cause__ if isinstance(error, PfpsError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    detail = error.detail if isinstance(error, PfpsError) else None
    return detail.code if detail else type(error).__name__


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
_WRITABLE = Gauge(
    "pfps_record_writable", "1 while the file that the variable names can be written, else 0", ("variable",),
    registry=_REGISTRY,
)  # fmt: skip
_WRONG_KEYS = Counter("pfps_wrong_keys", "Requests with a key that is none of this service", registry=_REGISTRY)
METRICS_MEDIA = CONTENT_TYPE_LATEST
AUDIT, PROMOTIONS = RecordFile("PFPS_AUDIT", of_people=True), RecordFile("PFPS_PROMOTION_LOG")


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


def count_wrong_key() -> None:
    """Count one request with a wrong key."""
    _WRONG_KEYS.inc()


def metrics() -> bytes:
    """Return all metrics in the text format of Prometheus."""
    return generate_latest(_REGISTRY)


__all__ = [
    "AUDIT",
    "LOG",
    "METRICS_MEDIA",
    "PROMOTIONS",
    "Clock",
    "RecordFile",
    "ValueFreeLogs",
    "count_answer",
    "count_bundle",
    "count_wrong_key",
    "metrics",
    "now",
    "show_log",
]
