"""The reference of a bundle: what the training data looked like, and what an assessment reads from it.

It says what to measure next (how far the risk would move, on average, if a missing field were measured), and whether
patients like this one were given each pathway at all (overlap, from the bundle's propensity tables).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, BundleError, BundleFormat, Floats, Message, NDArray, ProductConfig
from pfps_ml.domain import BY_NAME, LINKS
from pfps_ml.model.additive import AdditiveModel, Pair, codes
from pfps_ml.model.spline_basis import PropensityModel, propensity_from_json, propensity_to_json

SMALLEST = 5  # people: fewer are not described
_DECIMALS = 8
_FIGURES = (("base_rate",), ("bands", "low_below"), ("bands", "high_from"))
_NAMED = 5  # faults in one message
_FINITE = 1e300


def build_reference(
    runners: pd.DataFrame, patients: pd.DataFrame, risk: Floats, base_rate: float, config: ProductConfig,
    of_people: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Describe the training data of a bundle.

    Of people, every value is the mean of at least `SMALLEST` of them, so that it is no single person's; levels and
    groups of age and sex with fewer are joined, and nobody is counted.

    Parameters
    ----------
    runners, patients
        Coded training rows, derived fields included; fields only seen in patients are described from them.
    risk
        Predicted risk of every runner, shape (runners,).
    base_rate
        Observed share of runners with a new episode; the bands are multiples of it.
    of_people
        Whether the rows are of people, and not simulated.
    """
    describe = _describe_people if of_people else _describe
    columns = {**{name: patients[name] for name in patients}, **{name: runners[name] for name in runners}}
    return {
        "base_rate": round(base_rate, _DECIMALS),
        "bands": {
            "low_below": round(config.low_band_below * base_rate, _DECIMALS),
            "high_from": round(config.high_band_from * base_rate, _DECIMALS),
            "assumption": "multiples of the base rate of the training data; not evidence",
        },
        "averages": _averages(runners, risk, config.age_edges, of_people),
        "fields": {name: describe(columns[name], config) for name in sorted(map(str, columns))},
    }


def check_reference(content: Any, read: Iterable[str]) -> None:
    """Refuse a reference from which some runner could not be assessed.

    Parameters
    ----------
    content
        What reference.json holds.
    read
        The fields that the onset model reads.

    Raises
    ------
    BundleFormat
        Naming what is missing or is no number: thresholds, an age and sex without an average, a field.
    """
    if faults := list(_unusable(content, read)):
        more = "reference_unreadable_and_more" if len(faults) > _NAMED else "reference_unreadable"
        raise BundleFormat(Message(more, {"faults": faults[:_NAMED]}))


def average(runner: Mapping[str, float], reference: Mapping[str, Any]) -> float:
    """Return the expected risk of a runner of that age and sex in the training data."""
    age, sex = float(runner["age_years"]), BY_NAME["sex"].levels[int(runner["sex"])]
    return next(
        float(cell["risk"])
        for cell in reference["averages"]
        if cell["sex"] == sex and cell["age_from"] <= age < cell["age_below"]
    )


def _unusable(content: Any, read: Iterable[str]) -> Iterator[str]:
    yield from (".".join(path) for path in _FIGURES if not _is_number(_at(content, *path)))
    if not _covers_everybody(_at(content, "averages")):
        yield "averages"
    fields = _at(content, "fields")
    described = fields if isinstance(fields, dict) else {}
    yield from (f"fields.{name}" for name in sorted({*described, *read}) if not _is_described(name, described))


def _covers_everybody(cells: Any) -> bool:
    """Return whether there is one average at least for each sex at every age that the dictionary allows."""
    sexes, age = BY_NAME["sex"].levels, BY_NAME["age_years"]
    numbers = ("age_from", "age_below", "risk")
    if not isinstance(cells, list) or not all(_at(cell, "sex") in sexes for cell in cells):
        return False
    if not all(_is_number(_at(cell, name)) for cell in cells for name in numbers):
        return False
    reached = dict.fromkeys(sexes, age.low)
    for cell in sorted(cells, key=lambda cell: float(cell["age_from"])):
        if cell["age_from"] <= reached[cell["sex"]]:
            reached[cell["sex"]] = max(reached[cell["sex"]], cell["age_below"])
    return all(end > age.high for end in reached.values())


def _is_described(name: str, fields: Mapping[str, Any]) -> bool:
    field, about = BY_NAME.get(name), fields.get(name)
    lists = [_at(about, key) for key in ("values", "shares")]
    if field is None or not all(isinstance(numbers, list) and all(map(_is_number, numbers)) for numbers in lists):
        return False
    seen = field.levels or all(_is_number(_at(about, end)) for end in ("low", "high"))
    return bool(seen) and len(lists[0]) == len(lists[1])


def _at(content: Any, *path: str) -> Any:
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and -_FINITE < value < _FINITE


