"""What the tests of real cohorts share: a small cohort as a file, spoilt in one way at a time."""

import pandas as pd

from pfps_ml.domain.dictionary import ONSET, SUCCESS
from pfps_ml.io.study_data import Columns, read_cohort

CASE, DONE = ONSET.column, SUCCESS.column


def cohort_frame(rows=300, cases=30):
    """Return made-up runners in six clubs; every so-manieth is a case, whatever their fields are."""
    at = pd.Series(range(rows))
    return pd.DataFrame({
        "runner_id": "R-" + at.astype(str), "club": "Club " + (at % 6).astype(str), "age_years": 18 + at * 7 % 40,
        "sex": ["female", "male"] * (rows // 2), "height_cm": 160 + at * 3 % 31, "weight_kg": 50 + at * 11 % 37,
        "weekly_distance_km": 10 + at * 13 % 53, "sessions_per_week": 1 + at * 5 % 6,
        "running_experience_years": at * 17 % 23, "prior_pfps": ["no", "no", "yes"] * (rows // 3),
        "step_rate_spm": 150 + at * 19 % 41, "knee_extension_nm_kg": 1.5 + at * 29 % 97 / 50,
        "season": 2020 + at * 37 % 101 % 3,
        CASE: (at * 31 % rows < cases).astype(int),
    })  # fmt: skip


def patients_frame(rows=300, successes=120):
    """Return made-up patients in six clinics with three arms; every so-manieth is a success, whatever they had."""
    at = pd.Series(range(rows))
    return cohort_frame(rows, 0).drop(columns=CASE).assign(
        worst_pain_mm=at * 23 % 101, symptom_duration_months=1 + at * 41 % 60, bilateral=["no", "yes"] * (rows // 2),
        arm=["usual_care", "hip", "orthotic"] * (rows // 3), **{DONE: (at * 31 % rows < successes).astype(int)},
    )  # fmt: skip


def written(folder, frame, name="cohort.csv"):
    """Write a frame as a file."""
    path = folder / name
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path, index=False)
    return path


def cohort_of(folder, frame=None, name="cohort.csv", **columns):
    """Write a frame and read it as a cohort."""
    return read_cohort(written(folder, cohort_frame() if frame is None else frame, name), Columns(**columns))
