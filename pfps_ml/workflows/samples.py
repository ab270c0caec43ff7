"""Write what is tracked of the synthetic data: a 200-row sample of each frame, and the datasheet."""

from math import exp
from pathlib import Path

import numpy as np

from pfps_ml.core.atomic_output import write_whole
from pfps_ml.core.config import CohortConfig
from pfps_ml.core.console import command, say
from pfps_ml.core.markup import markdown_table
from pfps_ml.core.numbers import SHOWN, csv_text
from pfps_ml.domain.dictionary import ONSET, SCREENING, SUCCESS, VISIT
from pfps_ml.domain.scenario import Scenario, load_scenario
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.simulation.cohort import RUNNERS, odds_ratio_over, solved_parameters
from pfps_ml.simulation.world import World
from pfps_ml.workflows.frames import OBSERVED, TRUTH, Frames
from pfps_ml.workflows.simulate import simulate

HOME = Path("data/synthetic")
SAMPLES = HOME / "samples"
_ROWS = 200
LATENT = {
    "hip_strength_sd": "hip strength for age and sex",
    "knee_strength_sd": "knee strength for age and sex",
    "foot_posture_sd": "pronation of the foot",
    "squat_angle_sd": "inward knee angle in a squat",
}

_DATASHEET = """# Datasheet: synthetic runners and patients

**{notice}**

Written by `python -m pfps_ml.workflows.samples`; a test fails when it is stale.

## Motivation

No open patient-level trial or prospective cohort of patellofemoral pain is known, so the training data are simulated
from published figures. They exist to build, test and teach with; they are evidence of nothing.

## Composition (scenario `{scenario}`: {title})

{frames}

`draw` is a bookkeeping column and never a feature. Learning never reads the truth. There are no real people in the data.

## How they were made

{parameters} parameters: {cited} cite rows of the evidence ledger, {assumed} are marked as assumptions. Values are seen with
retest error, and missing where a club has no equipment or a runner keeps no log; equipment is drawn apart from risk.
Clinics choose pathways by driver and severity, so raw contrasts between arms are confounded. Shares that follow from
many causes (onset, success, failed care) are solved, so that the simulated share is the scenario's.

## Uses, and what they are not for

For developing and testing prediction software, for teaching, for planning a study. Not for estimating how common runner's
knee is, what causes it or which treatment works: whatever comes out was put in. Not for decisions about anybody's care.

## Limits

What a released model predicts is learned at the point values of the evidence. Refits on the same runners in {draws} draws
over its intervals are released with it, and their spread is part of every interval; `pfps simulate --draws K`
writes such draws. Drop-out and competing injuries are not simulated.

Effects act on the odds of one month, month after month: a monthly ratio of 2 is an odds ratio of {odds_ratio:.2f} over
{months:g} months at the base rate. A spike of the longest run acts for {spike_months:g} months. That is an assumption \
({spike_low:g} to {spike_high:g}):
no study has timed it. So a monthly ratio of {spike:.1f}, for a longest run up to 30 % over, is an odds ratio of \
{spike_ratio:.1f}. A first
year of running has a small effect of its own, because the figures conflict: published rates of novices are both lower
and higher than those of other runners.

Published effects of strength, foot and squat stand for one of them alone, so what acts is solved jointly. A weak hip
alone is a monthly ratio of {hip:.2f} per SD in adults of `{scenario}`; but it comes with a weak knee and an inward
squat, and once these act, {hip_left:.2f} is left for the hip itself: {hip_means}. No study has shown that.

Patients are those who attend (the worse the knee and the more they run, the likelier), so onset is never learned from
visits. They are not the runners of the first frame some months later: latent strength, foot and squat have the same
means in patients as in runners. What the pain has done comes on top; what had selected them for onset is not in them.
Between future cases and all runners that selection is, in SD:

{selected}

With `--randomised`, pathways are drawn among those open to a patient, so an injection is compared with usual care among
those whose care has failed. All patients have the condition. How the self-tests answer in other knee pain (their
specificity: published for the squat, assumed for the two others) is simulated by setting `has_pfps` to 0; nothing else
of other knee pain is, and the answers of one knee to several tests are drawn independently.

## Distribution and upkeep

`samples/` holds the first {rows} rows of each frame; `make demo` rebuilds the rest. Licence: as the code (BSD-3-Clause).
"""


