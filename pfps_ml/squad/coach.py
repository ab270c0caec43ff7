"""The first page, for the coach: how many cases to expect, who to see first, and whether to measure more."""

from pfps_ml.squad.answers import Answers
from pfps_ml.squad.budget import HARDLY, Budget
from pfps_ml.squad.drawing import count_bars, percent
from pfps_ml.squad.forecast import Forecast
from pfps_ml.squad.page import built_table, chips, figure, paragraphs, section, table
from pfps_ml.squad.words import cases, gained, hours, named, ranged, runners

_CLOSE = 1e-9
_COUNTED = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def warnings(found: Answers) -> str:
    """Say at the top what makes the rest of the page weaker, or empty."""
    squad, said = found.screening, []
    if not len(squad.rows):
        said.append("No row of this file could be used, so there is nothing to tell. What is wrong stands below.")
    elif not len(squad.squad):
        said.append("Everybody in this file has knee pain now: nobody is scored, and everybody needs a visit.")
    elif len(squad.squad) == 1:
        said.append("One runner is no squad: this is that runner's own risk, and there is nobody to choose between.")
    if len(squad.squad) and squad.is_bare:
        said.append(
            "Only age and sex are known of anybody. The risks are averages for age and sex, so no order is given. "
            "Ask the questions of the questionnaire first."
        )
    if squad.seasons > 1:
        said.append(
            f"The file mixes {squad.seasons} seasons. A forecast is for one: no numbers are given for the squad as a "
            "whole. Make a file of each season."
        )
    return f'<div class="warn" role="note">{paragraphs(*said)}</div>' if said else ""


def pain(found: Answers) -> str:
    """Name who has knee pain now, and say of how many that is not known."""
    names, unknown = found.screening.in_pain, len(found.screening.not_asked)
    if not (names or unknown):
        return ""
    text = "They are not scored: whoever has pain at the front of the knee now is seen before anybody on the list."
    asked = (
        f"Of {runners(unknown)} it is not known whether they have knee pain now. They are scored as if they had none: "
        "ask them first."
    )
    parts = [chips(names) + paragraphs(text) if names else "", paragraphs(asked if unknown else "")]
    return section(f"Knee pain now: {'a visit comes' if names else 'ask'} first", *parts, kind="pain")


def _of_squads(level: float) -> tuple[str, str]:
    """Return of how many squads how many lie in an interval of a level, as a person counts: nine of ten."""
    tenths = 10 * level
    if abs(tenths - round(tenths)) < _CLOSE:
        return _COUNTED[round(tenths)], _COUNTED[10]
    return f"{100 * level:g}", "a hundred"


def expected(found: Answers) -> str:
    """Answer how many new cases the squad may expect."""
    forecast = found.forecast
    if forecast is None:
        return ""
    squad, horizon = found.screening, found.screening.bundle.horizons["onset"]
    if len(squad.squad) == 1:
        big = f'<p class="big">{percent(forecast.any)} <small>chance of a new case in {horizon}</small></p>'
        return section("How likely a case is", big, kind="card expected")
    span, count = ranged(forecast.low, forecast.high), runners(len(squad.squad))
    new = "new case" if forecast.high == 1 and forecast.low == forecast.high else "new cases"
    big = f'<p class="big">{span} <small>{new} among {count} in {horizon}</small></p>'
    most, hundred = _of_squads(forecast.level)
    said = (
        f"The average is {cases(forecast.mean)}. Of {hundred} squads like this one, {most} would have {span}. "
        f"The chance of at least one case is {percent(forecast.any)}."
    )
    why = "The range is wide because each risk is small, and nobody knows what kind of year the club will have."
    behind = table(("New cases", "Probability#", "In the range"), _counts(forecast))
    picture = figure(count_bars(forecast), behind)
    return section(
        "How many cases to expect",
        big,
        picture,
        paragraphs(said, why if forecast.high - forecast.low > 1 else ""),
        kind="card expected",
    )


