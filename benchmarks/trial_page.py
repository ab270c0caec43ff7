"""The part of REAL_DATA.md on trials, and its picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from benchmarks.trial_effects import Tried, tried
from benchmarks.trial_nulls import Dealt, dealt
from benchmarks.trials import TRIALS, Trial
from pfps_ml.core.markup import markdown_table
from pfps_ml.domain import ARMS, BY_NAME, SUCCESS
from pfps_ml.evaluation.displays import BLUE, GREY, ORANGE, new_figure, notice
from pfps_ml.evaluation.policy import BEST
from pfps_ml.io.mapping import load_mapping
from pfps_ml.model import LEVEL, NONE, RIVALS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = Path("docs/real-effects.png")
_LABELS = {arm.name: arm.label for arm in ARMS}


@dataclass(frozen=True)
class Found:
    """A trial, what came of it, and of its being dealt anew."""

    trial: Trial
    tried: Tried
    dealt: Sequence[Dealt]


def found_in(folder: Path) -> list[Found]:
    """Try every trial whose file is there."""
    results = []
    for trial in TRIALS:
        path = folder / trial.name / trial.file
        if path.is_file():
            came = tried(trial, pd.read_csv(path))
            results.append(Found(trial, came, dealt(came.patients)))
    return results


def trial_lines(results: Sequence[Found]) -> Iterator[str]:
    """Yield the lines of the page: what all came to, then every trial; none where no trial was tried."""
    if not results:
        return
    yield from ("", "## Trials of other things, read through a map", "")
    yield "No open trial of runner's knee is known. These are trials of other treatments of other people, and one"
    yield "cohort that was not randomised, with effects that are known from elsewhere. Their columns and arms **stand"
    yield "in** for fields and pathways of the dictionary, so that intake, effects, gate and preference run as on a"
    yield "trial of runner's knee: they test the code, and say nothing of runner's knee or of any pathway."
    header = ("trial", "patients", "known effects found", "preference named for", "gate, nobody responds",
              "gate, responders planted")  # fmt: skip
    yield from ("", markdown_table(header, map(_summary, results)))
    yield from ("", f"![Known effects beside ours]({PICTURE.as_posix()})", "")
    yield "Mean effects are doubly robust, in the outcome's own unit (outcome model and propensity from other folds;"
    yield "of the class-size trial: school effects, each school's own shares, and schools resampled). A known effect"
    yield "is found if ours lies in its interval or, where it has none, if it lies in ours. Those of the first two"
    yield "trials are plain analyses of the same data, the others were published. Open to all are the trial's arms. The"
    yield f"gate wants effects for each patient to beat {len(RIVALS)} simpler ones on other folds, each at p < {LEVEL}."
    yield _together([way for result in results for way in result.dealt if way.name != "planted"])
    for result in results:
        yield from _section(result)


def _summary(result: Found) -> tuple[str, ...]:
    effects, came = result.tried.effects, result.tried
    nobody = [way for way in result.dealt if way.name != "planted"]
    planted = [way for way in result.dealt if way.name == "planted"]
    return (
        result.trial.title,
        f"{len(came.patients.X):,}",
        f"{effects['found'].sum()} of {len(effects)}",
        _patients(came.preferred),
        _passed(nobody),
        _passed(planted),
    )


def _together(ways: Sequence[Dealt]) -> str:
    """Say how often the gate may be passed where nobody responds: the exact one-sided limit of a share."""
    passed, times = sum(way.passed for way in ways), sum(way.times for way in ways)
    most = float(betaincinv(passed + 1, times - passed, 0.95)) if passed < times else 1.0
    return (
        f"Where nobody responds it was passed {passed} of {times} times: in at most {most:.1%} of such trials (95 %)."
    )


def _passed(ways: Sequence[Dealt]) -> str:
    return f"passed {sum(way.passed for way in ways)} of {sum(way.times for way in ways)} times"


def _patients(preferred: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str:
    named = int((preferred != NONE).sum())
    return f"{named:,} of {len(preferred):,}" if named else "nobody"


def _section(result: Found) -> Iterator[str]:
    trial, came = result.trial, result.tried
    names = dict(trial.arms)
    yield from ("", f"### {trial.title}", "", trial.about)
    set_aside = came.patients.set_aside
    yield f"Read through `{trial.mapping.as_posix()}`; {set_aside or 'no'} rows set aside for a fault or nothing known."
    yield from ("", markdown_table(("column", "is", "stands in for"), _columns(trial)))
    header = ("outcome", "arm", "known", "ours", "raw difference", "found")
    yield from ("", markdown_table(header, _effects(came, names)), "", *_verdict(result))


def _columns(trial: Trial) -> Iterator[tuple[str, ...]]:
    """Yield what each column of a trial's file is, and what it stands in for."""
    declared = load_mapping(trial.mapping)
    for column in declared.columns:
        if column.field != "runner_id":
            yield column.source, trial.columns[column.source], BY_NAME[column.field].label
    yield from (("none", f"{value} in every row", BY_NAME[field].label) for field, value in declared.constants)
    yield from (("arm", theirs, _LABELS[ours]) for ours, theirs in trial.arms)
    yield "outcome", trial.success, SUCCESS.label


