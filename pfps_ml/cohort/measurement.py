"""What a club sees of the world: values with retest error, rounded, and missing where nobody measured."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from pfps_ml.cohort.world import World
from pfps_ml.knowledge.field import Field
from pfps_ml.randomness import uniforms

_ABLE = {"log": "runner_keeps_log", "field test": "club_tests_feet", "dynamometry": "club_owns_dynamometer"}
# known of everybody: without these there is no row, or the row is not in the frame at all
_ALWAYS = ("current_knee_pain",)


def observe(world: World, fields: tuple[Field, ...]) -> pd.DataFrame:
    """Return the frame that a club would hand over: typed as the dictionary says, missing where not obtained."""
    return pd.DataFrame({field.name: _column(world, field) for field in fields if field.kind != "text"})


def _column(world: World, field: Field) -> pd.Series:
    values = np.asarray(world.column(field.name), dtype=float)
    seen = _seen(world, field)
    if field.kind == "choice":
        levels = np.array(field.levels, dtype=object)[values.astype(int)]
        return pd.Series(np.where(seen, levels, None), dtype="str")
    error = getattr(world.parameters, f"error_{field.name}", 0.0)
    if error:
        values = values + error * ndtri(_noise(world, f"error/{field.name}"))
    rounded = np.clip(np.round(values, field.decimals), field.low, field.high)
    return pd.Series(np.where(seen, rounded, np.nan))


def _seen(world: World, field: Field) -> NDArray[np.bool_]:
    """Return whether anybody obtained the value; equipment belongs to the club and says nothing about its risk."""
    if field.required or field.name in _ALWAYS:
        return np.ones(world.stop - world.start, dtype=bool)
    p = world.parameters
    lost = p.missed_test if field.obtained in ("field test", "dynamometry") else p.skipped_answer
    kept = _noise(world, f"missing/{field.name}") >= lost
    able = np.asarray(world.column(_ABLE[field.obtained]), dtype=bool) if field.obtained in _ABLE else True
    return np.asarray(kept & able, dtype=bool)


def _noise(world: World, name: str) -> NDArray[np.float64]:
    return uniforms(world.seed, f"{world.population}/{name}", world.start, world.stop)


__all__ = ["observe"]
