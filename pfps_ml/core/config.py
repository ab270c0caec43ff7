"""The choices of a run that are meant to be changed; one TOML file overrides them, an unknown key is an error."""

import tomllib
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pfps_ml.core.errors import FactError
from pfps_ml.core.messages import Message
from pfps_ml.core.numbers import LEVEL


@dataclass(frozen=True)
class CohortConfig:
    """How large the simulated cohort is, and how it is drawn.

    `draw` 0 is the world at the point values of the evidence; each number above it is a draw over its intervals.
    `draws` is how many of them `make demo` trains on beside the point values.
    """

    scenario: str = "reference"
    runners: int = 20_000
    patients: int = 6_000
    runners_per_club: int = 500
    patients_per_club: int = 150
    seed: int = 20261
    draw: int = 0
    draws: int = 100
    randomised: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no spread."""
        _expect(self.draws == 0 or self.draws >= 2, f"expected [cohort] draws of 0, or at least 2, got {self.draws}")


@dataclass(frozen=True)
class SplitConfig:
    """Which clubs training never sees, and how the others are folded."""

    held_out_share: float = 0.2
    folds: int = 5
    seed: int = 20262

    def __post_init__(self) -> None:
        """Refuse what cannot be split."""
        _expect(self.folds >= 2, f"expected [split] folds of at least 2, got {self.folds}")
        _expect(0 < self.held_out_share < 1, f"expected [split] held_out_share in 0 to 1, got {self.held_out_share:g}")


@dataclass(frozen=True)
class OnsetConfig:
    """The onset model: a smooth part and a boosted part, stacked.

    `penalties` are precisions of what is expected of a slope per standard deviation, the same for any number of rows:
    the fits that choose among them have fewer rows than the last one. `max_trees` may end as zero; `max_pairs` is the
    number of two-field terms that the released model may hold. `masked_share` is the weight that a row's copy, masked
    as a poorer club would see it, has beside it. The stack is shrunk to `smooth_share` of the smooth part and the
    rest of the boosted one, as if `stack_shrinkage` units of information (on log-odds with variance one, a case
    counts one) had been seen before: with 50 cases the shape that can be learned is the smooth one. `jobs` refits on
    draws of the evidence run at once; nothing else depends on their number.
    """

    knots: int = 5
    penalties: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
    roughness: float = 4.0
    bins: int = 16
    learning_rate: float = 0.1
    max_trees: int = 180
    min_rows_in_leaf: int = 100
    leaf_penalty: float = 20.0
    max_pairs: int = 8
    masked_share: float = 0.2
    smooth_share: float = 0.7
    stack_shrinkage: float = 16.0
    bootstraps: int = 20
    jobs: int = 2
    seed: int = 20263

    def __post_init__(self) -> None:
        """Refuse what gives no interval."""
        _expect(self.bootstraps >= 2, f"expected [onset] bootstraps of at least 2, got {self.bootstraps}")


@dataclass(frozen=True)
class PathwayConfig:
    """The pathway models: a shared prognostic part and one modifier part an arm.

    `posterior_draws` is how many draws give the intervals; `gate` says whether the effects are held against simpler
    ones (five more fits), without which no preference is ever named.
    """

    knots: int = 6
    propensity_floor: float = 0.03
    posterior_draws: int = 40
    gate: bool = True
    seed: int = 20264

    def __post_init__(self) -> None:
        """Refuse what gives no interval."""
        draws = self.posterior_draws
        _expect(draws >= 2, f"expected [pathways] posterior_draws of at least 2, got {draws}")


@dataclass(frozen=True)
class ProductConfig:
    """What a released bundle says of a risk.

    The bands are multiples of the base rate of the training data: an assumption, not evidence. `unusual` is the
    share of the training data in each tail that counts as outside the range that the model has seen.
    """

    version: str = "0.2.0"
    low_band_below: float = 0.75
    high_band_from: float = 1.5
    level: float = LEVEL
    unusual: float = 0.005
    age_edges: tuple[int, ...] = (10, 18, 30, 40, 50, 91)
    reference_quantiles: int = 10


@dataclass(frozen=True)
class EvaluationConfig:
    """How the held-out clubs are used.

    A part with fewer than `fewest_events` cases, or non-cases, shows no figures, and one of fewer than `fewest_clubs`
    clubs no intervals. Net benefit is read at every 1 % up
    to `highest_threshold`. Patients are put into `groups` of equal size by their predicted effect.
    """

    bootstraps: int = 200
    seed: int = 20265
    fewest_events: int = 10
    fewest_clubs: int = 5
    highest_threshold: float = 0.2
    groups: int = 3


@dataclass(frozen=True)
class ValidationConfig:
    """How a released bundle is judged on a cohort from outside.

    A cell with fewer than `fewest_events` cases, or others, shows neither figures nor counts of cases. A share of drift
    (population stability index) below `drift_moderate` is called none, from `drift_large` on large: the usual cut-offs,
    and an assumption. The other numbers are the widths of 95 % intervals (Riley and others 2021) from which a verdict
    on observed/expected, slope, AUROC and standardised net benefit is given; and on a pathway's mean effect (a
    difference of success: 0.2 is 10 points either way) and on the slope of its effects, which at a width of 1 cannot
    hold both "as predicted" and "not at all". `folds` is how many give each patient the chance of every arm.
    """

    fewest_events: int = 5
    drift_moderate: float = 0.1
    drift_large: float = 0.25
    width_observed_expected: float = 0.2
    width_slope: float = 0.2
    width_auroc: float = 0.1
    width_net_benefit: float = 0.2
    width_effect: float = 0.2
    width_differences: float = 1.0
    folds: int = 5


@dataclass(frozen=True)
class RecalibrationConfig:
    """How far a cohort may move a bundle.

    Below `fewest_events` cases (or others), seen or expected by the bundle, nothing is changed; each coefficient asks
    for `events_per_coefficient` of both: a rule of thumb. `alpha` is the level of the closed test that chooses between
    no change, intercept, slope and groups. `site_sd` is by how much the log-odds of sites are expected to differ: wide
    on purpose, an assumption.
    """

    fewest_events: int = 10
    events_per_coefficient: int = 10
    alpha: float = 0.05
    site_sd: float = 0.5


@dataclass(frozen=True)
class TrainingConfig:
    """How a cohort moves a bundle that is trained on it (see `recalibration.trained`).

    Below `fewest_events` cases (or others) nothing is trained. How much populations differ is in the draws over the
    evidence; of a bundle without any, their log-odds are expected to differ by `site_sd`, an assumption. Clubs are told
    from the cohort as a whole where it has two to `most_clubs`; of more, the mean is known.
    """

    fewest_events: int = 10
    site_sd: float = 0.5
    most_clubs: int = 200


@dataclass(frozen=True)
class ReleaseConfig:
    """What a candidate must hold on the clubs that training never saw before models/CURRENT may name it.

    Those clubs have some 200 cases, too few for a point value to decide. So a candidate is refused where the whole
    95 % interval of a figure lies outside its range, and only the AUROC must prove itself: its whole interval must lie
    above the limit. `wrong_way` is the level at which effects are shown to be the wrong way round, over all arms.
    """

    auroc_above: float = 0.5
    scaled_brier_from: float = 0.0
    slope: tuple[float, ...] = (0.9, 1.1)
    observed_expected: tuple[float, ...] = (0.95, 1.05)
    ici_up_to: float = 0.01
    rows_answered: float = 1.0
    overlap_from: float = 0.5
    wrong_way: float = 0.01


@dataclass(frozen=True)
class Config:
    """All choices of one run."""

    cohort: CohortConfig = field(default_factory=CohortConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    onset: OnsetConfig = field(default_factory=OnsetConfig)
    pathways: PathwayConfig = field(default_factory=PathwayConfig)
    product: ProductConfig = field(default_factory=ProductConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    recalibration: RecalibrationConfig = field(default_factory=RecalibrationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    release: ReleaseConfig = field(default_factory=ReleaseConfig)


def load_config(path: Path | None = None) -> Config:
    """Return the defaults, overridden by a TOML file if one is given.

    Raises
    ------
    FactError
        If the file is not there or not TOML, or holds an unknown key or a value of another type; all at once.
    """
    if path is None:
        return Config()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FactError(Message("configuration_not_there", {"path": str(path), "reason": error.strerror})) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FactError(Message("configuration_not_toml", {"path": str(path), "reason": str(error)})) from error
    faults: list[str] = []
    config = _override(Config(), content, "", faults)
    if faults:
        raise FactError(f"the configuration {path} is not usable:\n  " + "\n  ".join(faults))
    return config  # type: ignore[no-any-return]


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise FactError(f"{message}; change the configuration")


def _override(current: Any, content: dict[str, Any], at: str, faults: list[str]) -> Any:
    known = {f.name: getattr(current, f.name) for f in fields(current)}
    changes = {}
    for key, new in content.items():
        if key not in known:
            faults.append(f"{at}{key}: unknown; expected one of {', '.join(sorted(known))}")
        elif is_dataclass(known[key]) and isinstance(new, dict):
            changes[key] = _override(known[key], new, f"{at}{key}.", faults)
        else:
            changes[key] = _value(known[key], new, f"{at}{key}", faults)
    return replace(current, **changes)


def _value(old: Any, new: Any, at: str, faults: list[str]) -> Any:
    if isinstance(old, tuple) and isinstance(new, list):
        return tuple(_value(old[0], item, at, faults) for item in new)
    if isinstance(old, float) and type(new) is int:
        return float(new)
    if type(old) is not type(new):
        faults.append(f"{at}: expected {type(old).__name__}, got {type(new).__name__}")
    return new


__all__ = [
    "CohortConfig",
    "Config",
    "EvaluationConfig",
    "OnsetConfig",
    "PathwayConfig",
    "ProductConfig",
    "RecalibrationConfig",
    "ReleaseConfig",
    "SplitConfig",
    "TrainingConfig",
    "ValidationConfig",
    "load_config",
]
