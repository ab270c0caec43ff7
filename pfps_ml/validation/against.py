"""Two bundles on the same runners: what one gains over the other, with paired intervals."""

from dataclasses import replace
from typing import Any

import pandas as pd

from pfps_ml.bundle import Bundle
from pfps_ml.config import Config
from pfps_ml.evaluation.subgroups import compare_parts
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.checker import complete
from pfps_ml.records import Metric
from pfps_ml.validation.external import Validation, expect_unseen
from pfps_ml.validation.figures import resampled

AGAINST = "against"
_COLUMNS = ["metric", "label", "against", "value", "other", "gain", "gain_low", "gain_high"]


def against(bundle: Bundle, other: Bundle, cohort: Cohort, config: Config | None = None) -> pd.DataFrame:
    """Return what a bundle gains over another on a cohort that neither has seen.

    Parameters
    ----------
    bundle, other
        The bundle in question, and the one that it is held against, such as the one in use.
    cohort
        Runners with outcomes.
    config
        Resamples, and from how many clubs on clubs are resampled.

    Returns
    -------
    DataFrame
        metric, label, against (the other's name), value, other (its value), gain, gain_low, gain_high: AUROC, scaled
        Brier score and log loss. A gain is better less worse, so above 0 the bundle is better; its 95 % interval is
        over the same resamples of clubs, or of runners where clubs are few. NaN where cases, or others, are too few.

    Raises
    ------
    CohortError
        If one of them was updated on this cohort: then it has seen the outcomes that it is asked for.
    """
    for judged in (bundle, other):
        expect_unseen(judged, cohort)
    config = config or Config()
    settings = replace(config.evaluation, fewest_events=config.validation.fewest_events)
    values, (groups, _) = complete(cohort.values[cohort.used]), resampled(cohort, settings.fewest_clubs)
    risks = {name: judged.predictor.risks(values) for name, judged in (("other", other), ("own", bundle))}
    figures = compare_parts(cohort.y[cohort.used], risks, groups, settings)
    first = figures[figures["part"] == "other"].set_index("metric")["value"].rename("other")
    ours = figures[figures["part"] == "own"].join(first, on="metric").assign(against=other.name)
    return ours[_COLUMNS].reset_index(drop=True)


def compared(validation: Validation, bundle: Bundle, other: Bundle, cohort: Cohort) -> Validation:
    """Return a validation with what the bundle gains over another as one table more; see `against`."""
    return replace(validation, tables={AGAINST: against(bundle, other, cohort), **validation.tables})


def gains(validation: Validation) -> list[Metric]:
    """Return what a validation says of gains over another bundle, as MLflow is told it; nothing if none was asked."""
    table = validation.tables.get(AGAINST, pd.DataFrame(columns=_COLUMNS))
    rows: list[dict[Any, Any]] = table[table["gain"].notna()].to_dict("records")
    return [Metric(f"{row['metric']}_gain", row["gain"], row["gain_low"], row["gain_high"]) for row in rows]


def lines_of_gains(validation: Validation) -> list[tuple[str, str]]:
    """Return what a terminal shows of them."""
    table = validation.tables.get(AGAINST, pd.DataFrame(columns=_COLUMNS))
    return [
        (f"{row.label}, gained over {row.against}", f"{row.gain:+.4f} ({row.gain_low:+.4f} to {row.gain_high:+.4f})")
        for row in table.dropna(subset="gain").itertuples()
    ]


__all__ = ["AGAINST", "against", "compared", "gains", "lines_of_gains"]
