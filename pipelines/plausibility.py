"""Write PLAUSIBILITY.md: which published figures come back from the simulated cohort, and which do not."""

from collections.abc import Iterable
from pathlib import Path

from pfps_ml.cohort.plausibility import COHORT, PARTS, Finding, check
from pfps_ml.cohort.targets import TOLERANCES
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.outputs import write_whole
from pipelines.console import command, say, steps, table

PAGE = Path("PLAUSIBILITY.md")
_HEADER = ("figure", "published", "accepted", "simulated", "inside", "use", "rows")

_TEXT = """# Plausibility: do the published figures come back?

**{notice}**

Written by `python -m pipelines.plausibility` from {runners:,} runners and {patients:,} patients of a scenario; a
test fails when it is stale. Rows are those of the ledger (`pfps_ml/knowledge/evidence.csv`).

{inside} of {total} figures come back. {held_out} are **held out**: nothing was set from them, and {held_in} of these
come back. The others are **set**: a parameter was solved or chosen from them, so they show only that the arithmetic is
right. Figures are of the scenario `reference` unless another is named.

Everybody is measured with retest error and nothing is missing. Onset is weighed by its true risk, so figures carry
next to no sampling error. Contrasts before onset, odds ratios per SD and correlations are taken within a sex; ratios
between groups are crude, as a study without adjustment would find them. Success is the mean chance under each arm, as
in a randomised trial. A figure is accepted within its interval. Where none was published, one tolerance holds for all
figures of its kind:

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

* Specificity and likelihood ratios of the tests (G5-02, G5-05): every simulated patient has the condition.
* Outcomes after 12 weeks (G4-58, G4-65, G4-71), recovery over time (G4-76) and scores after treatment (G4-08 to G4-13):
  success at 12 weeks is the one outcome. Published trials are held again, with their own size, in TRIALS.md.
* The load ratio that runs backwards (G2-40): the world holds weekly ratios to have no effect, as G2-41 found.
* Injections (G4-45, G4-48: satisfaction and freedom from treatment after months and years) and flat inserts (G4-34).
* Hip strength in school runners by an unstated unit (G2-22) or by thirds (G2-27); these two contradict each other.
* The foot's U-shaped change with age (G3-20) and any injury but runner's knee (G1-36, G1-54): not simulated.
"""


def plausibility_page(findings: list[Finding]) -> str:
    """Return PLAUSIBILITY.md."""
    held = [each for each in findings if each.row.held_out]
    parts = [f"## {part}\n\n{_markdown(each for each in findings if each.part == part)}\n" for part in PARTS]
    missed = [f"* **{_name(each)}** ({', '.join(each.row.rows)}): {each.row.why}." for each in findings
              if not each.inside]  # fmt: skip
    return _TEXT.format(
        notice=NOTICE, runners=COHORT.runners, patients=COHORT.patients, total=len(findings), held_out=len(held),
        inside=sum(each.inside for each in findings), held_in=sum(each.inside for each in held),
        tolerances="\n".join(f"* {each}" for each in TOLERANCES), parts="\n".join(parts), missed="\n".join(missed),
    )  # fmt: skip


def _markdown(findings: Iterable[Finding]) -> str:
    lines = [_HEADER, ("---",) * len(_HEADER), *map(_cells, findings)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cells(finding: Finding) -> tuple[str, ...]:
    row, target = finding.row, finding.row.target
    accepted = f"{target.low:.4g} to {target.high:.4g} ({target.basis})"
    noted = f"{_use(finding)}: {row.note}" if row.note else _use(finding)
    inside = "yes" if finding.inside else "**no**"
    return _name(finding), target.published, accepted, f"{finding.simulated:.4g}", inside, noted, ", ".join(row.rows)


def _use(finding: Finding) -> str:
    return "held out" if finding.row.held_out else "set"


def _name(finding: Finding) -> str:
    other = "" if finding.row.scenario == "reference" else f" (`{finding.row.scenario}`)"
    return finding.row.what + other


def main() -> None:
    """Write PLAUSIBILITY.md into the current folder, which is the checkout's, and show the figures."""
    with steps("plausibility", 1) as tell:
        tell("reading the figures off the simulated people")
        findings = check()
    write_whole(PAGE, plausibility_page(findings).encode("utf-8"))
    shown = [(*_cells(each)[:5], _use(each)) for each in findings]
    table("Published figures, and what the simulated people give", _HEADER[:6], shown)
    say(f"{PAGE}: {sum(each.inside for each in findings)} of {len(findings)} figures come back")


if __name__ == "__main__":
    command(main)

__all__ = ["PAGE", "plausibility_page"]
