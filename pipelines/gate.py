"""The release gate: what a candidate must hold on clubs that it has not seen before it may become the current release.

The held-out clubs have some 200 cases, so most figures are refused only where their whole 95 % interval lies outside
the acceptable range: the gate stops what has been shown to be wrong, and cannot show that the rest is right. The AUROC
has to prove itself: its whole interval must lie above chance. The limits are in `config.ReleaseConfig`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pfps_ml.config import ReleaseConfig
from pfps_ml.core.levels import normal_quantile
from pfps_ml.errors import Fault, InputError, ReleaseRefused
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.knowledge.dictionary import ARMS, REFERENCE_ARM
from pfps_ml.validation.against import AGAINST
from pipelines.validated import Validated

_ICI = "Integrated calibration index"
READ = ("onset", "answered", "effects", "overlap", "policies", "heterogeneity")


@dataclass(frozen=True)
class Check:
    """One figure, what must hold of it, whether it does, and whether there were runners enough to judge it."""

    what: str
    found: str
    expected: str
    holds: bool
    judged: bool = True

    @property
    def verdict(self) -> str:
        """What a person reads."""
        if not self.judged:
            return "not judged: too few runners"
        return "holds" if self.holds else "REFUSED"


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the tables that the gate and the card need.

    Raises
    ------
    InputError
        If one is not there: the folder holds no evaluation, or one of an older version.
    """
    try:
        return {name: pd.read_csv(folder / f"{name}.csv") for name in READ}
    except (OSError, ValueError) as error:
        what = getattr(error, "filename", None) or "one of its tables"
        raise InputError(
            f"expected an evaluation in {folder}, but {what} cannot be read; run pipelines.evaluate first"
        ) from error


def checks(tables: Mapping[str, pd.DataFrame], limits: ReleaseConfig) -> list[Check]:
    """Hold the figures of an evaluation to the limits, all of them."""
    return [*_onset(tables["onset"].set_index("metric"), limits), *_rows(tables, limits), *_pathways(tables, limits)]


def checks_outside(found: Validated, limits: ReleaseConfig) -> list[Check]:
    """Hold the figures of a bundle on a cohort that it had not seen to the limits, all of them.

    The calibration index of a perfect model is above 0 by chance: it is judged only where the rate of cases, which is
    easier to know, is known to within the limit (95 %).

    Parameters
    ----------
    found
        The validation; if it was compared with another bundle, that is judged, too.
    limits
        What must hold.
    """
    tables, rate = found.tables, found.cases / found.runners
    told = normal_quantile(LEVEL) * float(np.sqrt(rate * (1 - rate) / found.runners)) <= limits.ici_up_to
    onset = [replace(each, holds=each.holds or not told, judged=told) if each.what == _ICI else each
             for each in _onset(tables["onset"].set_index("metric"), limits)]  # fmt: skip
    return [*onset, _sound(found, "Checks of the cohort"), *_against(tables.get(AGAINST))]


def checks_of_patients(found: Validated | None) -> list[Check]:
    """Hold pathways that patients moved to what other patients say of them; none may have been shown to be wrong.

    Parameters
    ----------
    found
        The validation on patients; None if there is none, which is refused.
    """
    what, expected = "Pathways, moved by patients", "not shown to be wrong on others (--pathways)"
    if found is None:
        return [Check(what, "not validated", expected, False)]
    said = "no verdict" if found.said == "none" else found.said
    return [Check(what, said, expected, found.said != "does not hold"),
            _sound(found, "Checks of the cohort of patients")]  # fmt: skip


def hold_to_gate(found: list[Check]) -> None:
    """Refuse a candidate of which a check does not hold.

    Raises
    ------
    ReleaseRefused
        With every check that failed.
    """
    if failed := [check for check in found if not check.holds]:
        faults = [Fault(None, check.what, f"expected {check.expected}, got {check.found}") for check in failed]
        raise ReleaseRefused(
            f"expected a candidate that passes the release gate, but {len(failed)} of {len(found)} checks failed; "
            "nothing was released and models/CURRENT was not moved; train a better one, or change [release] in the "
            "configuration and say why",
            faults,
        )


