"""The bundle that is in service: loaded while the server already answers its probes, taken over whole or not at all."""

import gc
from threading import Thread

from pfps_ml import released_bundle
from pfps_ml.bundle import Bundle
from pfps_ml.errors import BundleError, PfpsError
from serving.logs import LOG


class LiveBundle:
    """What this process serves: nothing until a bundle has reproduced its golden answers, then that bundle."""

    def __init__(self) -> None:
        self._bundle: Bundle | None = None

    @property
    def ready(self) -> bool:
        """Whether a bundle is in service."""
        return self._bundle is not None

    def current(self) -> Bundle:
        """Return the bundle in service; a caller keeps it for the whole of one answer.

        Raises
        ------
        BundleError
            If none is in service yet.
        """
        if self._bundle is None:
            raise BundleError("expected a released bundle in service, got none yet; ask /readyz, and see the log")
        return self._bundle

    def start(self) -> None:
        """Load the released bundle in the background; what an earlier start had loaded is put out of service."""
        self._bundle = None
        Thread(target=self.load, name="load-bundle", daemon=True).start()

    def load(self) -> None:
        """Load the released bundle and put it into service; what is wrong with it goes to the log."""
        try:
            bundle = released_bundle()
        except PfpsError as error:
            LOG.error("no bundle in service (%s): %s", error.code, error.message)
            return
        # the bundle's many small objects live as long as the process: a collector that walks them costs 50 ms a time
        gc.collect()
        gc.freeze()
        self._bundle = bundle
        LOG.info("bundle %s is in service", bundle.name)


__all__ = ["LiveBundle"]
