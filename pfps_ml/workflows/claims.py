"""Write CLAIMS.md: what patients are told about runner's knee, what the literature says, what each scenario assumes.

The S-rows of the ledger say, by subject, what is claimed and how the literature judges it; `claims.toml` says which
figures bear on a claim and which scenario parameters take a stand on it.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count, product
from math import exp
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

from pfps_ml.core import FactError, Message, write_whole
from pfps_ml.core.console import command, say
from pfps_ml.core.markup import markdown_table
from pfps_ml.domain import NOTICE, PARTS, Evidence, Parameter, ledger, load_scenario, scenario_names
from pfps_ml.simulation.cohort import solved_parameters

ShownAs = Literal["number", "percent", "ratio"]
# the verdict stands at the start of the note of every S-row
VERDICTS = {
    "Supported": "published figures say the same",
    "Partly supported": "part of it is published, or it holds only with a restriction",
    "Weak": "no source, or evidence that does not carry it",
    "Contradicted": "published figures say otherwise",
    "Not checkable": "a description, an anecdote or a rule for which no figure was found",
}
_HOME = files("pfps_ml.domain") / "claims.toml"


@dataclass(frozen=True)
class Claim:
    """One thing that patients are told.

    Attributes
    ----------
    id
        Its row in the ledger.
    said
        The claim, in plain words.
    verdict, why
        How the literature judges it (one of `VERDICTS`), and the reason.
    rows
        The ledger rows that bear on it; empty where nothing was found.
    parameters
        The scenario parameters that take a stand on it, as `part.name`; empty where the simulated world is silent.
    """

    id: str
    said: str
    verdict: str
    why: str
    rows: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """The claims on one subject."""

    title: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Conflict:
    """Figures of the ledger that do not agree, and what they say."""

    title: str
    rows: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Shown:
    """How a parameter is named and shown to a reader: as a number with its unit, a percentage, or exp(value)."""

    label: str
    shown_as: ShownAs


@cache
def groups() -> tuple[Group, ...]:
    """Return all claims by subject.

    Raises
    ------
    FactError
        If a claim is no row of the ledger, or its note does not begin with a verdict.
    """
    return tuple(
        Group(group["title"], tuple(_claim(row, facts) for row, facts in group["claims"].items()))
        for group in _content()["group"]
    )


@cache
def conflicts() -> tuple[Conflict, ...]:
    """Return where the rows of the ledger do not agree."""
    return tuple(Conflict(each["title"], tuple(each["rows"]), each["says"]) for each in _content()["conflict"])


@cache
def shown() -> dict[str, Shown]:
    """Return how the parameters that claims name are shown, by `part.name`."""
    return {name: Shown(facts["label"], facts["as"]) for name, facts in _content()["shown"].items()}


def _content() -> dict[str, Any]:
    return tomllib.loads(_HOME.read_text(encoding="utf-8"))


def _claim(row: str, facts: dict[str, Any]) -> Claim:
    if row not in ledger():
        raise FactError(Message("claim_row_unknown", {"row": row}))
    verdict, _, why = ledger()[row].note.partition(": ")
    if verdict not in VERDICTS:
        raise FactError(Message("claim_without_verdict", {"row": row, "verdicts": [*VERDICTS]}))
    rows, parameters = tuple(facts["rows"]), tuple(facts.get("parameters", ()))
    return Claim(row, ledger()[row].quantity, verdict, why, rows, parameters)


PAGE = Path("CLAIMS.md")
# these four are the positions that a reader compares; the others have a column only where they differ from their parent
_ALWAYS = ("reference", "pooled", "kinetic_chain", "null")
_PAGE = """# What patients are told about runner's knee

**{notice}**

Written by `python -m pfps_ml.workflows.claims` from the evidence ledger, `claims.toml` and the scenario files; a test
fails when it is stale.

