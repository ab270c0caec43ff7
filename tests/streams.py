"""What the tests of streams share: rosters of many pieces, and what is left in a folder."""

import hashlib

import pyarrow as pa

from pfps_ml.batch.stream import RunOptions
from pfps_ml.core.config import CohortConfig
from pfps_ml.io.readers import Size
from pfps_ml.simulation.cohort import simulate_onset

SMALL = Size(rows=100, characters=9_000)  # some ten pieces of a thousand rows


def run_options(workers=1, chunk=64, size=SMALL):
    return RunOptions(workers, chunk, size)


def runners_of(start, end):
    return simulate_onset(CohortConfig(), start, end).observed


def runners(rows=1_000):
    """Return simulated runners, some of whom no model should score."""
    frame = runners_of(0, rows)
    frame.loc[[3, 500 % rows], "age_years"] = 255
    frame.loc[7, "sex"] = "unknown"
    frame.loc[[1, rows - 2], "runner_id"] = "R-shared"
    return frame


def written(frame, path, **options):
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, **options)
    return path


def digest_of_piece(piece):
    """Return the digest of some runners of the default cohort."""
    # it stands in this module because a process that is asked for it imports the module, and this one is light
    return hashlib.sha256(runners_of(*piece).to_csv().encode()).hexdigest()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def table(**columns):
    count = len(next(iter(columns.values())))
    required = {"runner_id": [f"R-{i}" for i in range(count)], "age_years": [30.0] * count, "sex": ["male"] * count}
    return pa.table({**required, **columns})
