"""Write what is tracked of the synthetic data: a 200-row sample of each frame, and the datasheet."""

from pathlib import Path

from pfps_ml.cohort.solve import odds_ratio_over
from pfps_ml.config import CohortConfig
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.knowledge.dictionary import ONSET, SCREENING, SUCCESS, VISIT
from pfps_ml.knowledge.scenario import load_scenario
from pfps_ml.outputs import write_whole
from pipelines.console import command, say
from pipelines.frames import OBSERVED, TRUTH, Frames
from pipelines.simulate import simulate

HOME = Path("data/synthetic")
SAMPLES = HOME / "samples"
_ROWS = 200

_DATASHEET = """# Datasheet: synthetic runners and patients

**{notice}**

Written by `python -m pipelines.samples`; a test fails when it is stale.

## Motivation

No open patient-level trial or prospective cohort of patellofemoral pain is known, so the training data are simulated
from published figures. They exist to build, test and teach with; they are evidence of nothing.

## Composition (scenario `{scenario}`: {title})

| frame | rows | what a row is |
|---|---|---|
| `onset.parquet` | {runners:,} in {clubs} clubs | a runner free of knee pain: {screening} fields, \
and `{onset}` ({onset_rate:.1%} yes) |
| `treatment.parquet` | {patients:,} | a patient at a visit: the same fields and {visit} more, the arm \
that the clinic chose, and `{success}` ({success_rate:.1%} yes) |
| `truth_onset.parquet`, `truth_treatment.parquet` | the same | the true risk; the true chance of success under every arm |

`draw` is a bookkeeping column and never a feature. Learning never reads the truth. There are no real people in the data.

## How they were made

{parameters} parameters: {cited} cite rows of the evidence ledger, {assumed} are marked as assumptions. Values are seen with
retest error, and missing where a club has no equipment or a runner keeps no log; equipment is drawn apart from risk. Clinics choose pathways by driver and severity, so raw contrasts between arms are confounded.

## Uses, and what they are not for

For developing and testing prediction software, for teaching, for planning a study. Not for estimating how common runner's
knee is, what causes it or which treatment works: whatever comes out was put in. Not for decisions about anybody's care.

## Limits

The released model is trained at the point values of the evidence; `python -m pipelines.simulate --draws K` writes the same
runners in K draws over the intervals. Hazards are constant over the months of the horizon, and effects act on them: a
hazard ratio of 2 is an odds ratio of {odds_ratio:.2f} over 12 months at the base rate. Drop-out and competing injuries are not
simulated. A spike of the longest run stands for a habit: it acts on every month of the horizon, not on its week alone.
Patients are those who attend (the worse the knee and the more they run, the likelier), so onset is never
learned from visits. With `--randomised`, pathways are drawn among those open to a patient, so an injection is compared
with usual care among those whose care has failed. All patients have the condition: tests have a sensitivity here, and no specificity.

## Distribution and upkeep

`samples/` holds the first {rows} rows of each frame; `make demo` rebuilds the rest. Licence: as the code (BSD-3-Clause).
"""


def sample_files(frames: Frames) -> dict[str, str]:
    """Return the samples as CSV text, by file name."""
    names = (*OBSERVED, *TRUTH)
    return {f"{n}.csv": getattr(frames, n).head(_ROWS).to_csv(index=False, lineterminator="\n") for n in names}


def datasheet(frames: Frames, config: CohortConfig) -> str:
    """Return DATASHEET.md: what the data are, how they were made, what they are for and what they are not for."""
    scenario = load_scenario(config.scenario)
    parameters = [*scenario.runners.values(), *scenario.patients.values()]
    assumed = sum(each.assumption for each in parameters)
    return _DATASHEET.format(
        notice=NOTICE, scenario=scenario.name, title=scenario.title, rows=_ROWS,
        runners=len(frames.onset), clubs=frames.onset["club"].nunique(), patients=len(frames.treatment),
        screening=len(SCREENING), visit=len(VISIT), onset=ONSET.name, success=SUCCESS.name,
        onset_rate=frames.onset[ONSET.name].mean(), success_rate=frames.treatment[SUCCESS.name].mean(),
        odds_ratio=odds_ratio_over(2.0, scenario.runners["onset_base_rate"].value, scenario.horizon_months),
        parameters=len(parameters), cited=len(parameters) - assumed, assumed=assumed,
    )  # fmt: skip


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

__all__ = ["HOME", "SAMPLES", "datasheet", "sample_files"]
