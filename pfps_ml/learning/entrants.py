"""What takes part in a comparison: a named maker of an unfitted estimator, ours, a peer, or a researcher's own."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.messages import Message
from pfps_ml.errors import FactError, MissingLibrary, PfpsError

OURS = "ours"


@dataclass(frozen=True)
class Entrant:
    """A candidate of a comparison: its short name, what it is, how to make one, and the libraries that it needs."""

    name: str
    label: str
    make: Callable[[], Any]
    needs: tuple[str, ...] = ()


def own_entrant(address: str, predicts: str) -> Entrant:
    """Return a researcher's own candidate.

    Parameters
    ----------
    address
        `package.module:factory`; the factory is called without arguments and returns an unfitted estimator.
    predicts
        What the estimator must be able to do beside `fit`.

    Raises
    ------
    FactError
        If there is no such module or name, it cannot be called, or what it returns is no such estimator.
    """
    module, _, name = address.partition(":")
    if not module or not name:
        raise FactError(Message("candidate_address", {"address": repr(address)}))
    try:
        home = import_module(module)
    except Exception as error:
        raise FactError(
            Message("candidate_module_not_imported", {"module": module, "address": address, "cause": _said(error)})
        ) from error
    if not hasattr(home, name):
        raise FactError(Message("candidate_name_not_there", {"name": name, "module": module}))
    factory = getattr(home, name)
    if not callable(factory):
        raise FactError(Message("candidate_not_callable", {"address": address}))
    _expect_estimator(address, factory, predicts)
    return Entrant(address, address, factory)


def check_libraries(entrants: Iterable[Entrant]) -> None:
    """Refuse, before any work, what cannot be run.

    Raises
    ------
    MissingLibrary
        If a library that a candidate needs is not installed; all of them at once.
    """
    lacking = {name: entrant.label for entrant in entrants for name in entrant.needs if find_spec(name) is None}
    if lacking:
        told = ", ".join(f"{name} (for {label})" for name, label in lacking.items())
        raise MissingLibrary(
            Message("candidate_libraries_missing", {"libraries": told})
        )  # fmt: skip


def fit_entrant(model: Any, *data: Any, club: pd.Series, fold: NDArray[np.int64]) -> Any:
    """Fit an unfitted candidate on its data (X, y or X, arm, y); clubs and folds go to those whose `fit` takes them."""
    taken = signature(model.fit).parameters
    known = {name: value for name, value in (("club", club), ("fold", fold)) if name in taken}
    with quiet():
        return model.fit(*data, **known)


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Say which candidate failed where it is a researcher's own; a failure of one of ours is ours to mend.

    Raises
    ------
    FactError
        If a researcher's own candidate fails in any way.
    """
    try:
        yield
    except Exception as error:
        if ":" not in name or isinstance(error, PfpsError):
            raise
        raise FactError(Message("candidate_failed", {"candidate": name, "cause": _said(error)})) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Run on one thread, so that nothing depends on their number, and without other libraries' warnings."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _expect_estimator(address: str, factory: Callable[[], Any], predicts: str) -> None:
    try:
        made = factory()
    except Exception as error:
        raise FactError(Message("candidate_refused", {"address": address, "cause": _said(error)})) from error
    lacking = [method for method in ("fit", predicts) if not callable(getattr(made, method, None))]
    if lacking:
        raise FactError(
            Message("candidate_lacks_methods", {"address": address, "method": predicts, "methods": lacking})
        )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


__all__ = ["OURS", "Entrant", "blamed", "check_libraries", "fit_entrant", "own_entrant", "quiet"]
