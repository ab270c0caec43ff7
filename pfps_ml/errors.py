"""Everything that can go wrong, in one tree.

::

    PfpsError                exit  HTTP
    ├── InputError             2    400   a file or request that cannot be read as a roster
    │   └── InvalidInput       2    422   it can be read, but what it says is not valid
    ├── FactError              2    500   the dictionary, ledger, a scenario or the configuration is wrong
    ├── CohortError            2    500   a training cohort fails validation
    ├── MissingLibrary         2    500   a library or system package is not installed
    ├── BundleError            3    503   a released model cannot be used
    │   ├── BundleMissing                 it is not there
    │   ├── BundleFormat                  it is not what this version reads
    │   ├── BundleTampered                a file's hash differs from the manifest
    │   ├── BundleOutdated                its fields are not those of the dictionary
    │   ├── BundleGolden                  it does not reproduce its own recorded answers
    │   └── ReleaseRefused                it falls short of the release gate; the release before stays current
    ├── OutputError            4    500   the result cannot be written; what was there before is whole
    ├── PartlyDone             5    500   some of the work is done and kept; the message says what is not
    └── ClusterError           2    503   the machines that should do the work do not answer

Every message says what was expected, what arrived and what to do.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pfps_ml.core.messages import Message


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one value: the row (0 is the first; None is the file), the field, and what to do."""

    row: int | None
    field: str | None
    message: str

    def as_dict(self) -> dict[str, int | str | None]:
        """Return the shape that the HTTP API answers."""
        return asdict(self)


class PfpsError(Exception):
    """The root: catch this to catch every mistake that the product knows how to explain.

    Attributes
    ----------
    code
        The kind of the error, as the HTTP API names it.
    message
        The sentence.
    detail
        The same as a code with parameters, for programs; None where only a sentence was given.
    """

    exit_code = 1
    http_status = 500
    code = "error"

    def __init__(self, message: str | Message, faults: Sequence[Fault] = ()) -> None:
        self.detail = message if isinstance(message, Message) else None
        self.message = message.text if isinstance(message, Message) else message
        super().__init__(self.message)
        self.faults = tuple(faults)


class InputError(PfpsError):
    """A file or request that cannot be read as a roster."""

    exit_code, http_status, code = 2, 400, "unreadable"


class InvalidInput(InputError):
    """The input can be read, but what it says is not valid."""

    http_status, code = 422, "invalid"


class FactError(PfpsError):
    """The dictionary, the evidence ledger, a scenario or the configuration is wrong."""

    exit_code, code = 2, "facts"


class CohortError(PfpsError):
    """A training cohort fails validation; nothing was trained on it."""

    exit_code, code = 2, "cohort"


class MissingLibrary(PfpsError):
    """A Python extra or a system package that this command needs is not installed."""

    exit_code, code = 2, "missing_library"


class BundleError(PfpsError):
    """A released model cannot be used."""

    exit_code, http_status, code = 3, 503, "bundle"


class BundleMissing(BundleError):
    """The bundle, or a file of it, is not there."""

    code = "bundle_missing"


class BundleFormat(BundleError):
    """The bundle is not in the format that this version reads."""

    code = "bundle_format"


class BundleTampered(BundleError):
    """A file's hash is not the one in the manifest."""

    code = "bundle_tampered"


class BundleOutdated(BundleError):
    """The bundle's fields are not those of this version's dictionary."""

    code = "bundle_outdated"


class BundleGolden(BundleError):
    """The bundle does not reproduce its own recorded answers on this machine."""

    code = "bundle_golden"


class ReleaseRefused(BundleError):
    """A candidate falls short of the release gate: nothing was written, and models/CURRENT was not moved."""

    code = "release_refused"


class OutputError(PfpsError):
    """The result cannot be written; whatever was at the destination before is whole."""

    exit_code, code = 4, "output"


class PartlyDone(PfpsError):
    """Some of the work is done and kept; the message, or the manifest that it names, says what is not."""

    exit_code, code = 5, "partly_done"


class ClusterError(PfpsError):
    """The machines that should do the work do not answer."""

    exit_code, http_status, code = 2, 503, "cluster"


__all__ = [
    "BundleError",
    "BundleFormat",
    "BundleGolden",
    "BundleMissing",
    "BundleOutdated",
    "BundleTampered",
    "ClusterError",
    "CohortError",
    "FactError",
    "Fault",
    "InputError",
    "InvalidInput",
    "MissingLibrary",
    "OutputError",
    "PartlyDone",
    "PfpsError",
    "ReleaseRefused",
]
