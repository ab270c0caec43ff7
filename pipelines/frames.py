"""The four frames of a cohort on disk: observed apart from the truth."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from pfps_ml.errors import InputError
from pfps_ml.knowledge.checker import check, derive
from pfps_ml.knowledge.dictionary import ONSET_FIELDS, PATHWAY_FIELDS

OBSERVED = ("onset", "treatment")
TRUTH = ("truth_onset", "truth_treatment")
MADE = b"pfps_cohort"  # in the metadata of a simulated frame: the settings that it was simulated with
DATA = Path("data/synthetic")
OUT = Path("out")


@dataclass(frozen=True)
class Frames:
    """A cohort as files hold it; the truth and how it was made are there only for a simulated one.

    Learning never reads the truth.
    """

    onset: pd.DataFrame
    treatment: pd.DataFrame
    truth_onset: pd.DataFrame | None = None
    truth_treatment: pd.DataFrame | None = None
    made: dict[str, Any] | None = None


def read_frames(folder: Path, truth: bool = False) -> Frames:
    """Read the observed frames, and the truth only where it is asked for and there.

    Raises
    ------
    InputError
        If a frame is not there or is no Parquet file.
    """
    found = {name: _read(folder / f"{name}.parquet") for name in OBSERVED}
    if truth:
        found |= {name: _read(folder / f"{name}.parquet") for name in TRUTH if (folder / f"{name}.parquet").exists()}
    made = (pq.read_schema(folder / "onset.parquet").metadata or {}).get(MADE)
    return Frames(**found, made=json.loads(made) if made else None)


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame's fields as numbers and level codes, derived fields included."""
    return derive(check(frame).values)


def onset_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the onset model may read."""
    return coded(frame)[list(ONSET_FIELDS)]


def pathway_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the pathway models may read."""
    return coded(frame)[list(PATHWAY_FIELDS)]


def data_digest(frame: pd.DataFrame) -> str:
    """Return the digest of a frame's content: which data a model was made from, without any of it."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashlib.sha256(rows.tobytes() + repr(list(frame.columns)).encode()).hexdigest()


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a Parquet frame at {path}, but it cannot be read; make one with `python -m pipelines.simulate`"
        ) from error


__all__ = ["DATA", "MADE", "OUT", "Frames", "coded", "data_digest", "onset_features", "pathway_features", "read_frames"]