def first(found: Answers) -> str:
    """Answer who to see first."""
    budget = found.budget
    if budget is None:
        return section("Who to see first", paragraphs(found.why_no_list), kind="card first") if found.forecast else ""
    rows = (_first_row(found, place) for place in budget.first)
    listed = built_table(("Runner", "Risk#", "What raises it most, percentage points"), rows, kind="first")
    return section("Who to see first", listed, paragraphs(*_reach(found, budget)), kind="card first")


def measure(found: Answers) -> str:
    """Answer whether and where to spend hours on measuring."""
    plan = found.plan
    if plan is None or found.budget is None or not found.wanted.hours:
        return ""
    heading = f"Where to spend the next {hours(found.wanted.hours)}"
    if not found.squad.choices:
        return section(heading, paragraphs("Everything that the model reads is known of everybody."), kind="card hours")
    first, spent = f"the {len(found.budget.first)} seen first", hours(plan.minutes / 60)
    if plan.gain < HARDLY:
        everything = f"measuring everything in everybody ({hours(found.all_minutes / 60)})"
        text = (
            f"Hardly worth it. The best use of the time ({spent} of tests) would put {gained(plan.gain)} more of the "
            f"coming cases among {first}; {everything} would put {gained(found.all_measured)} there. Time with the "
            "runners above is better spent."
        )
    else:
        text = (
            f"Worth it: {spent} of tests would put {gained(plan.gain)} more of the coming cases among {first}. "
            "Who and what stands under “What measuring would bring”."
        )
    return section(heading, paragraphs(text), kind="card hours")


def say(found: Answers) -> str:
    """Say what a coach may take from the page, and what not."""
    return section(
        "How to read this page",
        paragraphs(
            "A risk is not a diagnosis. Most runners on the list will stay well, and many cases will come from the "
            "others, because there are more of them: keep asking everybody about knee pain.",
            "Reasons say what goes with a higher risk in the model, not what caused it. Only what is marked ◆ can be "
            "changed in training. Do not leave a runner out of a team because of a number on this page.",
        ),
        kind="read",
    )


def _first_row(found: Answers, place: int) -> str:
    squad, risk = found.screening, found.risks
    reasons = [reason for reason in squad.reasons(place) if reason.points > 0.05][:2]
    return (
        f"<td><b>{named(squad, place)}</b></td><td class=number>{percent(risk[place])}</td>"
        f"<td>{'; '.join(map(found.told, reasons)) or 'nothing stands out'}</td>"
    )


def _reach(found: Answers, budget: Budget) -> list[str]:
    count, total = len(budget.first), budget.caught.mean + budget.missed.mean
    these, lot = ("this one", "one") if count == 1 else (f"these {count}", str(count))
    reach = (
        f"On {these} fall {cases(budget.caught.mean)} of the {cases(total)} cases to expect (on {lot} drawn by lot: "
        f"{cases(budget.by_lot)}); {cases(budget.missed.mean)} will come from the others."
    )
    risk, last = found.risks, found.risks[budget.first[-1]]
    alike = int((risk[count:] == last).sum())
    ties = f"{runners(alike)} more of the same risk as the last of these: whom of them to see is open." if alike else ""
    return [reach, ties, budget.verdict]


def _counts(found: Forecast) -> list[tuple[str, ...]]:
    last = max(found.high + 1, 3)
    rows: list[tuple[str, ...]] = [(str(count), percent(share), "yes" if found.low <= count <= found.high else "")
            for count, share in enumerate(found.shares[: last + 1])]  # fmt: skip
    rest = float(found.shares[last + 1 :].sum())
    more: tuple[str, ...] = (f"{last + 1} or more", percent(rest), "")
    return [*rows, more] if rest > 0 else rows


__all__ = ["expected", "first", "measure", "pain", "say", "warnings"]