def _onset(figures: pd.DataFrame, limits: ReleaseConfig) -> Iterator[Check]:
    value, low, high = (figures[name] for name in ("value", "low", "high"))

    def shown(name: str) -> str:
        return f"{value[name]:.3f} ({low[name]:.3f} to {high[name]:.3f})"

    chance = f"an interval above {limits.auroc_above:g}"
    yield Check("AUROC", shown("auroc"), chance, bool(low["auroc"] > limits.auroc_above))
    least = f"an interval that reaches {limits.scaled_brier_from:g}"
    holds = bool(high["scaled_brier"] >= limits.scaled_brier_from)
    yield Check("Scaled Brier score", shown("scaled_brier"), least, holds)
    for name, what, (least_ok, most_ok) in (
        ("calibration_slope", "Calibration slope", limits.slope),
        ("observed_expected", "Observed / expected", limits.observed_expected),
    ):
        holds = bool(low[name] <= most_ok and high[name] >= least_ok)
        yield Check(what, shown(name), f"an interval that meets {least_ok:g} to {most_ok:g}", holds)
    most = f"an interval that begins at {limits.ici_up_to:g} or below"
    yield Check(_ICI, shown("ici"), most, bool(low["ici"] <= limits.ici_up_to))


def _sound(found: Validated, what: str) -> Check:
    failed = list(found.tables["checks"].query("verdict == 'fail'")["code"])
    return Check(what, f"{', '.join(failed) or 'none'} failed", "none failed", not failed)


def _against(compared: pd.DataFrame | None) -> Iterator[Check]:
    if compared is None:
        return
    for row in compared[compared["gain"].notna() & (compared["metric"] == "log_loss")].itertuples():
        gained = f"{row.gain:+.4f} ({row.gain_low:+.4f} to {row.gain_high:+.4f})"
        expected = "an interval that does not lie below 0"
        yield Check(f"Log loss saved, against {row.against}", gained, expected, bool(row.gain_high >= 0))


def _rows(tables: Mapping[str, pd.DataFrame], limits: ReleaseConfig) -> Iterator[Check]:
    least = float(tables["answered"]["answered"].min())
    expected = f"{limits.rows_answered:.0%} of rows, for every answer"
    yield Check("Rows with an answer and its interval", f"{least:.1%}", expected, least >= limits.rows_answered)
    share = float(tables["overlap"]["share"].min())  # an arm that nobody may have has none
    expected = f"{limits.overlap_from:.0%} of eligible patients, for every arm"
    yield Check("Patients with a real chance of an arm", f"{share:.1%}", expected, share >= limits.overlap_from)


def _pathways(tables: Mapping[str, pd.DataFrame], limits: ReleaseConfig) -> Iterator[Check]:
    values = tables["policies"].set_index("policy")
    lead, low, high = values.loc[REFERENCE_ARM, ["lead", "lead_low", "lead_high"]].astype(float)
    expected = "an interval that does not lie below 0"
    found = f"{lead:+.3f} ({low:+.3f} to {high:+.3f})"
    yield Check("Choosing by the model, against usual care", found, expected, bool(high >= 0))
    tests = tables["heterogeneity"].set_index("arm")
    labels, least = {arm.name: arm.label for arm in ARMS}, limits.wrong_way / max(len(tests), 1)
    for name, row in tests.iterrows():
        # without a spread of predictions there is nothing that could be the wrong way round
        wrong = 1 - float(row["p_differs"])
        found = "no differences predicted" if np.isnan(wrong) else f"slope {row['slope']:.2f}, p = {wrong:.3f}"
        expected = f"not shown to be the wrong way round (p of at least {least:.4f})"
        yield Check(f"{labels[str(name)]}: who gains most", found, expected, not wrong < least)


__all__ = ["READ", "Check", "checks", "checks_of_patients", "checks_outside", "hold_to_gate", "read_tables"]