def _effects(came: Tried, names: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield each effect that is known of a trial, and ours."""
    for row in came.effects.itertuples():
        known = _interval(row.known, row.known_low, row.known_high)
        ours = _interval(row.effect, row.low, row.high)
        yield (row.label, names[row.arm], f"{known} ({row.source})", ours, f"{row.naive:+.2f}",
               "yes" if row.found else "NO")  # fmt: skip


def _verdict(result: Found) -> Iterator[str]:
    trial, came = result.trial, result.tried
    names = dict(trial.arms)
    yield f"An honest answer: {trial.wanted}."
    rows = ((rival.against.label, _p(rival.p), "yes" if rival.passed else "no") for rival in came.gate.comparisons)
    yield from ("", markdown_table(("our effects for each patient against", "p", "shown to be better"), rows))
    yield from ("", f"Gate {'passed' if came.gate.passed else 'not passed'}; a preference is named for "
                f"{_patients(came.preferred)}. {_worth(came.policies, names)}")  # fmt: skip
    for row in came.differ.dropna(subset="slope").itertuples():
        yield (f"Where the predicted effect of {names[row.arm]} differs by 1 between patients of other folds, effects "
               f"differ by {_interval(row.slope, row.slope_low, row.slope_high)}.")  # fmt: skip
    header = ("dealt anew", "gate passed", "patients with a preference", "of these, right")
    yield from ("", markdown_table(header, map(_dealt_row, result.dealt)))


def _dealt_row(way: Dealt) -> tuple[str, ...]:
    right = "none named" if np.isnan(way.right) else f"{way.right:.0%}"
    return way.label, f"{way.passed} of {way.times} times", f"{way.named:.0%}", right


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _worth(policies: pd.DataFrame, names: dict[str, str]) -> str:
    """Say what choosing by prediction is worth against the one arm that is best for everybody."""
    rules = policies[policies["policy"].isin(names)]
    best, by_model = rules.loc[rules["value"].idxmax()], policies.set_index("policy").loc[BEST]
    if np.allclose(best[["lead", "lead_low", "lead_high"]].astype(float), 0):
        return f"The best prediction is {names[best['policy']]} for everybody."
    lead = _interval(best["lead"], best["lead_low"], best["lead_high"], 3)
    return (
        f"The arm of the best prediction for each gives success to {by_model['value']:.0%}, {names[best['policy']]} "
        f"for everybody to {best['value']:.0%}: a lead of {lead}."
    )


def _interval(value: float, low: float, high: float, decimals: int = 2) -> str:
    if np.isnan(low):
        return f"{value:+.{decimals}f}"
    return f"{value:+.{decimals}f} ({low:+.{decimals}f} to {high:+.{decimals}f})"


def picture(results: Sequence[Found]) -> "Figure":
    """Return a forest plot of known effects beside ours, per standard deviation of the outcome."""
    table = pd.concat([_per_deviation(result) for result in results], ignore_index=True)
    figure = new_figure(
        "Mean effects that are known, beside ours: trials of other things", height=1.5 + 0.42 * len(table)
    )
    notice(figure, "Not about runner's knee: these trials test the code.")
    axes, places = figure.subplots(), np.arange(len(table))[::-1]
    axes.axvline(0, color=GREY, linewidth=1)
    for columns, shift, colour, label in (
        (("known", "known_low", "known_high"), 0.15, ORANGE, "Known"),
        (("effect", "low", "high"), -0.15, BLUE, "Ours (95 %)"),
    ):
        value, low, high = (table[name].to_numpy(float) for name in columns)
        bars = [np.nan_to_num(value - low), np.nan_to_num(high - value)]
        axes.errorbar(value, places + shift, xerr=bars, fmt="o", color=colour, markersize=4, capsize=2, label=label)
    axes.set_yticks(places, list(table["name"]), fontsize=8)
    axes.set(xlabel="Difference from control (SD of the outcome)",
             ylim=(-0.6, len(table) - 0.4))  # fmt: skip
    axes.xaxis.label.set_fontsize(9)
    axes.tick_params(axis="x", labelsize=9)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _per_deviation(result: Found) -> pd.DataFrame:
    effects, outcomes = result.tried.effects, result.tried.patients.outcomes
    spread = outcomes[list(effects["outcome"])].std().to_numpy()
    figures = ["known", "known_low", "known_high", "effect", "low", "high"]
    names = dict(result.trial.arms)
    labels = [f"{names[row.arm]}\n{row.label.partition(',')[0]}" for row in effects.itertuples()]
    return effects[figures].div(spread, axis=0).assign(name=labels)


__all__ = ["PICTURE", "Found", "found_in", "picture", "trial_lines"]
