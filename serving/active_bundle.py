"""The bundle that is in service.

A bundle is loaded while the server already answers its probes; a new one is taken over whole or not at all.
"""

import gc
import signal
from contextlib import suppress
from threading import Event, Lock, Thread, current_thread, main_thread
from typing import Any

from pfps_ml import released_bundle
from pfps_ml.core import BundleError, Message, PfpsError
from pfps_ml.model import Bundle, digest, dump
from pfps_ml.model.assess import assess
from serving.audit_log import LOG, PROMOTIONS, count_bundle, now
from serving.errors import RecordUnwritable
from serving.requests import EXAMPLES, Runner, coded

RETRY_SECONDS = 5.0  # until a bundle that could not go on record is tried again


class ActiveBundle:
    """What this process serves: nothing until a bundle has reproduced its golden answers, then that bundle."""

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._since = ""
        self._lock = Lock()
        self._stopped = Event()

    @property
    def ready(self) -> bool:
        """Whether a bundle is in service."""
        return self._bundle is not None

    @property
    def name(self) -> str | None:
        """The name of the bundle in service."""
        return self._bundle.name if self._bundle else None

    def current(self) -> Bundle:
        """Return the bundle in service; a caller keeps it for the whole of one answer.

        Raises
        ------
        BundleError
            If no bundle is in service yet.
        """
        if self._bundle is None:
            raise BundleError(Message("no_bundle_in_service"))
        return self._bundle

    def start(self) -> None:
        """Load the released bundle in the background, and again whenever the process is sent SIGHUP."""
        self.stop()
        self._stopped = Event()
        if current_thread() is main_thread() and hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: self._in_background())
        self._in_background()

    def stop(self) -> None:
        """Take the bundle out of service; where that cannot go on record, the log says so."""
        self._stopped.set()
        with self._lock:
            bundle, self._bundle = self._bundle, None
            if bundle:
                with suppress(RecordUnwritable):
                    PROMOTIONS.append(self._end_of(bundle, now()))

    def take_over(self) -> tuple[str | None, str]:
        """Put the released bundle into service; return the name of the one before, and its own.

        A request in hand is answered by the bundle that it began with, and no request waits.

        Raises
        ------
        BundleError
            If the bundle cannot be loaded or does not reproduce its golden answers. The one before stays in service.
        RecordUnwritable
            If the promotion log cannot be written. The one before stays in service.
        """
        with self._lock:
            before = self._bundle
            try:
                bundle = released_bundle()
                if before is None or bundle.manifest != before.manifest:
                    self._swap(bundle)
            except PfpsError as error:
                LOG.error("no bundle taken over (%s): %s In service: %s", error.code, error.message, self.name)
                with suppress(RecordUnwritable):  # the error itself may be that nothing can go on record
                    PROMOTIONS.append({"event": "refused", "code": error.code, "in_service": self.name})
                raise
            return (before.name if before else None), bundle.name

    def _swap(self, bundle: Bundle) -> None:
        _warm(bundle)
        before, since = self._bundle, now()
        # the same moment, and both lines or none: no two bundles are in service at once, on record neither
        ended = [self._end_of(before, since)] if before else []
        live = {"event": "live", "bundle": bundle.name, "digest": _digest(bundle), "since": since}
        PROMOTIONS.append(*ended, live)
        self._bundle, self._since = bundle, since
        count_bundle(bundle.name, before.name if before else None)
        LOG.info("bundle %s is in service", bundle.name)
        del before
        # the bundle's many small objects live as long as the process: a collector that walks them takes 50 ms a time
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def _end_of(self, bundle: Bundle, until: str) -> dict[str, Any]:
        return {"event": "ended", "bundle": bundle.name, "digest": _digest(bundle), "since": self._since,
                "until": until}  # fmt: skip

    def _in_background(self) -> None:
        Thread(target=self._load, args=(self._stopped,), name="load-bundle", daemon=True).start()

    def _load(self, stopped: Event) -> None:
        """Take over the released bundle; wait for room where the promotion log has none."""
        while not stopped.is_set():
            try:
                self.take_over()
            except RecordUnwritable:
                while PROMOTIONS.unwritable and not stopped.wait(RETRY_SECONDS):
                    with suppress(RecordUnwritable):
                        PROMOTIONS.check()
            except PfpsError:
                return  # the log says why
            else:
                return


def _warm(bundle: Bundle) -> None:
    """Assess once: some tables are made when they are first read, and no request should wait for them."""
    examples = [Runner.model_validate(example["runner"]) for example in EXAMPLES.values()]
    assessed = assess(bundle, coded(examples))
    for row in range(len(examples)):
        assessed.as_dict(row)


def _digest(bundle: Bundle) -> str:
    return digest(dump(bundle.manifest))


__all__ = ["ActiveBundle"]