def sample_files(frames: Frames) -> dict[str, str]:
    """Return the samples as CSV text, by file name."""
    names = (*OBSERVED, *TRUTH)
    return {f"{n}.csv": csv_text(getattr(frames, n).head(_ROWS), SHOWN) for n in names}


def datasheet(frames: Frames, config: CohortConfig) -> str:
    """Return DATASHEET.md: what the data are, how they were made, what they are for and what they are not for."""
    scenario = load_scenario(config.scenario)
    parameters = [*scenario.runners.values(), *scenario.patients.values()]
    assumed = sum(parameter.assumption for parameter in parameters)
    base, lasts, spike = (scenario.runners[name] for name in ("onset_base_rate", "spike_months", "onset_spike_10"))
    return _DATASHEET.format(
        notice=NOTICE, scenario=scenario.name, title=scenario.title, rows=_ROWS,
        frames=_frames_table(frames),
        odds_ratio=odds_ratio_over(2.0, base.value, scenario.horizon_months), months=scenario.horizon_months,
        spike=exp(spike.value), spike_months=lasts.value, spike_low=lasts.low, spike_high=lasts.high,
        spike_ratio=odds_ratio_over(exp(spike.value), base.value, scenario.horizon_months, lasts.value),
        selected=_selection_table(), draws=config.draws, **_hip(scenario),
        parameters=len(parameters), cited=len(parameters) - assumed, assumed=assumed,
    )  # fmt: skip


def _hip(scenario: Scenario) -> dict[str, str | float]:
    left = exp(solved_parameters(scenario.name)[0].onset_hip_weakness)
    means = "weak hips then slightly protect" if left < 1 else "weak hips then still raise it"
    return {"hip": exp(scenario.runners["onset_hip_weakness"].value), "hip_left": left, "hip_means": means}


def selected_by_onset(scenario: str, rows: int = 100_000) -> dict[str, float]:
    """Return how far future cases differ from all runners before any pain, in SD, by latent score."""
    world = World(0, "runner", 0, rows, solved_parameters(scenario)[0], 1, RUNNERS)
    risk = world.column("true_risk")
    return {score: float(np.average(world.column(score), weights=risk)) for score in LATENT}


def _frames_table(frames: Frames) -> str:
    onset, success = frames.onset[ONSET.column].mean(), frames.treatment[SUCCESS.column].mean()
    rows = [
        (
            "`onset.parquet`",
            f"{len(frames.onset):,} in {frames.onset['club'].nunique()} clubs",
            f"a runner free of knee pain: {len(SCREENING)} fields, and `{ONSET.column}` ({onset:.1%} yes)",
        ),
        (
            "`treatment.parquet`",
            f"{len(frames.treatment):,}",
            f"a patient at a visit: the same fields and {len(VISIT)} more, the arm that the clinic chose, and "
            f"`{SUCCESS.column}` ({success:.1%} yes)",
        ),
        (
            "`truth_onset.parquet`, `truth_treatment.parquet`",
            "the same",
            "the true risk; the true chance of success under every arm; and the draw, as in the observed frames",
        ),
    ]
    return markdown_table(("frame", "rows", "what a row is"), rows)


def _selection_table() -> str:
    by_scenario = [selected_by_onset(name) for name in ("reference", "kinetic_chain")]
    header = ("latent score", "`reference`", "`kinetic_chain` (the clinics' account at face value)")
    rows = ((label, *(f"{scores[name]:+.2f}" for scores in by_scenario)) for name, label in LATENT.items())
    return markdown_table(header, rows)


def main() -> None:
    """Write the samples and the datasheet."""
    config = CohortConfig()
    frames = simulate(config)
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for name, text in sample_files(frames).items():
        write_whole(SAMPLES / name, text.encode("utf-8"))
    write_whole(HOME / "DATASHEET.md", datasheet(frames, config).encode("utf-8"))
    say(f"samples and datasheet in {HOME}")


if __name__ == "__main__":
    command(main)

__all__ = ["HOME", "LATENT", "SAMPLES", "datasheet", "sample_files", "selected_by_onset"]