def _averages(runners: pd.DataFrame, risk: Floats, edges: tuple[int, ...], of_people: bool) -> list[dict[str, Any]]:
    cells, fewest, everybody = [], SMALLEST if of_people else 1, np.ones(len(risk), dtype=bool)
    for code, sex in enumerate(BY_NAME["sex"].levels):
        of_sex = (runners["sex"] == code).to_numpy()
        for low, high in pairwise(edges):
            inside = of_sex & runners["age_years"].between(low, high, inclusive="left").to_numpy()
            # a cell with too few answers with its sex, a sex with too few with everybody: never an invented number
            rows = next((peers for peers in (inside, of_sex) if peers.sum() >= fewest), everybody)
            cell = {"sex": sex, "age_from": low, "age_below": high, "risk": round(float(risk[rows].mean()), _DECIMALS)}
            # by the counts of the others, and their means, those of a small cell would be known
            cells.append(cell if of_people else {**cell, "n": int(inside.sum())})
    return cells


def _describe(column: pd.Series, config: ProductConfig) -> dict[str, Any]:
    """Describe one field: the range outside which a value is unusual, and its values with their shares."""
    field, known = BY_NAME[str(column.name)], column.dropna()
    measured = round(float(column.notna().mean()), _DECIMALS)
    if field.levels:
        shares = [float((known == code).mean()) if len(known) else 0.0 for code in range(len(field.levels))]
        values = [float(code) for code in range(len(field.levels))]
        return {"measured": measured, "values": values, "shares": np.round(shares, _DECIMALS).tolist()}
    if not len(known):
        return {"measured": 0.0, "values": [], "shares": [], "low": field.low, "high": field.high}
    count = config.reference_quantiles
    values = known.quantile((np.arange(count) + 0.5) / count).round(_DECIMALS).tolist()
    low, high = known.quantile([config.unusual, 1 - config.unusual]).round(_DECIMALS)
    return {"measured": measured, "values": values, "shares": [1 / count] * count, "low": low, "high": high}


