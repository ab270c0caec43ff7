"""Run every benchmark: `make bench`."""

from benchmarks.fresh import best_auroc, figures, fresh_clubs, same_clubs
from pfps_ml.bundle import released_bundle
from pfps_ml.config import CohortConfig
from pfps_ml.evaluation.metrics import METRICS
from pipelines.console import say, table


def main() -> None:
    """Print the released bundle's figures on 100,000 fresh runners of the same world, and of fresh clubs."""
    bundle, config = released_bundle(), CohortConfig()
    same = same_clubs(config)
    found, elsewhere = figures(bundle, same), figures(bundle, fresh_clubs(config))
    best = best_auroc(config, same)
    rows = [(each.label, f"{found[name]:.3f}", f"{elsewhere[name]:.3f}") for name, each in METRICS.items()]
    table(f"{bundle.name} on fresh runners ({len(same.y):,} each)", ("figure", "same clubs", "fresh clubs"), rows)
    share = (found["auroc"] - 0.5) / (best - 0.5)
    say(f"Same clubs: AUROC {found['auroc']:.3f}, of a fit on 1,000,000 rows {best:.3f}: {share:.0%} of the way.")


if __name__ == "__main__":
    main()
