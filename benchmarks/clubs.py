"""Simulated clubs, and cohorts of several, in which a bundle is recalibrated (see `benchmarks.recalibration`)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.intervals import risk_given_observed
from pfps_ml.core import CohortConfig, Floats, RecalibrationConfig, expit, generator, logit
from pfps_ml.domain import ONSET, ONSET_FIELDS, complete
from pfps_ml.evaluation.metrics import excess_log_loss
from pfps_ml.evaluation.verdict import rows_for_ratio
from pfps_ml.model import Bundle, Interval
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.training.posterior_update import closed_test, gaussian_update
from pfps_ml.training.update_basis import OnsetDecomposition, onset_decomposition
from pfps_ml.workflows.frames import coded
from pfps_ml.workflows.recalibrate import club_sd

CLUBS = 200
SEED = 700_000  # of the first club
SITES = (0.0, 0.2, 0.5)  # standard deviation of the clubs' log-odds, beside what the evidence leaves open
SHIFTS = (1.0, 0.5, 2.0)  # of the odds
EXACT = 0.0  # in place of a shift: the bundle is right, so that whatever is changed is changed for the worse
SIZES = (100, 200, 300, 1000, 3000)
STATED = 0  # in place of a size: the number of runners that the product states
_POOL, _JUDGED = 12_000, 4_000  # runners of a club that updates are made on, and judged on
_WIDTH = 0.2  # of the interval of observed/expected at the stated number
PER_CLUB = (100, 500)  # runners of each of several clubs
_SETTINGS = RecalibrationConfig()


@dataclass(frozen=True)
class Club:
    """A simulated club before anything is shifted.

    Attributes
    ----------
    seed
        Of its world.
    pool, judged
        The runners that updates are made on, and judged on.
    risk, judged_risk
        Log-odds of their true risks.
    seen
        Log-odds of the risk of those judged, given what was observed of them: what an interval is to hold.
    """

    seed: int
    pool: OnsetDecomposition
    judged: OnsetDecomposition
    risk: Floats
    judged_risk: Floats
    seen: Floats


@dataclass(frozen=True)
class Case:
    """What a club is put through: spread of its site term, factor on the odds (or EXACT), runners (or STATED)."""

    site: float
    odds: float
    size: int


CASES = tuple(Case(*kind, size) for kind in ((0.0, EXACT), *product(SITES, SHIFTS)) for size in (*SIZES, STATED))


def clubs(bundle: Bundle, seed: int, count: int) -> Iterator[Club]:
    """Yield freshly simulated clubs; every runner is of another team, so that no site term is in them yet."""
    for at in range(seed, seed + count):
        config = CohortConfig(scenario=_scenario(bundle), runners_per_club=1, seed=at, draw=1)
        cohort = simulate_onset(config, 0, _POOL + _JUDGED)
        values, risk = coded(cohort.observed), cohort.truth["true_risk"].to_numpy()
        X, found = values[list(ONSET_FIELDS)], onset_decomposition(bundle.predictor, complete(values))
        seen = risk_given_observed(X.head(_POOL), risk[:_POOL], X.tail(_JUDGED).reset_index(drop=True))
        margin = logit(risk)
        pool, judged = slice(0, _POOL), slice(_POOL, None)
        yield Club(at, _part(found, pool), _part(found, judged), margin[pool], margin[judged], seen)


def outcomes(bundle: Bundle, club: Club, case: Case) -> dict[str, Any]:
    """Return what recalibration does to a bundle in one club.

    Returns
    -------
    dict
        `site`, `odds`, `size` (as asked), `runners`, `cases`, `level` (`none` if nothing is changed); `gain`, what the
        update adds to the excess log loss (below 0: it is better); and before and after it `ratio`, the mean true risk
        against the mean risk, `covered`, the share of risks inside their interval, and `width`.
    """
    club, shift = _shifted(club, case)
    runners = case.size or rows_for_ratio(float(expit(club.risk + shift).mean()), _WIDTH)
    rows = np.resize(np.arange(len(club.risk)), runners)  # beyond the pool its runners come again, with new outcomes
    drawn = generator(club.seed, f"outcomes {case.site} {case.odds}").random(runners)
    y = (drawn < expit(club.risk[rows] + shift)).astype(float)
    level, moves = _moves(_part(club.pool, rows), y, bundle.predictor.interval)
    found = {"site": case.site, "odds": case.odds, "size": case.size, "runners": runners, "cases": int(y.sum())}
    before = _figures(club, club.judged.members, shift, bundle.predictor.interval)
    after = _figures(club, club.judged.members + club.judged.parts @ moves.T, shift, bundle.predictor.interval)
    gain = {"gain": after.pop("loss") - before.pop("loss")}
    return found | {"level": level} | gain | {f"{k}_before": v for k, v in before.items()} | after


def _shifted(club: Club, case: Case) -> tuple[Club, float]:
    """Return a club and what is added to the log-odds of its true risks."""
    if case.odds == EXACT:
        own = club.judged.margin
        return replace(club, risk=club.pool.margin, judged_risk=own, seen=own), 0.0
    return club, case.site * float(generator(club.seed, "site").standard_normal()) + float(np.log(case.odds))


def _moves(some: OnsetDecomposition, y: Floats, interval: Interval) -> tuple[str, Floats]:
    level = closed_test(some, y, _SETTINGS).level
    if level is None:
        return "none", np.zeros((some.members.shape[1], some.parts.shape[1]))
    return level, gaussian_update(some, y, interval, level, _SETTINGS.site_sd).coef_offsets


def _figures(club: Club, members: Floats, shift: float, interval: Interval) -> dict[str, float]:
    margin, truth = members[:, 0], expit(club.judged_risk + shift)
    risk, reach = expit(margin), interval.t * np.sqrt(np.add(*interval.variances(members)))
    return {
        "loss": excess_log_loss(truth, risk),
        "ratio": float(truth.mean() / risk.mean()),
        "covered": float((np.abs(club.seen + shift - margin) <= reach).mean()),
        "width": float((expit(margin + reach) - expit(margin - reach)).mean()),
    }


def in_clubs(
    bundle: Bundle, seed: int = SEED, count: int = CLUBS, cases: Sequence[Case] = CASES,
    tell: Callable[[str], None] = lambda _step: None,
) -> pd.DataFrame:  # fmt: skip
    """Recalibrate in clubs, each put through every case; a row as of `outcomes` for each."""
    rows = []
    for club in clubs(bundle, seed, count):
        tell(f"{club.seed - seed + 1} of {count}")
        rows += [outcomes(bundle, club, case) for case in cases]
    return pd.DataFrame(rows)


def in_several(
    bundle: Bundle, seed: int = SEED, count: int = CLUBS // 2, tell: Callable[[str], None] = lambda _step: None
) -> pd.DataFrame:
    """Recalibrate on cohorts of several clubs.

    Returns
    -------
    pandas.DataFrame
        `club` (runners of each), `stated` (the number of runners is the one for these clubs, or for others),
        `runners`, and `ratio`, mean true risk against mean risk after the update, in `where`: these or others.
    """
    rows: list[dict[str, Any]] = []
    for at, club in product(range(seed, seed + count), PER_CLUB):
        tell(f"{at - seed + 1} of {count}, clubs of {club}")
        rows += _several(bundle, at, club)
    return pd.DataFrame(rows)


def _several(bundle: Bundle, seed: int, club: int) -> Iterator[dict[str, Any]]:
    config = CohortConfig(scenario=_scenario(bundle), runners_per_club=club, seed=seed, draw=1)
    others = _season(bundle, replace(config, runners_per_club=1), 10**6, 10**6 + _JUDGED)
    rate = float(expit(others[1]).mean())
    needed = {"these": rows_for_ratio(rate, _WIDTH), "others": rows_for_ratio(rate, _WIDTH, club, club_sd())}
    runners = {name: club * ceil(rows / club) for name, rows in needed.items()}  # whole clubs
    found, _, y = _season(bundle, config, 0, runners["others"])
    later = _season(bundle, config, 0, runners["these"], 1)
    for name, rows in runners.items():
        moves = _moves(_part(found, slice(rows)), y[:rows], bundle.predictor.interval)[1][0]
        for where, (judged, risk, _) in (("these", later), ("others", others)):
            if name == "these" or where == "others":
                ratio = float(expit(risk).mean() / expit(judged.margin + judged.parts @ moves).mean())
                yield {"club": club, "stated": name, "runners": rows, "where": where, "ratio": ratio}


def _season(
    bundle: Bundle, config: CohortConfig, start: int, stop: int, season: int = 0
) -> tuple[OnsetDecomposition, Floats, Floats]:
    """Return runners, the log-odds of their true risks, and their outcomes."""
    cohort = simulate_onset(config, start, stop, season)
    found = onset_decomposition(bundle.predictor, complete(coded(cohort.observed)))
    return found, logit(cohort.truth["true_risk"].to_numpy()), cohort.observed[ONSET.column].to_numpy(dtype=float)


def _part(found: OnsetDecomposition, rows: Any) -> OnsetDecomposition:
    return OnsetDecomposition(found.margin[rows], found.parts[rows], found.members[rows])


def _scenario(bundle: Bundle) -> str:
    return str(bundle.manifest["trained_on"]["scenario"])


__all__ = [
    "CASES", "CLUBS", "EXACT", "PER_CLUB", "SEED", "SHIFTS", "SITES", "SIZES", "STATED", "Case", "Club", "clubs",
    "in_clubs", "in_several", "outcomes",
]  # fmt: skip
