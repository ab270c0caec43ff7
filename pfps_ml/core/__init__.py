"""The floor of the house: what every room may use, and what imports none of them.

Errors, messages and the types of arrays are so common that they can be imported from here.
"""

from pfps_ml.core.arrays import Bools, Floats, Ints
from pfps_ml.core.errors import (
    BundleError,
    BundleFormat,
    BundleGolden,
    BundleMissing,
    BundleOutdated,
    BundleTampered,
    ClusterError,
    CohortError,
    FactError,
    Fault,
    InputError,
    InvalidInput,
    MissingLibrary,
    OutputError,
    PartlyDone,
    PfpsError,
    ReleaseRefused,
    rows_shown,
)
from pfps_ml.core.messages import Message

__all__ = [
    "Bools",
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
    "Floats",
    "InputError",
    "Ints",
    "InvalidInput",
    "Message",
    "MissingLibrary",
    "OutputError",
    "PartlyDone",
    "PfpsError",
    "ReleaseRefused",
    "rows_shown",
]
