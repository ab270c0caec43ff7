"""What happened in a run, in plain words: pipelines yield these records, and `tracking` tells them to MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Param:
    """A choice that the run was made with."""

    name: str
    value: Any


@dataclass(frozen=True)
class Metric:
    """A figure, logged as `name`; its interval, if it has one, as `name_low` and `name_high`."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Artifact:
    """A file or a folder to keep beside the run, under `folder`."""

    path: Path
    folder: str = ""


@dataclass(frozen=True)
class Dataset:
    """A frame that the run read, and what for: its name, digest and column types are logged, and no value of it."""

    name: str
    frame: pd.DataFrame
    digest: str
    context: str


@dataclass(frozen=True)
class Tag:
    """A label by which runs are found."""

    name: str
    value: str


@dataclass(frozen=True)
class Model:
    """A released bundle: logged as a model, registered under `name`, and the version that `alias` now means."""

    bundle_path: Path
    name: str = "pfps"
    alias: str = "champion"


@dataclass(frozen=True)
class Child:
    """A run within the run: a candidate of a comparison. What it records has happened already."""

    name: str
    records: "Sequence[Record]"


Record = Param | Metric | Artifact | Dataset | Tag | Model | Child

__all__ = ["Artifact", "Child", "Dataset", "Metric", "Model", "Param", "Record", "Tag"]
