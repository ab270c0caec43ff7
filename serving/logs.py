"""The service's log, and what no log of this process may hold: the values of a request."""

import logging
import traceback

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

__all__ = ["LOG", "ValueFreeLogs"]
