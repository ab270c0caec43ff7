"""Write PLAUSIBILITY.md, TRIALS.md and docs/RULES.md: what of the published comes back, and how often rules fire.

PLAUSIBILITY.md says which published figures come back from the simulated cohort, and which do not. TRIALS.md has
published studies that are held again in the simulated world, with a picture and a table. docs/RULES.md has the rules
across fields, and how often each fires in simulated patients.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pfps_ml.core import CohortConfig, write_whole
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.core.markup import markdown_list, markdown_table
from pfps_ml.domain import (
    BY_NAME,
    NOTICE,
    RULES,
    SUCCESS,
    Rule,
    check as check_rows,
    clinical_rules,
    complete,
    ledger,
    rules_table,
    scenario_names,
)
from pfps_ml.evaluation.displays import BLUE, INK, ORANGE, new_figure, save
from pfps_ml.simulation.cohort import simulate_treatment
from pfps_ml.simulation.plausibility import COHORT, PUBLISHED_PARTS, STEP, TIED, Finding, Use, check
from pfps_ml.simulation.published_trials import studies
from pfps_ml.simulation.study_figures import TOLERANCES
from pfps_ml.simulation.targets_runners import added_up
from pfps_ml.simulation.trials import Measure, Study, circular, place, reenact, related

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PAGE, TABLE = Path("PLAUSIBILITY.md"), Path("docs/plausibility.csv")
HELD_OUT: Use = "held out"
_HEADER = ("figure", "published", "accepted", "simulated", "inside", "use", "rows")

_TEXT = """# Plausibility: do the published figures come back?

**{notice}**

Written by `python -m pfps_ml.workflows.world_reports` from {runners:,} runners and {patients:,} patients of a scenario;
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
* Recovery as patients alone rate it (G4-71) and scores of trials with a knee programme (G4-08 to G4-13): success and
  running again are the outcomes. Published trials are held again, with their own size, in TRIALS.md.
* Days 1 to 14, of which no figure of runner's knee was read: acute injuries (C-044 to C-046) and placebos (C-112).
* The load ratio that runs backwards (G2-40): the world holds weekly ratios to have no effect, as G2-41 found.
* Injections (G4-45, G4-48: satisfaction and freedom from treatment after months and years; TRIALS.md has the series).
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
        notice=NOTICE,
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


def write_plausibility() -> None:
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


RULES_PAGE = Path("docs/RULES.md")
PATIENTS = 20_000  # of a scenario, in whom the rules are counted
MOST_WITHHELD = 3.0  # of 100 simulated patients, by one rule: what stops more is soon read by nobody; an assumption
_RULES = """# Rules across fields, and how often they fire

**{notice}**

Written by `python -m pfps_ml.workflows.world_reports`; a test fails when it is stale. {about}

The last columns say in how many of 100 simulated patients of a scenario each rule fires ({patients:,} patients each).
Fields that are asked for the rules alone are not simulated: nobody knows how often a rule that needs one would fire
(a dash). No rule that withholds may fire in more than {most:g} of 100: a test.
In `kinetic_chain`, the clinics' account, many knees are swollen. So a large effusion alone cautions.

{table}
"""


def rule_frequencies(patients: int = PATIENTS, seed: int = 20265) -> pd.DataFrame:
    """Return in how many of 100 simulated patients each rule fires: a row a rule, a column a scenario."""
    shares: dict[str, list[float]] = {}
    for name in scenario_names():
        cohort = simulate_treatment(CohortConfig(scenario=name, patients=patients, seed=seed))
        came = complete(check_rows(cohort.observed, contradictions=False).values)
        used = complete(check_rows(cohort.observed).values)  # other rules see no cell that a contradiction sets aside
        shares[name] = [100 * float(rule.fires(came if rule.effect == "set_aside" else used).mean())
                        for rule in clinical_rules()]  # fmt: skip
    return pd.DataFrame(shares, index=[rule.code for rule in clinical_rules()])


def rules_page(shares: pd.DataFrame, patients: int = PATIENTS) -> str:
    """Return docs/RULES.md: every rule across fields, and how often it fires in each scenario."""
    columns = {f"`{name}`": list(map(_share, clinical_rules(), shares[name].tolist())) for name in shares}
    return _RULES.format(notice=NOTICE, about=RULES, patients=patients, most=MOST_WITHHELD,
                         table=rules_table(columns))  # fmt: skip


