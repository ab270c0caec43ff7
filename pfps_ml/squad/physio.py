"""The pages behind the first one, for the physio: every runner, what drives the risks, and how good the data are."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from pfps_ml.core.levels import percent as in_percent
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.knowledge.field import DRIVERS, Driver
from pfps_ml.knowledge.measuring import ASSUMPTION
from pfps_ml.squad.answers import Answers
from pfps_ml.squad.budget import HARDLY
from pfps_ml.squad.drawing import percent, price_strip, risk_line
from pfps_ml.squad.measurements import Choice
from pfps_ml.squad.page import built_table, figure, paragraphs, section, table
from pfps_ml.squad.words import cases, gained, hours, named, points, signed

_BANDS = ("low", "moderate", "high")
_DRIVERS: dict[Driver, str] = {"hip": "Hip", "foot": "Foot and step", "knee": "Knee", "load": "Training load",
                               "history": "History", "body": "Body"}  # fmt: skip
_SHADES = (0.5, 1.5, 3.0, 6.0)  # percentage points from which a cell of the heat map is darker
_REASONS = 3
_SHOWN = 0.0005  # cases: what brings less is only named


def everybody(found: Answers) -> str:
    """Show every runner by risk, with interval and reasons."""
    squad, risk = found.screening, found.screening.found.prediction.risk
    if not len(squad.squad):
        return ""
    low, high = risk.low[squad.squad], risk.high[squad.squad]
    top = max(float(high.max()), 0.1)
    rows = []
    for place, value in enumerate(found.risks):
        band = _BANDS[int(squad.found.bands[squad.squad[place]])]
        reasons = [found.told(reason) for reason in squad.reasons(place)[:_REASONS]]
        line = risk_line(float(value), float(low[place]), float(high[place]), top, band)
        rows.append(
            f"<td><b>{named(squad, place)}</b></td><td class=number>{percent(value)}</td>"
            f"<td class=range>{percent(low[place])} to {percent(high[place])}</td><td>{line}</td>"
            f'<td><span class="band {band}">{band}</span></td>'
            f"<td class=reasons>{'; '.join(reasons) or 'nothing known'}</td>"
        )
    header = (
        "Runner",
        "Risk#",
        f"{in_percent(squad.bundle.level)} interval",
        f"0 to {percent(top)}",
        "Band",
        "Reasons, percentage points",
    )
    about = (
        f"The risk of new runner's knee within {squad.bundle.horizons['onset']}. The interval is "
        "what the evidence leaves open for a runner like this one. ◆ marks what training can change. The bands are an "
        "assumption."
    )
    more = ""
    if found.forecast:
        sums = f"{cases(float(found.risks.sum()))} cases; the forecast's average is {cases(found.forecast.mean)}"
        more = f"The single risks add up to {sums}: bad years count for more in an average."
    return section("All runners, by risk", paragraphs(about), built_table(header, rows, kind="all"), paragraphs(more))


def drivers(found: Answers) -> str:
    """Show what drives each risk as a heat map, which is its own table."""
    squad = found.screening
    if not len(squad.squad):
        return ""
    cells = [squad.drivers(place) for place in range(len(squad.squad))]
    shown = [driver for driver in DRIVERS if any(driver in row for row in cells)]
    rows = [f"<th scope=row>{named(squad, place)}</th>" + "".join(_cell(row.get(driver)) for driver in shown)
            for place, row in enumerate(cells)]  # fmt: skip
    about = (
        "Percentage points that each group of answers and tests adds to a runner's risk (orange) or takes from it "
        "(blue), beside a runner of whom it is not known. A dash: nothing of the group is known."
    )
    header = ("Runner", *(f"{_DRIVERS[driver]}#" for driver in shown))
    return section("What drives the risks", paragraphs(about), built_table(header, rows, kind="heat"))


def price(found: Answers) -> str:
    """Show for which worth of a case the list is better than seeing everybody or nobody."""
    budget = found.budget
    if budget is None:
        return ""
    ends = sorted((1 / budget.to_share, 1 / budget.from_share))
    texts = ("nobody", f"these {len(budget.first)}", "everybody")
    rows = [(texts[0], "fewer than", f"{ends[0]:.0f}"), (texts[1], f"{ends[0]:.0f} to", f"{ends[1]:.0f}"),
            (texts[2], "more than", f"{ends[1]:.0f}")]  # fmt: skip
    about = (
        "How many check-ups is it worth to find one coming case? The fewer, the shorter the list should be. "
        f"This report judges at {1 / budget.price:.0f}, where a runner of average risk is just worth seeing: an "
        "assumption."
    )
    benefit = (
        f"the list {signed(budget.benefit['list'], 2)}, everybody {signed(budget.benefit['everybody'], 2)}, nobody 0"
    )
    more = f"Net benefit there, in cases found less the price of the others seen: {benefit}."
    behind = table(("Whom to see", "check-ups a case", "#"), rows)
    return section("Is the list worth using?", paragraphs(about, budget.verdict),
                   figure(price_strip(ends, 1 / budget.price, texts), behind), paragraphs(more))  # fmt: skip


def measuring(found: Answers) -> str:
    """Show what each further measurement would bring, and of whom to take which."""
    if found.plan is None or found.budget is None or not found.squad.choices:
        return ""
    kinds = [(name, list(each)) for name, each in groupby(sorted(found.squad.choices, key=_field), key=_field)]
    worth = sorted(((found.squad.gain(each), name, each) for name, each in kinds), key=lambda row: -row[0])
    header = ("If measured in all who lack it", "how", "runners#", "time#", "more cases among the first#")
    rows = [(_label(name), BY_NAME[name].obtained, str(len(each)), _time(each), f"{gain:.3f}")
            for gain, name, each in worth if gain >= _SHOWN]  # fmt: skip
    rest = ", ".join(_label(name).lower() for gain, name, _ in worth if gain < _SHOWN)
    parts = [table(header, rows) if rows else "", paragraphs(f"Nothing to speak of: {rest}." if rest else "")]
    about = (
        f"Today the {len(found.budget.first)} of highest risk are seen first. A measurement is worth something only "
        f"where it may change who they are. {ASSUMPTION}"
    )
    return section("What measuring would bring", paragraphs(about), *parts, _plan(found))


def _plan(found: Answers) -> str:
    plan = found.plan
    if plan is None or not plan.chosen:
        return paragraphs("No measurement would change who is seen first.")
    by_runner: dict[int, list[Choice]] = {}
    for choice in plan.chosen:
        by_runner.setdefault(choice.runner, []).append(choice)
    rows = [(_name(found, at), ", ".join(_label(choice.field) for choice in each),
             _time(each)) for at, each in by_runner.items()]  # fmt: skip
    spent, gain = hours(plan.minutes / 60), gained(plan.gain)
    about = f"If there are {hours(found.wanted.hours)}: {spent} of tests, in this order ({gain} more cases)"
    return (f"<details{' open' if plan.gain >= HARDLY else ''}><summary>{escape(about)}</summary>"
            f'{table(("Runner", "What", "time#"), rows)}</details>')  # fmt: skip


def _name(found: Answers, place: int) -> str:
    """Return the id of one of the squad, as text."""
    return found.screening.ids[int(found.screening.squad[place])]


def _cell(value: float | None) -> str:
    if value is None:
        return '<td class="number none">\N{EN DASH}</td>'
    shade = sum(abs(value) >= cut for cut in _SHADES)
    kind = f" {'up' if value > 0 else 'down'}{shade}" if shade else ""
    return f'<td class="number{kind}">{points(value)}</td>'


def _time(chosen: Sequence[Choice]) -> str:
    return hours(sum(choice.minutes for choice in chosen) / 60)


def _label(name: str) -> str:
    return BY_NAME[name].label


def _field(choice: Choice) -> str:
    return choice.field


__all__ = ["drivers", "everybody", "measuring", "price"]