def _describe_people(column: pd.Series, config: ProductConfig) -> dict[str, Any]:
    """Describe one field as `_describe` does, but of fewer than SMALLEST people nothing."""
    field, known = BY_NAME[str(column.name)], np.sort(column.dropna().to_numpy(dtype=float))
    if field.levels:
        counts = np.bincount(known.astype(int), minlength=len(field.levels))
        counts[counts < SMALLEST] = 0
        values, shares = [float(code) for code in range(len(counts))], counts / max(counts.sum(), 1)
        measured = round(float(counts.sum() / len(column)), _DECIMALS)
        return {"measured": measured, "values": values, "shares": shares.round(_DECIMALS).tolist()}
    if len(known) < SMALLEST:
        return {"measured": 0.0, "values": [], "shares": [], "low": field.low, "high": field.high}
    groups = np.array_split(known, min(config.reference_quantiles, len(known) // SMALLEST))
    means = [round(float(group.mean()), 0 if field.kind == "whole" else _DECIMALS) for group in groups]
    shares = np.array([len(group) for group in groups]) / len(known)
    wanted = max(SMALLEST, round(2 * config.unusual * len(known)))
    low, high = (round(float(_outermost(group, wanted).mean()), _DECIMALS) for group in (groups[0], groups[-1][::-1]))
    measured = round(len(known) / len(column), _DECIMALS)
    return {"measured": measured, "values": means, "shares": shares.round(_DECIMALS).tolist(), "low": low, "high": high}


def _outermost(group: Floats, wanted: int) -> Floats:
    """Return the first of a group, or all of it where the remainder would be smaller than `SMALLEST` people."""
    return group[:wanted] if len(group) - wanted >= SMALLEST else group


KEY = "propensity"  # in reference.json


@dataclass(frozen=True)
class Overlap:
    """How the clinics of the training data chose, and the chance of an arm below which it is outside overlap."""

    model: PropensityModel
    floor: float

    def outside(self, columns: Mapping[str, Floats], patients: Bools, eligible: Bools) -> Bools:
        """Return which arms that are open to a patient were hardly ever given to the like, shape (arms, rows)."""
        if patients.all():
            chance = self.model.chances(columns).T
            return np.asarray((chance < self.floor) & eligible)
        outside = np.zeros(eligible.shape, dtype=bool)
        if patients.any():
            chance = self.model.chances({name: column[patients] for name, column in columns.items()}).T
            outside[:, patients] = (chance < self.floor) & eligible[:, patients]
        return outside


def overlap_to_json(model: PropensityModel, floor: float) -> dict[str, Any]:
    """Return the overlap part of reference.json."""
    return {"floor": floor, "states": propensity_to_json(model)}


def overlap_of(reference: Mapping[str, Any], arms: Sequence[str]) -> Overlap | None:
    """Build the overlap of a bundle with these arms; None if it was made before bundles knew it.

    Raises
    ------
    BundleFormat
        If it is of another shape.
    """
    if KEY not in reference:
        return None
    try:
        content = reference[KEY]
        floor, model = float(content["floor"]), propensity_from_json(content["states"], arms)
    except (BundleError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BundleFormat(Message("propensities_of_other_shape")) from error
    return Overlap(model, floor)


Places = NDArray[np.intp]
_CELLS = 2048  # missing values whose expectations are taken together
_STEEPEST = 200.0  # log-odds beyond which a chance is 0 or 1: a product of a few such odds is a number still


@dataclass(frozen=True)
class PairGain:
    """What a value of a missing field does through a pair: a factor of the odds against, by the partner's bin."""

    at: int
    partner: str
    cuts: Floats
    factors: Floats


@dataclass(frozen=True)
class GainTables:
    """What would be learnt by measuring a field: over the values that the training data hold for it.

    Attributes
    ----------
    fields
        The fields that the risk reads.
    factors
        By what each value multiplies exp(-margin), the odds against an episode under the logit, beside "missing";
        shape (values, fields).
    shares
        How often each value is met, shape (values, fields).
    pairs
        What depends on the value of another field, too.
    """

    fields: tuple[str, ...]
    factors: Floats
    shares: Floats
    pairs: tuple[PairGain, ...]
    link: str = "logit"

    def value_of_information(self, columns: Mapping[str, Floats], log_odds: Floats, risk: Floats) -> Floats:
        """Return the expected absolute change of each risk (percentage points) if a field were measured.

        The shape is (fields, rows); 0 where the field is known already.
        """
        missing = np.isnan(np.array([columns[name] for name in self.fields]))
        at, row = np.nonzero(missing)
        against = np.exp(-np.clip(log_odds, -_STEEPEST, _STEEPEST))
        change = np.empty(len(at))
        for start in range(0, len(at), _CELLS):
            part = slice(start, start + _CELLS)
            change[part] = self._changes(columns, at[part], row[part], (against, risk))
        changes = np.zeros(missing.shape)
        changes[missing] = 100 * change
        return changes

    def _changes(self, columns: Mapping[str, Floats], at: Places, row: Places, now: tuple[Floats, Floats]) -> Floats:
        """Return the expected absolute changes of the risk, by field and row, from all odds against and risks now."""
        against, risk = now[0].take(row), now[1].take(row)
        odds = against * self.factors.take(at, axis=1)
        with np.errstate(over="ignore"):
            for pair in self.pairs:
                which = np.flatnonzero(at == pair.at)
                partner = codes(columns[pair.partner].take(row.take(which)), pair.cuts)
                odds[:, which] *= pair.factors.take(partner, axis=1)
            chance = LINKS[self.link].of_odds(odds)
        changes = self.shares.take(at, axis=1) * np.abs(chance - risk)
        total = np.zeros(len(at))
        for change in changes:  # one after another: a reduction of a single one has another order
            total += change
        return total


def gain_tables(onset: AdditiveModel, described: Mapping[str, Any]) -> GainTables:
    """Prepare what `measure next` reads.

    Parameters
    ----------
    onset
        The risk model; its first member counts.
    described
        The reference's fields: the values of each, and their shares.
    """
    main, most = onset.member(0), max((len(about["values"]) for about in described.values()), default=0)
    factors, shares = (np.full((most, len(main.fields)), blank) for blank in (1.0, 0.0))
    pairs = []
    for at, name in enumerate(main.fields):
        values = np.array([*described[name]["values"], np.nan])
        shares[: len(values) - 1, at] = described[name]["shares"]
        reading = [term for term in main.terms if name in term.fields]
        single = [term.evaluate({name: values})[:, 0] for term in reading if not isinstance(term, Pair)]
        factors[: len(values) - 1, at] = _against(np.sum([np.zeros(len(values)), *single], axis=0))
        for term in reading:
            if isinstance(term, Pair):
                side = term.fields.index(name)
                table = np.moveaxis(term.values[..., 0], side, 0)[codes(values, term.cuts[side])]
                padded = np.ones((most, table.shape[1]))
                padded[: len(values) - 1] = _against(table)
                pairs.append(PairGain(at, term.fields[1 - side], term.cuts[1 - side], padded))
    return GainTables(main.fields, factors, shares, tuple(pairs), main.link)


def _against(values: Floats) -> Floats:
    """Return what the odds against are multiplied with by each value instead of the last one, "missing"."""
    factors: Floats = np.exp(np.clip(values[-1] - values[:-1], -_STEEPEST, _STEEPEST))
    return factors


__all__ = [
    "KEY", "SMALLEST", "GainTables", "Overlap", "PairGain", "average", "build_reference", "check_reference",
    "gain_tables", "overlap_of", "overlap_to_json",
]  # fmt: skip