def _share(rule: Rule, share: float) -> str:
    """Return a share as text; a dash where the rule needs an answer that no simulated patient gives."""
    needs = (part.field for part in rule.conditions if part.op != "missing")
    return "-" if any(BY_NAME[name].role == "flag" for name in needs) else f"{share:.2f}"


def write_rules() -> None:
    """Write docs/RULES.md into the checkout, and show how often the rules fire."""
    with steps("rules", 1) as tell:
        tell("counting the rules in the simulated patients")
        shares = rule_frequencies()
    write_whole(RULES_PAGE, rules_page(shares).encode("utf-8"))
    rows = [
        (code, *(f"{share:.2f}" for share in row)) for code, row in zip(shares.index, shares.to_numpy(), strict=True)
    ]
    table("Rules across fields: fired in how many of 100 patients", ("rule", *shares), rows)


HOME, PICTURES = Path("TRIALS.md"), Path("docs")
REPLICATES, DRAWS = 1000, 100
HEADINGS = ("Study", "Compared by", "People", "Published (95 %)", "Re-enacted (central 95 %)", "Percentile", "Inside",
            "Over evidence draws", "Inside", "Circular")  # fmt: skip
_PANELS: tuple[tuple[str, tuple[Measure, ...]], ...] = (
    ("Share with the outcome (%)", ("share",)),
    ("Difference between two arms (percentage points)", ("difference",)),
    ("Ratio (risk ratio, odds ratio, or as named)",
     ("risk ratio", "odds ratio", "ratio of odds ratios", "odds ratio per SD")),
)  # fmt: skip
_PERCENT = ("share", "difference")
_PALE = "#9ecae8"  # the blue of the figures, lightened

_DOCUMENT = """# Virtual trials

**{notice}**

Written by `python -m pfps_ml.workflows.world_reports`; a test fails when it is stale.

Each published study is held again {replicates:,} times in the simulated world, with its entry criteria, arms, size and
follow-up, and its result is compared with the spread of the re-enacted ones: its percentile, and whether it lies in the
central 95 %. That says whether the study could have happened in this world. It is no evidence about people: whatever
comes out was put in. The first spread is chance alone, at the point values of the evidence. The second is over {draws}
draws of the evidence and holds also what the evidence leaves open.

A re-enactment is *circular* where a parameter of the scenario cites a row of the ledger that reports the study's own
result: the simulation was told, and agreement shows only that it listened. It is of the *same study* where a parameter
cites another figure of its people only. Both are computed from the scenarios and the ledger.

{summary}

![Published results beside the spread of their re-enactments](docs/trials.png)

The table behind the picture is [docs/trials.csv](docs/trials.csv).

## Results

{results}

Differences are percentage points, the first arm less the second. Equal values count half in a percentile.

## Not reproduced

{outside}

## How each study was held again

{how}

## Limits

- Small studies have wide spreads: being inside them says little.
- {success} is the only outcome of treatment and a first episode the only outcome of running. Scores, earlier
  and later times, drop-out, competing injuries and blinding are not simulated.
- Where a study's score or P value is read as an odds ratio, a logistic distribution is assumed.
- Studies are told apart by DOI, by author and year, and by the name of a cohort. Two reports of one trial under
  different names are not seen to be one, such as the effect of symptom duration (G4-63) in the trial of orthoses
  against flat inserts.
"""


