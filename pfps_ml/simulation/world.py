"""What a club sees of the world: values with retest error, rounded, and missing where nobody measured.

The engine of the simulated world: a column is a function, its parameters are its causes.

`z` and `u` are the column's own standard normal and uniform stream, `z5` five normals of its own, `club_z` and
`club_u` those shared by a club, `row` the row number, `p` the scenario's parameters; every other parameter is another
column. Because each column has a stream of its own, setting one (`do`) changes its descendants and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from pfps_ml.core import FactError, Floats, NDArray, uniforms
from pfps_ml.domain import OUTCOMES, Field

Column = Callable[..., Any]


@dataclass
class World:
    """Rows `start` to `stop` of one population ("runner", "patient") under one set of parameters.

    Attributes
    ----------
    population
        Prefix of the random streams: two populations never share a number.
    do
        Columns that are set from outside, as in a trial: a value for every row.
    columns
        The columns computed so far.
    """

    seed: int
    population: str
    start: int
    stop: int
    parameters: SimpleNamespace
    rows_per_club: int
    functions: Mapping[str, Column]
    do: Mapping[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> Any:
        """Return a column of the world, computing it and its causes once."""
        if name not in self.columns:
            if name in self.do:
                self.columns[name] = np.full(self.stop - self.start, self.do[name])
            elif name in self.functions:
                function = self.functions[name]
                causes = {cause: self._cause(name, cause) for cause in signature(function).parameters}
                self.columns[name] = function(**causes)
            else:
                raise FactError(f"the simulated world has no column {name!r}")
        return self.columns[name]

    def _cause(self, column: str, cause: str) -> Any:
        # what happens at any horizon is decided by one number of each row, the one of the main horizon
        shared = {f"{outcome.name}_u": partial(self._uniforms, outcome.column) for outcome in OUTCOMES}
        producers: dict[str, Callable[[], Any]] = {
            **shared,
            "p": lambda: self.parameters,
            "row": self._rows,
            "u": lambda: self._uniforms(column),
            "z": lambda: ndtri(self._uniforms(column)),
            "club_u": lambda: self._club_uniforms(column),
            "club_z": lambda: ndtri(self._club_uniforms(column)),
        }
        if cause in producers:
            return producers[cause]()
        if cause[0] == "z" and cause[1:].isdigit():
            streams = range(int(cause[1:]))
            return np.column_stack([ndtri(self._uniforms(f"{column}/{stream}")) for stream in streams])
        return self.column(cause)

    def _rows(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.stop)

    def _uniforms(self, column: str) -> Floats:
        return uniforms(self.seed, f"{self.population}/{column}", self.start, self.stop)

    def _club_uniforms(self, column: str) -> Floats:
        clubs = self._rows() // self.rows_per_club
        if not len(clubs):
            return np.zeros(0)
        first = int(clubs[0])
        # runners and patients of club 7 belong to the same club 7
        shared = uniforms(self.seed, f"club/{column}", first, int(clubs[-1]) + 1)
        return shared[clubs - first]


def mechanisms(modules: Iterable[ModuleType]) -> dict[str, Column]:
    """Return the columns that some modules of mechanisms define, by name."""
    columns: dict[str, Column] = {}
    for module in modules:
        # an outcome's columns are named by its declaration, with its horizons
        columns |= {name: getattr(module, name) for name in module.__all__} | getattr(module, "OUTCOME_COLUMNS", {})
    return columns


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
    missing_chance = p.missed_test if field.obtained in ("field test", "dynamometry") else p.skipped_answer
    observed = _noise(world, f"missing/{field.name}") >= missing_chance
    able = np.asarray(world.column(_ABLE[field.obtained]), dtype=bool) if field.obtained in _ABLE else True
    return np.asarray(observed & able, dtype=bool)


def _noise(world: World, name: str) -> NDArray[np.float64]:
    return uniforms(world.seed, f"{world.population}/{name}", world.start, world.stop)


__all__ = ["World", "mechanisms", "observe"]