Runner's knee is patellofemoral pain (PFP). Below are {count} things that patient-facing sources say about it. Each has
a verdict, the rows of the ledger that bear on it (listed at the end) and what the simulated worlds assume about it. The
verdicts are ours; most of the studies were read in their abstracts only. Weak does not mean wrong: it means that what
has been published does not carry the claim.

## The verdicts

{verdicts}

{legend}

## The scenarios

{scenarios}

A letter in the column *assumed* points to the line of the table below it; - means that the simulated worlds are silent.
Brackets hold the 95 % interval that evidence draws are taken from; a number without brackets is not drawn. Bold differs
from `reference`. A star marks an assumption; every other number rests on rows of the ledger. `reference`, `pooled`,
`kinetic_chain` and `null` are always shown, other scenarios where they differ from their parent. A dagger marks a ratio
that is published for one predictor alone: part of every predictor that comes with it is in it. Such marginal ratios are
solved jointly, so that each comes back when its field, measured with error, is taken alone; the effects that act inside
the simulation are therefore other numbers, and can point the other way. Per SD of a weaker hip, adults and adolescents:
{hips}.

## Words

* **Hazard**: the monthly chance of a first onset. Hazards and odds are given as ratios: 1 is no effect, 2 doubles.
* **SD**: standard deviation; two thirds of runners lie within one SD of the mean. **SMD**: a difference between groups
  in SDs; 0.2 is small, 0.8 is large.
* **AUC**: how well a measure tells two groups apart; 0.5 is a coin, 1 is always right.
* **LR+, LR-**: how many times a positive or negative test changes the odds; 1 changes nothing.
* **AKPS**: Anterior Knee Pain Scale (Kujala), 0 to 100, where 100 is no disability.
* **VMO**: vastus medialis obliquus, the inner head of the quadriceps.

{groups}

## Where the evidence conflicts

{conflicts}

## The figures

