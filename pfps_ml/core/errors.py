"""Everything that can go wrong, in one tree.

::

    PfpsError                exit  HTTP
    ├── InputError             2    400   a file or request that cannot be read as a roster
    │   ├── InvalidInput       2    422   it can be read, but what it says is not valid
    │   └── TooLarge           2    413   it holds more than is read, or would take too much memory or time
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

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pfps_ml.core.messages import Message, sentence

_SHOWN = 5  # rows that a list of rows names
_NO_PARAMETERS: Mapping[str, Any] = {}  # one for all faults without: a roster may have a million of them


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where it is, what kind it is, and what its sentence names.

    Attributes
    ----------
    row
        The row; 0 is the first below the header. None is the file or the request as a whole.
    fields
        The fields that the fault is about; empty if it is about none.
    code
        The kind of the fault, such as `outside_limits`. Programs decide by it.
    parameters
        JSON values that the sentence names: fields, numbers, levels and names of columns. Never free text or the id
        of a person.
    """

    row: int | None
    fields: tuple[str, ...]
    code: str
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=lambda: _NO_PARAMETERS, hash=False)

    @property
    def field(self) -> str | None:
        """The first field; None if the fault is about none."""
        return self.fields[0] if self.fields else None

    @property
    def text(self) -> str:
        """The sentence in the default language."""
        return sentence(self.code, self.parameters)

    @property
    def line(self) -> str:
        """The sentence with the field before it, as a list of faults shows it."""
        return f"{self.fields[0]}: {self.text}" if self.fields else self.text

    def within(self, code: str, **place: Any) -> "Fault":
        """Return this fault as one of a file among several, which `place` and the sentence of `code` name."""
        part = Message(self.code, self.parameters).as_dict()
        return Fault(self.row, self.fields, code, {**place, "fault": part})

    def as_dict(self) -> dict[str, Any]:
        """Return the shape that the HTTP API answers; `field` and `message` stay for one version."""
        return {
            "row": self.row, "fields": list(self.fields), "field": self.field, "code": self.code,
            "parameters": dict(self.parameters), "text": self.text, "message": self.text,
        }  # fmt: skip


def rows_shown(rows: Sequence[int]) -> str:
    """Return the first of some rows as a person counts them (1 is the first below the header): `3, 4, 7, 8, 9, ...`."""
    return ", ".join(str(row + 1) for row in rows[:_SHOWN]) + (", ..." if len(rows) > _SHOWN else "")


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

    def as_faults(self) -> tuple[Fault, ...]:
        """Return the error itself and its faults, to be named as faults of one file among several."""
        detail = self.detail or Message("explained", {"text": self.message})
        return (Fault(None, (), detail.code, detail.parameters), *self.faults)


class InputError(PfpsError):
    """A file or request that cannot be read as a roster."""

    exit_code, http_status, code = 2, 400, "unreadable"


class InvalidInput(InputError):
    """The input can be read, but what it says is not valid."""

    http_status, code = 422, "invalid"


class TooLarge(InputError):
    """The input holds more than is read, or would take more memory or time than it may."""

    http_status, code = 413, "too_large"


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
    "TooLarge",
    "rows_shown",
]
