"""Run the benchmarks of the released bundle: `make bench` (candidates and gates have their own: README)."""

import os

from benchmarks import intervals, speed, throughput
from benchmarks.fresh import best_auroc, cohort_speed, effect_coverage, figures, fresh_clubs, same_clubs
from pfps_ml.core import CohortConfig
from pfps_ml.core.console import say, steps, table
from pfps_ml.evaluation.metrics import METRICS
from pfps_ml.model import released_bundle


def main() -> None:
    """Print how good the released bundle is on fresh runners, how honest its intervals are, and what it all costs."""
    os.environ["OMP_NUM_THREADS"] = "1"
    fresh()
    intervals.main()
    speed.main()
    throughput.main()


def fresh() -> None:
    """Print the released bundle's figures on 100,000 fresh runners of the same world, and of fresh clubs."""
    bundle, config = released_bundle(), CohortConfig()
    with steps("bench", 5) as tell:
        tell("fresh runners of the same clubs")
        same = same_clubs(config)
        found = figures(bundle, same)
        tell("fresh runners of fresh clubs")
        elsewhere = figures(bundle, fresh_clubs(config))
        tell("a fit on 1,000,000 rows")
        best = best_auroc(config, same)
        tell("fresh patients")
        covered = effect_coverage(bundle, config)
        tell("cohorts of 1,000,000 and 10,000,000 runners")
        costs = cohort_speed(config)
    rows = [(each.label, f"{found[name]:.3f}", f"{elsewhere[name]:.3f}") for name, each in METRICS.items()]
    table(f"{bundle.name} on fresh runners ({len(same.y):,} each)", ("figure", "same clubs", "fresh clubs"), rows)
    share = (found["auroc"] - 0.5) / (best - 0.5)
    say(f"Same clubs: AUROC {found['auroc']:.3f}, of a fit on 1,000,000 rows {best:.3f}: {share:.0%} of the way.")
    header = ("pathway", "patients", "true effect inside its 90 % interval", "SD of effects", "true SD")
    arms = ((r.arm, f"{r.n:,}", f"{r.covered:.0%}", f"{r.sd:.3f}", f"{r.true_sd:.3f}") for r in covered.itertuples())
    table("Effects on fresh patients", header, arms)
    speed = (
        (f"{r.rows:,}", f"{r.seconds:.1f} s", f"{r.rows / r.seconds:,.0f}", f"{r.peak_mb:.0f} MB")
        for r in costs.itertuples()
    )
    table("Cohorts to Parquet, one process", ("runners", "time", "runners/s", "peak memory"), speed)


if __name__ == "__main__":
    main()
