"""The four frames of a cohort on disk: observed apart from the truth, and every evidence draw by itself."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import typer

from pfps_ml.core import InputError, Message
from pfps_ml.domain import ONSET_FIELDS, PATHWAY_FIELDS, check, derive, load_scenario

OBSERVED = ("onset", "treatment")
TRUTH = ("truth_onset", "truth_treatment")
MADE = b"pfps_cohort"  # in the metadata of a simulated frame: the settings that it was simulated with
DATA = Path("data/synthetic")
OUT = Path("out")
MODELS = Path("models")
Home = Annotated[
    Path, typer.Option("--home", metavar="DIR", help="Where data/synthetic, out, models and mlruns are; or here.")
]


@dataclass(frozen=True)
class Frames:
    """A cohort as files hold it; the truth and how it was made are there only for a simulated one.

    The frames hold one world: the point values of the evidence, where there are draws beside it. The draws stay on
    disk, in `folder`, and are read one at a time. Learning never reads the truth.
    """

    onset: pd.DataFrame
    treatment: pd.DataFrame
    truth_onset: pd.DataFrame | None = None
    truth_treatment: pd.DataFrame | None = None
    made: dict[str, Any] | None = None
    folder: Path | None = None
    draws: tuple[int, ...] = ()

    def draw(self, name: str, number: int) -> pd.DataFrame:
        """Read an observed frame as one draw of the evidence makes it."""
        return _read(Path(self.folder or "") / f"{name}.parquet", number)


def read_frames(folder: Path, truth: bool = False) -> Frames:
    """Read the observed frames, and the truth only where it is asked for and there.

    Where a file holds several evidence draws, the first (the point values) is read, and the others are named.

    Raises
    ------
    InputError
        If a frame is not there or is no Parquet file, or the frames hold different draws.
    """
    names = [*OBSERVED, *(name for name in TRUTH if truth and (folder / f"{name}.parquet").exists())]
    draws = {name: _draws(folder / f"{name}.parquet") for name in names}
    if len(set(draws.values())) > 1:
        raise InputError(Message("frames_of_other_draws", {"folder": str(folder)}))
    first, *others = draws["onset"] or (None,)
    frames = {name: _read(folder / f"{name}.parquet", first) for name in names}
    made = (pads.dataset(folder / "onset.parquet").schema.metadata or {}).get(MADE)
    return Frames(**frames, made=json.loads(made) if made else None, folder=folder, draws=tuple(others))


def scenario_of(frames: Frames, wanted: str | None = None) -> str | None:
    """Return the scenario that frames were simulated from, as somebody wants or as they say; None of a real cohort.

    Raises
    ------
    FactError
        If there is no such scenario.
    """
    name = wanted or (frames.made or {}).get("scenario")
    return load_scenario(name).name if name else None


def is_simulated(folder: Path) -> bool:
    """Return whether a folder has the two observed frames of a cohort, as `pfps simulate` writes them."""
    return all((folder / f"{name}.parquet").exists() for name in OBSERVED)


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame's fields as numbers and level codes, derived fields included; contradictions stay as they are."""
    return derive(check(frame, contradictions=False).values)


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


def _draws(path: Path) -> tuple[int, ...]:
    """Return the numbers of the draws that a file holds; none for a cohort that knows no draws."""
    try:
        if "draw" not in pads.dataset(path).schema.names:  # a file, or a folder of parts
            return ()
        return tuple(sorted(pq.read_table(path, columns=["draw"])["draw"].unique().to_pylist()))
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error


def _read(path: Path, draw: int | None) -> pd.DataFrame:
    try:
        # a draw lies in row groups of its own, so the others are not read
        return pd.read_parquet(path, filters=None if draw is None else [("draw", "==", draw)])
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> InputError:
    return InputError(Message("frame_not_there", {"path": str(path)}))


__all__ = [
    "DATA", "MADE", "MODELS", "OBSERVED", "OUT", "TRUTH", "Frames", "Home", "coded", "data_digest", "is_simulated",
    "onset_features", "pathway_features", "read_frames", "scenario_of",
]  # fmt: skip
