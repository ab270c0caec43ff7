"""The floor of the house: what every room may use, and what imports none of them.

What most rooms use is imported from here: errors, messages, types of arrays, numbers, choices, randomness, whole files.
"""

from numpy.typing import ArrayLike, NDArray

from pfps_ml.core.atomic_output import (
    GO_ON,
    append_lines,
    check_apart,
    check_output,
    check_room,
    destination,
    explained,
    locked_record,
    made_folder,
    mend_record,
    result_folder,
    rewrite_record,
    write_whole,
    written_whole,
)
from pfps_ml.core.config import (
    CohortConfig,
    Config,
    EvaluationConfig,
    OnsetConfig,
    PathwayConfig,
    ProductConfig,
    RecalibrationConfig,
    ReleaseConfig,
    SplitConfig,
    TrainingConfig,
    ValidationConfig,
    load_config,
)
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
    TooLarge,
    rows_shown,
)
from pfps_ml.core.logistic import RIDGE, expit, fit_logistic, fit_path, logit, spline
from pfps_ml.core.messages import Message, sentence
from pfps_ml.core.numbers import (
    ABSOLUTE,
    DIGITS,
    LEVEL,
    RELATIVE,
    SHOWN,
    Bools,
    Floats,
    Ints,
    at_least,
    csv_text,
    distinct,
    generator,
    normal_quantile,
    percent,
    rounded,
    same,
    student_quantile,
    uniforms,
)
from pfps_ml.core.records import Artifact, Child, Dataset, Metric, Model, Param, Record, Tag

__all__ = [
    "ABSOLUTE", "DIGITS", "GO_ON", "LEVEL", "RELATIVE", "RIDGE", "SHOWN", "ArrayLike", "Artifact", "Bools",
    "BundleError", "BundleFormat", "BundleGolden", "BundleMissing", "BundleOutdated", "BundleTampered", "Child",
    "ClusterError", "CohortConfig", "CohortError", "Config", "Dataset", "EvaluationConfig", "FactError", "Fault",
    "Floats", "InputError", "Ints", "InvalidInput", "Message", "Metric", "MissingLibrary", "Model", "NDArray",
    "OnsetConfig", "OutputError", "Param", "PartlyDone", "PathwayConfig", "PfpsError", "ProductConfig",
    "RecalibrationConfig", "Record", "ReleaseConfig", "ReleaseRefused", "SplitConfig", "Tag", "TooLarge",
    "TrainingConfig", "ValidationConfig", "append_lines", "at_least", "check_apart", "check_output", "check_room",
    "csv_text", "destination", "distinct", "expit", "explained", "fit_logistic", "fit_path", "generator",
    "load_config", "locked_record", "logit", "made_folder", "mend_record", "normal_quantile", "percent",
    "result_folder", "rewrite_record", "rounded", "rows_shown", "same", "sentence", "spline", "student_quantile",
    "uniforms", "write_whole", "written_whole",
]  # fmt: skip
