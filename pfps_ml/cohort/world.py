"""The engine of the simulated world: a column is a function, its parameters are its causes.

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
from numpy.typing import NDArray
from scipy.special import ndtri

from pfps_ml.domain.outcomes import OUTCOMES
from pfps_ml.errors import FactError
from pfps_ml.randomness import uniforms

Floats = NDArray[np.float64]
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
        shared = {f"{each.name}_u": partial(self._uniforms, each.column) for each in OUTCOMES}
        own: dict[str, Callable[[], Any]] = {
            **shared,
            "p": lambda: self.parameters,
            "row": self._rows,
            "u": lambda: self._uniforms(column),
            "z": lambda: ndtri(self._uniforms(column)),
            "club_u": lambda: self._club_uniforms(column),
            "club_z": lambda: ndtri(self._club_uniforms(column)),
        }
        if cause in own:
            return own[cause]()
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
    found: dict[str, Column] = {}
    for module in modules:
        # an outcome's columns are named by its declaration, with its horizons
        found |= {name: getattr(module, name) for name in module.__all__} | getattr(module, "OUTCOME_COLUMNS", {})
    return found


__all__ = ["World", "mechanisms"]