@dataclass(frozen=True)
class Trials:
    """The re-enacted studies: the table, and the picture drawn from it."""

    rows: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return one row a study: published, re-enacted, percentile, inside, circular."""
        return self.rows

    def plot(self) -> "Figure":
        """Draw one row a study: the central 95 % of its re-enactments, and the published result with its interval."""
        figure = new_figure("Published results, and the spread of their re-enactments", 8.8)
        parts = [self.rows[self.rows["measure"].isin(measures)] for _, measures in _PANELS]
        key, *panels = figure.subplots(len(parts) + 1, 1, height_ratios=[1.2, *(len(part) + 1.2 for part in parts)])
        for axes, part, (label, _) in zip(panels, parts, _PANELS, strict=True):
            _panel(axes, part, label)
        key.set_axis_off()
        key.legend(handles=_legend(), loc="center right", ncols=2, fontsize=8, frameon=False)
        return figure


def hold(replicates: int = REPLICATES, draws: int = DRAWS, tell: Callable[[str], None] = lambda _step: None) -> Trials:
    """Hold every study again, at the point values of the evidence and over draws of it, `replicates` times each.

    `tell` hears the title of each study as it begins.
    """
    rows = []
    for study in studies():
        tell(study.title)
        point, drawn = (place(reenact(study, replicates, k), study.figure.value) for k in (0, draws))
        known = {
            "key": study.key, "study": study.title, "scenario": study.scenario, "measure": study.measure,
            "people": study.size, "published": study.figure.value, "published_low": study.figure.low,
            "published_high": study.figure.high,
        }  # fmt: skip
        opened = {"drawn_low": drawn.low, "drawn_high": drawn.high, "drawn_inside": drawn.inside}
        citations = {"circular": " ".join(circular(study)), "same_study": " ".join(related(study))}
        rows.append(known | asdict(point) | opened | citations)
    frame = pd.DataFrame(rows)
    return Trials(frame.round(dict.fromkeys(frame.select_dtypes("float"), 4)))


def document(trials: Trials) -> str:
    """Return TRIALS.md."""
    frame = trials.frame()
    by_key = {row["key"]: row for row in frame.to_dict("records")}
    outside = [study for study in studies() if not by_key[study.key]["inside"]]
    return _DOCUMENT.format(
        success=SUCCESS.label, notice=NOTICE,
        replicates=REPLICATES, draws=DRAWS, summary=_summary(frame), results=_results(frame),
        outside="\n".join(f"- **{study.title}.** {study.why}" for study in outside) or "None.",
        how="\n".join(_account(study, by_key[study.key]["undefined"]) for study in studies()),
    )  # fmt: skip


def _summary(frame: pd.DataFrame) -> str:
    held_out, circular_ones = frame[frame["circular"] == ""], frame[frame["circular"] != ""]
    same = (held_out["same_study"] != "").sum()
    of_circular, of_others = ((part["inside"].sum(), part["drawn_inside"].sum()) for part in (circular_ones, held_out))
    return (
        f"{len(frame)} results are compared; {len(circular_ones)} of the re-enactments are circular. The published "
        f"result lies inside in\n{of_circular[0]} of these and in {of_others[0]} of the {len(held_out)} others "
        f"(over evidence draws: {of_circular[1]} and {of_others[1]}).\n"
        f"{same} of the others are of the same study as a figure in use."
    )


def _results(frame: pd.DataFrame) -> str:
    rows = []
    for row in frame.to_dict("records"):
        published = row["published"], row["published_low"], row["published_high"]
        point, drawn = (row["median"], row["low"], row["high"]), (row["drawn_low"], row["drawn_high"])
        rows.append([
            row["study"], row["measure"], f"{row['people']:,}", _numbers(row["measure"], published),
            _numbers(row["measure"], point), _percentile(row["percentile"]), "yes" if row["inside"] else "**no**",
            " to ".join(_formatted(row["measure"], drawn)), "yes" if row["drawn_inside"] else "**no**",
            "yes" if row["circular"] else "same study" if row["same_study"] else "no",
        ])  # fmt: skip
    return markdown_table(HEADINGS, rows, spaced_rule=True)


def _formatted(measure: str, values: tuple[float, ...]) -> list[str]:
    return [f"{100 * value:.1f}" if measure in _PERCENT else f"{value:.2f}" for value in values]


def _numbers(measure: str, values: tuple[float, float, float]) -> str:
    texts = _formatted(measure, values)
    unit = " %" if measure == "share" else ""
    return f"{texts[0]}{unit}" + ("" if np.isnan(values[1]) else f" ({texts[1]} to {texts[2]})")


def _percentile(percentile: float) -> str:
    return "< 0.1" if percentile == 0 else "> 99.9" if percentile == 100 else f"{percentile:.1f}"


def _account(study: Study, undefined: int) -> str:
    source = ledger()[study.rows[-1]].study
    groups = " against ".join(f"{group.name} ({group.size})" for group in study.groups)
    citations = _citations("Circular", circular(study)) + _citations("Of the same study", related(study))
    lost = f" Not defined in {undefined} re-enactments, in which nobody fell ill." if undefined else ""
    return (
        f"- **{study.title}** ({source}; {', '.join(study.rows)}). Scenario `{study.scenario}`; "
        f"{groups}{_entry(study)}. Compared by {study.measure}: {study.figure.how}. {study.stands.strip()}"
        f"{citations}{lost}"
    )


def _citations(how: str, cited: dict[str, list[str]]) -> str:
    texts = "; ".join(f"`{name}` cites {', '.join(rows)}" for name, rows in cited.items())
    return f" {how}: {texts}." if texts else ""


def _entry(study: Study) -> str:
    texts = [f"`{name}` {_range(low, high)}" for name, low, high in study.entry]
    texts += [f"`{name}` {_range(value, value)}" for name, value in study.do.items()]
    texts += [f"{100 * study.women:.0f} % women"] if study.women is not None else []
    texts += [f"{study.weeks:g} weeks"] if study.weeks is not None else []
    return "; entry: " + ", ".join(texts) if texts else ""


def _range(low: float, high: float) -> str:
    if low == high:
        return "yes" if low else "no"
    if high == inf:
        return f"at least {low:g}"
    return f"at most {high:g}" if low == -inf else f"{low:g} to {high:g}"


def _panel(axes: "Axes", rows: pd.DataFrame, label: str) -> None:
    unit = 100 if rows["measure"].isin(_PERCENT).all() else 1
    for line, row in enumerate(rows.to_dict("records")):
        low, median, high, published = (unit * row[name] for name in ("low", "median", "high", "published"))
        axes.plot([unit * row["drawn_low"], unit * row["drawn_high"]], [line, line], color=BLUE, lw=2.4, alpha=0.45)
        axes.plot([low, high], [line, line], color=_PALE, lw=8, solid_capstyle="butt")
        axes.plot([median], [line], "|", color=BLUE, ms=11, mew=2)
        if pd.notna(row["published_low"]):
            ends = [unit * row["published_low"], unit * row["published_high"]]
            axes.plot(ends, [line, line], color=ORANGE, lw=1.2)
        axes.plot([published], [line], "D", color=ORANGE, ms=6, mfc="white" if row["circular"] else ORANGE, mew=1.4)
    axes.set_yticks(range(len(rows)), rows["study"], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(label, fontsize=8, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)
    _scale(axes, str(rows["measure"].iloc[0]))
    axes.tick_params(axis="x", labelsize=8)


def _scale(axes: "Axes", measure: str) -> None:
    if measure == "difference":
        axes.axvline(0, color=INK, lw=0.8, ls=":")
        return
    if measure == "share":
        # square root: a study's chance scatter is then about as wide at 2 % as at 60 %
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        ticks = [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 70.0]
        axes.set_xlim(0, 85)
    else:
        axes.set_xscale("log")
        axes.axvline(1, color=INK, lw=0.8, ls=":")
        ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=_PALE, marker="|", mec=BLUE, lw=8, ms=11, mew=2, label="Re-enacted: median, central 95 %"),
        Line2D([], [], color=BLUE, lw=2.4, alpha=0.45, label="The same over evidence draws"),
        Line2D([], [], color=ORANGE, marker="D", lw=1.2, label="Published, with its 95 % interval"),
        Line2D([], [], color=ORANGE, marker="D", mfc="white", lw=1.2, label="Published, circular (helped to set it)"),
    ]


def write_trials() -> None:
    """Hold the published studies again and write TRIALS.md, docs/trials.png and docs/trials.csv."""
    with steps("virtual trials", len(studies())) as tell:
        trials = hold(tell=tell)
    save(trials, PICTURES, "trials")
    write_whole(HOME, document(trials).encode())
    frame = trials.frame()[["study", "percentile", "inside", "drawn_inside"]]
    table("published results among re-enacted ones", frame.columns, frame.to_numpy())
    say(f"{HOME}, {PICTURES}/trials.png and {PICTURES}/trials.csv are written")


def main() -> None:
    """Write the documents into the current folder."""
    write_plausibility()
    write_trials()
    write_rules()


if __name__ == "__main__":
    command(main)


__all__ = [
    "DRAWS",
    "HEADINGS",
    "HELD_OUT",
    "HOME",
    "MOST_WITHHELD",
    "PAGE",
    "PICTURES",
    "REPLICATES",
    "TABLE",
    "Trials",
    "document",
    "hold",
    "plausibility_page",
    "plausibility_table",
    "rule_frequencies",
    "rules_page",
]
