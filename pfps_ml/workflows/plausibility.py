"""Write PLAUSIBILITY.md: which published figures come back from the simulated cohort, and which do not."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from pfps_ml.core import write_whole
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.core.markup import markdown_list, markdown_table
from pfps_ml.domain import NOTICE, SUCCESS
from pfps_ml.simulation.plausibility import COHORT, PUBLISHED_PARTS, STEP, TIED, Finding, Use, check
from pfps_ml.simulation.targets import TOLERANCES
from pfps_ml.simulation.targets_runners import added_up

PAGE, TABLE = Path("PLAUSIBILITY.md"), Path("docs/plausibility.csv")
HELD_OUT: Use = "held out"
_HEADER = ("figure", "published", "accepted", "simulated", "inside", "use", "rows")

_TEXT = """# Plausibility: do the published figures come back?

**{notice}**

Written by `python -m pfps_ml.workflows.plausibility` from {runners:,} runners and {patients:,} patients of a scenario;
a test fails when it is stale. Rows are those of the ledger (`pfps_ml/domain/evidence.csv`).

{inside} of {total} figures come back. {set_} are **set**: a parameter was solved or chosen from them, so they show only
that the arithmetic is right. From the other {held_out} nothing was set, but {same} are of the **same study** as one
that was, and go with it: when the parameters that cite their study move over their intervals (by {step:.0%} where there
is none), they move by more than {tied:.0%} of what is accepted. {same_in} of these come back. The rest are **held
out**: of {free} independent held-out figures, {free_in} come back. {strict} of these {free} are of studies that no
parameter cites for anything. Studies are told apart by DOI, by author and year, and by the name of a cohort; two
reports of one trial under different authors are not seen to be one. Figures are of the scenario `reference` unless
another is named.

Everybody is measured with retest error and nothing is missing. Onset is weighed by its true risk, so figures carry
next to no sampling error. Contrasts before onset, odds ratios per SD and correlations are taken within a sex; ratios
between groups are crude, as a study without adjustment would find them, and those of spikes are over the months in
which a spike acts. Success is the mean chance under each arm, as in a randomised trial. A figure is accepted within its
interval. Where none was published, one tolerance holds for all figures of its kind:

{tolerances}

Which figures are here: those of runners and of patients that the world simulates on a like scale, whether they come
back or not. Left out are incidences of other people (cadets, team sports; G1-12, G1-16 to G1-18) and rows recalled
from memory (G1-39, G2-35). The tolerances above were fixed with simulated values in view: they are conventions, not
tests agreed beforehand.

A figure that several studies give differently is accepted between them, which is a weak test.

{parts}
## Not met, and why

{missed}

## What cannot be compared

* Tests that no visit field stands for (G5-01, G5-04, G5-06 to G5-14).
* Outcomes after {at} (G4-58, G4-65, G4-71), recovery over time (G4-76) and scores after treatment (G4-08 to G4-13):
  success at {at} is the one outcome. Published trials are held again, with their own size, in TRIALS.md.
* The load ratio that runs backwards (G2-40): the world holds weekly ratios to have no effect, as G2-41 found.
* Injections (G4-45, G4-48: satisfaction and freedom from treatment after months and years) and flat inserts (G4-34).
* Hip strength in school runners by an unstated unit (G2-22) or by thirds (G2-27); these two contradict each other.
* The foot's U-shaped change with age (G3-20) and any injury but runner's knee (G1-36, G1-54): not simulated.
"""

_ADDED_UP = """
The ledger's odds ratios of `pooled` (G1-19, G2-02, G2-03, G2-28), added up as if they were independent and measured
without error, would give an AUROC of {:.2f}: published ratios are marginal, so they are solved jointly.
"""


def plausibility_page(findings: list[Finding]) -> str:
    """Return PLAUSIBILITY.md."""
    parts = [_part(part, [finding for finding in findings if finding.part == part]) for part in PUBLISHED_PARTS]
    missed = (f"**{_name(finding)}** ({', '.join(finding.row.rows)}): {finding.row.why}." for finding in findings
              if not finding.inside)  # fmt: skip
    return _TEXT.format(
        at=SUCCESS.at(), notice=NOTICE,
        runners=COHORT.runners, patients=COHORT.patients, step=STEP, tied=TIED, **_counts(findings),
        tolerances=markdown_list(TOLERANCES, mark="*"), parts="\n".join(parts), missed=markdown_list(missed, mark="*"),
    )  # fmt: skip


def plausibility_table(findings: list[Finding]) -> pd.DataFrame:
    """Return docs/plausibility.csv: a row a published figure, which value the simulated people give, and its use."""
    return pd.DataFrame([
        {
            "part": finding.part, "figure": finding.row.what, "scenario": finding.row.scenario,
            "low": f"{finding.row.target.low:.4g}", "high": f"{finding.row.target.high:.4g}",
            "simulated": f"{finding.simulated:.4g}",
            "inside": finding.inside, "use": finding.use, "rows": " ".join(finding.row.rows),
        }
        for finding in findings
    ])  # fmt: skip


def _counts(findings: list[Finding]) -> dict[str, int]:
    use = Counter(finding.use for finding in findings)
    back = Counter(finding.use for finding in findings if finding.inside)
    return {
        "inside": back.total(), "total": use.total(), "set_": use["set"], "held_out": use.total() - use["set"],
        "same": use["same study"], "same_in": back["same study"], "free": use[HELD_OUT], "free_in": back[HELD_OUT],
        "strict": sum(finding.kin is not None and not finding.kin.parameters for finding in findings),
    }  # fmt: skip


def _part(title: str, findings: list[Finding]) -> str:
    text = f"## {title}\n\n{_findings_table(findings)}\n"
    return text + _ADDED_UP.format(added_up()) if title == "Discrimination" else text


def _findings_table(findings: Iterable[Finding]) -> str:
    return markdown_table(_HEADER, map(_cells, findings), spaced_rule=True)


def _cells(finding: Finding) -> tuple[str, ...]:
    row, target = finding.row, finding.row.target
    accepted = f"{target.low:.4g} to {target.high:.4g} ({target.basis})"
    noted = f"{finding.use}: {row.note}" if row.note else finding.use
    inside = "yes" if finding.inside else "**no**"
    return _name(finding), target.published, accepted, f"{finding.simulated:.4g}", inside, noted, ", ".join(row.rows)


def _name(finding: Finding) -> str:
    other = "" if finding.row.scenario == "reference" else f" (`{finding.row.scenario}`)"
    return finding.row.what + other


def main() -> None:
    """Write PLAUSIBILITY.md and its table into the current folder, which is the checkout's, and show the figures."""
    with steps("plausibility", 1) as tell:
        tell("reading the figures off the simulated people")
        findings = check()
    write_whole(PAGE, plausibility_page(findings).encode("utf-8"))
    write_whole(TABLE, plausibility_table(findings).to_csv(index=False, lineterminator="\n").encode("utf-8"))
    rows = [(*_cells(finding)[:5], finding.use) for finding in findings]
    table("Published figures, and what the simulated people give", _HEADER[:6], rows)
    counts = _counts(findings)
    say(f"{PAGE}: {counts['inside']} of {counts['total']} figures come back, "
        f"{counts['free_in']} of {counts['free']} independent held-out ones")  # fmt: skip


if __name__ == "__main__":
    command(main)

__all__ = ["HELD_OUT", "PAGE", "TABLE", "plausibility_page", "plausibility_table"]
