"""Training on a cohort: the onset model starts at a bundle, and outcomes move it as far as they can bear.

What is known beforehand is the bundle's own spread over the evidence: mean and covariance of the intercept and of the
scale of each group of fields. Beside them each curve may bend (see `shapes`), by an amount that the outcomes choose,
and each club has a rate of its own, as the scenario says. No test decides how much is moved: few cases hardly move
anything, many move everything to where they are.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.bundle import Bundle
from pfps_ml.checks.guide import Check
from pfps_ml.config import TrainingConfig
from pfps_ml.core.messages import Message
from pfps_ml.errors import CohortError
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.prediction import Interval
from pfps_ml.recalibration.closed import Choice
from pfps_ml.recalibration.directions import GROUPS, moves_of
from pfps_ml.recalibration.learnt import Columns, learnt, members_of
from pfps_ml.recalibration.recalibrate import Known, club_sd, known_of, updated
from pfps_ml.recalibration.result import Recalibration
from pfps_ml.recalibration.shapes import Shapes, shapes_of
from pfps_ml.recalibration.update import Update, covariance_of

Floats = NDArray[np.float64]
CURVES = "curves"
WHY = Message("update_without_test")
NO_TESTS = pd.DataFrame(columns=["update", "against", "statistic", "freedom", "p"])
_TURNED = -1.0  # the move of a scale below which a group would say the opposite


def train_on_cohort(
    bundle: Bundle, cohort: Cohort, settings: TrainingConfig | None = None, by: str = "",
    checks: list[Check] | None = None,
) -> Recalibration:  # fmt: skip
    """Move a bundle's onset model by a cohort's outcomes; nothing is written.

    Parameters
    ----------
    bundle
        Where training starts; it stays as it is.
    cohort
        Runners with outcomes over the bundle's horizon.
    settings
        Fewest cases, and others, that may move anything.
    by
        Who trains, for the card; no name of a runner.
    checks
        The cohort's, if they have been made.

    Raises
    ------
    CohortError
        If the cohort fails a check; with too few cases the bundle that is there says more than a new one.
    """
    settings = settings or TrainingConfig()
    known = known_of(bundle, cohort, by, checks)
    expect_enough(known.y, settings.fewest_events, "runners")
    shapes = shapes_of(bundle.predictor.onset, bundle.reference)
    update = evidence_update(known, shapes, bundle.predictor.interval, settings)
    return updated(bundle, known, Choice(CURVES, WHY, NO_TESTS), update)


def expect_enough(y: Floats, fewest: int, people: str) -> None:
    """Refuse outcomes that are too few.

    Parameters
    ----------
    y
        Outcomes, 0 or 1, shape (rows,).
    fewest
        Of either kind.
    people
        Runners or patients.

    Raises
    ------
    CohortError
        With the code of the check.
    """
    events, others = int(y.sum()), int(len(y) - y.sum())
    if min(events, others) < fewest:
        raise CohortError(Message(_TOO_FEW[people], {"least": fewest, "events": events, "others": others}))


_TOO_FEW = {"runners": "too_few_cases_to_train", "patients": "too_few_successes_to_train"}


def evidence_update(known: Known, shapes: Shapes, interval: Interval, settings: TrainingConfig) -> Update:
    """Return where outcomes move intercept, scales and curves.

    Parameters
    ----------
    known
        The runners whose outcomes are known.
    shapes
        The curves of the bundle.
    interval
        Which members of the model are draws of the evidence, which are resamples.
    settings
        When clubs are told apart.
    """
    found = known.found
    moves, clubs = moves_of(found.members, found.parts), club_columns(known.club, settings.most_clubs)
    before, sd = covariance_of(moves, interval), club_sd()
    if not interval.evidence:
        before[0, 0] += settings.site_sd**2
    if not clubs.shape[1]:
        before[0, 0] += sd**2  # of one club, its own rate is part of what is not known
    along = Columns(found.parts, before, sd * clubs, (shapes.design(known.values),))
    post = learnt(along, known.y, found.margin)
    centre = np.where(_settled_groups(), np.maximum(post.centre, _TURNED), post.centre)
    landed, bends = members_of(post, moves, interval, centre)
    return Update(CURVES, centre, before, post.covariance, landed - moves, bends)


def club_columns(club: NDArray[np.object_], most: int) -> Floats:
    """Return a column for each club that is named, shape (rows, clubs); none for a single club, or very many."""
    named = pd.Series(club).astype("category")
    codes, count = named.cat.codes.to_numpy(), len(named.cat.categories)
    if not 1 < count <= most:
        return np.zeros((len(club), 0))
    return np.asarray(codes[:, None] == np.arange(count), dtype=np.float64)


def _settled_groups() -> NDArray[np.bool_]:
    """Return of which coefficients the evidence settles a direction: it is weakened by outcomes, and not turned."""
    settled = {str(field.driver) for field in BY_NAME.values() if field.direction}
    return np.array([False, *(group in settled for group in GROUPS)])


__all__ = ["CURVES", "club_columns", "evidence_update", "train_on_cohort"]