{figures}
"""


def claims_page() -> str:
    """Return CLAIMS.md."""
    claims = [claim for group in groups() for claim in group.claims]
    disputes = [[f"**{c.title}**", c.says, ", ".join(c.rows), _resting_on(c.rows)] for c in conflicts()]
    cited = sorted({row for claim in claims for row in claim.rows} | {row for c in conflicts() for row in c.rows})
    return _PAGE.format(
        notice=NOTICE,
        count=len(claims),
        verdicts=_verdicts(),
        legend="\n".join(f"* **{verdict}**: {meaning}." for verdict, meaning in VERDICTS.items()),
        scenarios="\n".join(f"* `{name}`: {load_scenario(name).title}." for name in _ordered()),
        hips="; ".join(map(_hip, _ALWAYS[:3])),
        groups="\n\n".join(map(_group, groups())),
        conflicts=_table(["subject", "what the figures say", "rows", "parameters that cite them"], disputes),
        figures=_table(
            ["row", "what was measured", "in whom", "result", "source", "how it was read"],
            [_figure(ledger()[row]) for row in cited if not row.startswith("S")],
        ),
    )


def _hip(scenario: str) -> str:
    names, acting = ("onset_hip_weakness", "onset_hip_weakness_adolescent"), vars(solved_parameters(scenario)[0])
    alone = (_parameter(scenario, f"runners.{name}").value for name in names)
    texts = [
        " and ".join(f"{exp(value):.2f}" for value in values) for values in (alone, (acting[name] for name in names))
    ]
    return f"`{scenario}` {texts[0]} alone, {texts[1]} acting"


def _verdicts() -> str:
    by_group = [[claim.verdict for claim in group.claims] for group in groups()]
    lines: list[list[str]] = [
        [group.title, *(str(verdicts.count(verdict) or "") for verdict in VERDICTS), str(len(verdicts))]
        for group, verdicts in zip(groups(), by_group, strict=True)
    ]
    every = [verdict for verdicts in by_group for verdict in verdicts]
    total = ["**All**", *(f"**{every.count(verdict)}**" for verdict in VERDICTS), f"**{len(every)}**"]
    return _table(["subject", *(verdict.lower() for verdict in VERDICTS), "claims"], [*lines, total])


def _group(group: Group) -> str:
    names = list(dict.fromkeys(name for claim in group.claims for name in claim.parameters))
    letter = dict(zip(names, _letters(), strict=False))
    claims = [
        [c.id, c.said, f"**{c.verdict}**", c.why, ", ".join(c.rows) or "-",
         ", ".join(letter[name] for name in c.parameters) or "-"]
        for c in group.claims
    ]  # fmt: skip
    text = f"## {group.title}\n\n" + _table(["claim", "what is said", "verdict", "why", "rows", "assumed"], claims)
    if not names:
        return text
    columns = [scenario for scenario in _ordered() if scenario in _ALWAYS or _differs(scenario, names)]
    assumed = [[letter[name], shown()[name].label, *(_cell(scenario, name) for scenario in columns)] for name in names]
    return f"{text}\n\nWhat the scenarios assume:\n\n" + _table(["", "", *(f"`{c}`" for c in columns)], assumed)


def _letters() -> Iterator[str]:
    """Yield A to Z, then AA, AB, and so on."""
    return ("".join(letters) for size in count(1) for letters in product(ascii_uppercase, repeat=size))


def _ordered() -> list[str]:
    return [*_ALWAYS, *(name for name in scenario_names() if name not in _ALWAYS)]


def _parameter(scenario: str, name: str) -> Parameter:
    part, _, key = name.partition(".")
    parameters: dict[str, Parameter] = getattr(load_scenario(scenario), part)
    return parameters[key]


def _differs(scenario: str, names: Iterable[str]) -> bool:
    parent = load_scenario(scenario).parent
    return parent is not None and any(
        _numbers(_parameter(scenario, name)) != _numbers(_parameter(parent, name)) for name in names
    )


def _cell(scenario: str, name: str) -> str:
    parameter, usual, shown_as = _parameter(scenario, name), _parameter(_ALWAYS[0], name), shown()[name].shown_as
    value, low, high = (_number(number, shown_as) for number in _numbers(parameter))
    unit = " %" if shown_as == "percent" else f" {parameter.unit}" if shown_as == "number" and parameter.unit else ""
    text = f"{value}{unit}" if low == high else f"{value}{unit} ({low} to {high})"
    text = f"{text} †" if parameter.marginal else text
    text = text if _numbers(parameter) == _numbers(usual) else f"**{text}**"
    return f"{text} *" if parameter.assumption else text


def _numbers(parameter: Parameter) -> tuple[float, float, float]:
    return parameter.value, parameter.low, parameter.high


def _number(value: float, shown_as: ShownAs) -> str:
    if shown_as == "ratio":
        return f"{exp(value):.2f}"
    return f"{100 * value:.3g}" if shown_as == "percent" else f"{value:g}"


def _resting_on(rows: Iterable[str]) -> str:
    names = {
        parameter.name
        for name in scenario_names()
        for part in PARTS
        for parameter in getattr(load_scenario(name), part).values()
        if {*parameter.rows} & {*rows}
    }
    return ", ".join(f"`{name}`" for name in sorted(names)) or "-"


def _figure(row: Evidence) -> list[str]:
    what = ", ".join(filter(None, (row.quantity, row.comparison, row.horizon)))
    interval = f" ({row.ci_low} to {row.ci_high})" if row.ci_low and row.ci_high else ""
    result = f"{row.estimate} {row.unit}{interval}" if row.estimate else ""
    return [row.id, what, row.population, result or "-", row.study or "-", row.grade]


def _table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    return markdown_table(header, rows, spaced_rule=True)


def main() -> None:
    """Write CLAIMS.md into the current folder, which is the checkout's."""
    write_whole(PAGE, claims_page().encode("utf-8"))
    say(f"{PAGE}: {sum(len(group.claims) for group in groups())} claims")


if __name__ == "__main__":
    command(main)

__all__ = ["PAGE", "VERDICTS", "Claim", "Conflict", "Group", "Shown", "claims_page", "conflicts", "groups", "shown"]
