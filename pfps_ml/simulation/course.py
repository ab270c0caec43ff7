"""Mechanisms of the course: what else the visit asks, how patients fare week by week, and who is seen.

Success at the main horizon is drawn in `patients`, and nothing here moves it: the course is drawn given that draw.

* The number that decided success at the main horizon is a person's latent rank; within success, or without it, the
  rank lasts.
* Recovery is a mixture of fast and slow. The share of fast follows from the chance at the main horizon (so from
  duration, function and both knees); the rate is then the one that meets that chance. Pain sites lower what is left
  after it.
* Recovery begins slowly (`slow_start`, weeks lost by week 6). An arm changes how fast patients recover (`lead_*`, weeks
  won by week 6), and little of how many do (`arm_level`).
* From week 12 on people move between three states from horizon to horizon: not yet well, well, lost again. Losses
  come mostly in the 13 weeks after a programme. The chances of all arms and horizons are sums over these moves; what
  happens under any arm is read from the same streams.
* Latent pain is half of what it was exactly where success begins; running again needs pain of 2 of 10, and a margin
  that fades (it lags behind). So symptomatic, improved (well, not running), recovered (running) and relapsed follow.

Shapes: (patients, arms) in the order of the dictionary, and (patients, arms, horizons) of success.
"""

from collections.abc import Mapping
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from scipy.special import expit, ndtri

from pfps_ml.core import FactError, Message
from pfps_ml.domain import ARMS, DAYS_A_MONTH, LONG_TERM, RELAPSE, RUNNING, SUCCESS
from pfps_ml.simulation.runners import Column

_WEEKS_A_YEAR = 365.25 / 7
_AFTER = 13  # weeks after a programme in which most relapses come (C-076)
_HALF = 6  # weeks: where a lead is stated
_EARLY = tuple(week for week in SUCCESS.horizons if week < SUCCESS.main)
_LATER = tuple(week for week in SUCCESS.horizons if week > SUCCESS.main)
_WATCHED = SUCCESS.main + RELAPSE.at().days / 7  # the week until which a relapse counts
FRAMES = ("clinic", "incident", "runners_clinic", "physiotherapy")


def frame_of(p: SimpleNamespace, frame: str) -> dict[str, float]:
    """Return how long people of a frame have been in pain: who is new, and median (months) and spread of the others."""
    frames: dict[str, dict[str, float]] = {
        "clinic": {"frame_median": p.duration_median, "frame_log_sd": p.duration_log_sd},
        "incident": {"incident_share": 1.0},
        "runners_clinic": {
            "incident_share": 0.0,
            "frame_median": p.runners_clinic_median / DAYS_A_MONTH, "frame_log_sd": p.runners_clinic_log_sd,
        },
        "physiotherapy": {
            "incident_share": 0.0,
            "frame_median": p.physiotherapy_median, "frame_log_sd": p.physiotherapy_log_sd,
        },
    }  # fmt: skip
    if frame not in frames:
        raise FactError(Message("frame_unknown", {"frames": [*frames]}))
    return frames[frame]


def pain_sites(z, function_sd, p):
    """Body sites that hurt beside the knee; whole, right-skewed, more in worse function."""
    r = p.sites_function_correlation
    score = r * function_sd + np.sqrt(1 - r**2) * z
    return np.clip(np.floor(p.sites_median * np.exp(p.sites_log_sd * score)), 0, 20)


def pain_settles_min(z, function_sd, p):
    """Minutes; right-skewed, longer in worse function."""
    r = p.settles_function_correlation
    return np.clip(p.settles_median * np.exp(p.settles_log_sd * (r * function_sd + np.sqrt(1 - r**2) * z)), 0, 2880)


def daily_activity_pain(u, function_sd, p):
    """Whether daily life hurts: the worse the function, the likelier."""
    return (u < expit(p.daily_pain_log_odds - p.daily_pain_function * function_sd)).astype(float)


def pain_varies_with_stress_or_sleep(u, pain_sites, p):
    """Whether pain follows stress or sleep: likelier with more sites."""
    return (u < expit(p.varies_log_odds + p.varies_per_site * pain_sites)).astype(float)


def training_affected(z, function_sd, p):
    """No, in pain, reduced, stopped: the published shares of those who are affected, by severity."""
    r = p.training_function_correlation
    affected = 1 - p.training_unaffected_share
    cuts = 1 - affected, 1 - affected * (1 - p.training_in_pain_share), 1 - affected * p.training_stopped_share
    return np.searchsorted(ndtri(cuts), r * function_sd + np.sqrt(1 - r**2) * z).astype(float)


def fast_share(success_probability, p):
    """Share of the fast among patients like this one, under each arm; always above the chance at the main horizon."""
    at_main = np.log(success_probability / (1 - success_probability))
    usual = at_main[:, :1]
    share = usual + p.fast_log_odds + p.arm_level * (at_main - usual)
    return expit(np.maximum(share, at_main + p.fast_least))


def unwell_ratio(success_probability, fast_share):
    """Log of the share of the fast who are not yet well at the main horizon: what their rate follows from."""
    return np.log1p(-success_probability / fast_share)


def lead_weeks(foot_posture_sd, duration_sd, p):
    """Weeks won at week 6 against a constant rate, by arm; pronated feet in short pain may win more with orthoses."""
    everybody = np.ones(len(duration_sd))
    pronated = p.lead_orthotic_pronated * np.maximum(foot_posture_sd, 0) * (duration_sd < -1)
    leads = {
        "usual_care": 0 * everybody,
        "hip": p.lead_hip * everybody,
        "orthotic": p.lead_orthotic + pronated,
        "injection": p.lead_injection * everybody,
    }
    return np.clip(np.column_stack([leads[arm.name] for arm in ARMS]) - p.slow_start, -4, 5)


def early_success(weeks, fast_share, unwell_ratio, lead_weeks):
    """Chance to be well by a week up to the main horizon, had nobody lost it again."""
    # time is bent so that the lead is won at week 6, and nothing at week 0 and at the main horizon
    bend = np.log((_HALF + lead_weeks) / SUCCESS.main) / np.log(_HALF / SUCCESS.main)
    return -fast_share * np.expm1(unwell_ratio * (weeks / SUCCESS.main) ** bend)


def recovery_chance(success_probability, fast_share, unwell_ratio, pain_sites, p):
    """Chance to get well between one horizon and the next, for those never well before (a column a later horizon)."""
    sites = np.exp(-p.recovery_per_site * (pain_sites - p.sites_median))[:, None]
    left = (fast_share - success_probability) * sites
    left = left / (left + 1 - fast_share)
    chances, still = [], np.ones_like(left)
    for week in _LATER:
        since = week - SUCCESS.main
        slow = np.exp(-max(p.slow_rate, 0) * since / _WEEKS_A_YEAR)
        unwell = left * np.exp(unwell_ratio * (since / SUCCESS.main)) + (1 - left) * slow
        chances.append(1 - unwell / still)
        still = unwell
    return np.stack(chances, axis=2)


def loss_factor(squat_angle_sd, duration_sd, p):
    """How much likelier a success is lost again than usual, under each arm: exercise visits protect."""
    visits = {
        "usual_care": p.visits_usual_care_share, "hip": p.visits_hip_share,
        "orthotic": p.visits_orthotic_share, "injection": p.visits_injection_share,
    }  # fmt: skip
    by_arm = np.array([p.relapse_exercise * (visits[arm.name] - p.visits_usual_care_share) for arm in ARMS])
    by_arm[[arm.name == "injection" for arm in ARMS]] += p.relapse_injection
    person = p.relapse_squat * squat_angle_sd + p.relapse_duration * duration_sd
    return np.exp(person)[:, None] * np.exp(by_arm)


def _losses(start, stop, p):
    """Return the cumulative hazard of a loss between two weeks: early after the programme, and later; never below 0."""
    early, late = (np.clip(np.array([start, stop]) - SUCCESS.main, *span) for span in ((0, _AFTER), (_AFTER, np.inf)))
    return float(p.relapse_early * np.ptp(early) + max(p.relapse_late, 0) * np.ptp(late)) / _WEEKS_A_YEAR


def loss_chance(loss_factor, p):
    """Chance to lose a success between one horizon and the next (a column a later horizon)."""
    weeks = (SUCCESS.main, *_LATER)
    spans = np.array([_losses(start, stop, p) for start, stop in pairwise(weeks)])
    return -np.expm1(-loss_factor[:, :, None] * spans)


def early_chance(success_probability, fast_share, unwell_ratio, lead_weeks, p):
    """Chance to have been well at each early horizon: of those well at the main one, then of the others."""
    columns = []
    for week in _EARLY:
        by_then = early_success(week, fast_share, unwell_ratio, lead_weeks)
        columns.append((1 - p.lost_early_share) * by_then / success_probability)
        columns.append(np.minimum(p.lost_early_share * by_then / (1 - success_probability), 1))
    return np.stack(columns, axis=2)


def success_course(success_probability, early_chance, recovery_chance, loss_chance, p):
    """Probability of success under every arm at every horizon; at the main one it is the chance that was drawn by."""
    well = success_probability
    before = (well[:, :, None] * early_chance[:, :, ::2] + (1 - well[:, :, None]) * early_chance[:, :, 1::2]).T
    course = [*(each.T for each in before), well]
    never, lost = 1 - well, 0.0
    for at in range(len(_LATER)):
        gained, slipped = never * recovery_chance[:, :, at], well * loss_chance[:, :, at]
        well, never = well - slipped + gained + lost * p.regained_share, never - gained
        lost = lost * (1 - p.regained_share) + slipped
        course.append(well)
    return np.stack(course, axis=2)


def running_share(worst_pain_mm, success_course, p):
    """Probability to run again under every arm at every horizon: pain of 2 of 10, and a margin that fades."""
    odds = success_course / (1 - success_course)
    # pain is halved where success begins, so that pain of up to 4 of 10 asks for nothing more
    by_pain = np.minimum((np.maximum(worst_pain_mm, 40) / 20 - 1) ** (-1 / p.pain_slope), 1)
    odds = odds * by_pain[:, None, None] * np.exp(-_running_lag(p))
    return odds / (1 + odds)


def _running_lag(p):
    weeks = np.array(RUNNING.horizons) - SUCCESS.main
    return p.running_lag * 0.5 ** (weeks / p.running_half_weeks)


def relapse_probability(loss_factor, p):
    """Probability of a relapse within the horizon after a success at the main horizon, under every arm."""
    return -np.expm1(-loss_factor * _losses(SUCCESS.main, _WATCHED, p))


def long_term_probability(success_course, loss_factor, p):
    """Probability of a favourable state after the long-term horizon, under every arm: a band, and no forecast."""
    remaining = np.exp(-loss_factor * _losses(SUCCESS.horizons[-1], LONG_TERM.at().days / 7, p))
    return success_course[:, :, -1] * (remaining - p.late_gain_share) + p.late_gain_share


def arm_at(arm):
    """The place of the arm that was given, in the order of the dictionary."""
    names = np.array([each.name for each in ARMS])
    order = np.argsort(names)
    return order[np.searchsorted(names, arm, sorter=order)]


def under_arm(arm_at, early_chance, recovery_chance, loss_chance):
    """What moves a patient under the arm that was given: the early chances, then recovery and loss by horizon."""
    rows = np.arange(len(arm_at))
    return np.column_stack([each[rows, arm_at] for each in (early_chance, recovery_chance, loss_chance)])


NEVER, WELL, LOST = 0, 1, 2


def course_states(u4, success_main, under_arm, p):
    """Not yet well, well, or lost again, at each horizon under the arm that was given; a stream a horizon."""
    well = success_main == 1
    columns, moves, at = [], under_arm, 2 * len(_EARLY)
    for place in range(len(_EARLY)):
        before = np.where(well, moves[:, 2 * place], moves[:, 2 * place + 1])
        columns.append((u4[:, place] < before).astype(np.int8))
    state = np.where(well, WELL, NEVER).astype(np.int8)
    columns.append(state)
    for place in range(len(_LATER)):
        u = u4[:, len(_EARLY) + place]
        gained, slipped = u < moves[:, at + place], u < moves[:, at + len(_LATER) + place]
        up = np.where(state == NEVER, gained, u < p.regained_share)
        state = np.where(state == WELL, np.where(slipped, LOST, WELL), np.where(up, WELL, state)).astype(np.int8)
        columns.append(state)
    return np.column_stack(columns)


def lasting_rank(success_u, success_main, arm_at, success_probability):
    """The person's rank within success, or without it: 0 is best; the same at every horizon."""
    chance = success_probability[np.arange(len(arm_at)), arm_at]
    return np.where(success_main == 1, success_u / chance, (success_u - chance) / (1 - chance))


def relapsed(u, course_states, success_main, loss_factor, arm_at, p):
    """Whether a success at the main horizon was lost within the horizon after it; 0 for those who were none."""
    lost = (course_states[:, len(_EARLY) :] == LOST).any(axis=1)
    factor = loss_factor[np.arange(len(arm_at)), arm_at]
    last = u < -np.expm1(-factor * _losses(SUCCESS.horizons[-1], _WATCHED, p))
    return ((lost | (last & (course_states[:, -1] == WELL))) & (success_main == 1)).astype(float)


def favourable(u, course_states, loss_factor, arm_at, p):
    """Whether the state is favourable after the long-term horizon."""
    factor = loss_factor[np.arange(len(arm_at)), arm_at]
    remaining = np.exp(-factor * _losses(SUCCESS.horizons[-1], LONG_TERM.at().days / 7, p))
    return (u < np.where(course_states[:, -1] == WELL, remaining, p.late_gain_share)).astype(float)


def latent_margin(lasting_rank, course_states, success_course, arm_at):
    """How far beyond the threshold of success, log odds, at each horizon under the arm that was given."""
    chance = success_course[np.arange(len(arm_at)), arm_at]
    well, rank = course_states == WELL, lasting_rank[:, None]
    rank = np.where(well, rank * chance, chance + rank * (1 - chance))
    return np.log(chance / (1 - chance)) - np.log(rank / (1 - rank))


def latent_pain(latent_margin, worst_pain_mm, p):
    """Worst pain (0 to 10) at each horizon: half of that at the visit where success begins."""
    return worst_pain_mm[:, None] / 10 * expit(-p.pain_slope * latent_margin)


def latent_function(latent_margin, akps, pain_sites, p):
    """Kujala score at each horizon: a share of what there is to gain, and less with more pain sites."""
    gained = p.function_gain_share * (100 - akps[:, None]) * expit(p.pain_slope * latent_margin)
    return akps[:, None] + gained + p.function_per_site * (pain_sites - p.sites_median)[:, None]


def seen_until_week(u3, function_sd, course_states, p):
    """Week of the last visit: the worse the knee, and the better the outcome so far, the likelier nobody is seen."""
    visits = (*_LATER, LONG_TERM.at().days / 7)
    last, comes = np.full(len(u3), SUCCESS.main, dtype=float), np.ones(len(u3), dtype=bool)
    for place, week in enumerate(visits):
        well = course_states[:, len(_EARLY) + place] == WELL
        odds = p.dropout_log_odds - p.dropout_severity * function_sd + p.dropout_success * well
        odds = odds + (p.dropout_long if place == len(_LATER) else 0.0)
        comes = comes & (u3[:, place] >= expit(odds))
        last = np.where(comes, np.floor(week), last)
    return last


def _success_at(place: int) -> Column:
    return lambda course_states: (course_states[:, place] == WELL).astype(float)


def _running_at(place: int) -> Column:
    def running(course_states, lasting_rank, arm_at, success_course, running_share):
        rows = np.arange(len(arm_at))
        share = running_share[rows, arm_at, place] / success_course[rows, arm_at, place]
        return ((course_states[:, place] == WELL) & (lasting_rank < share)).astype(float)

    return running


OUTCOME_COLUMNS: Mapping[str, Column] = {
    **{name: _success_at(at) for at, name in enumerate(SUCCESS.columns) if name != SUCCESS.column},
    **{name: _running_at(at) for at, name in enumerate(RUNNING.columns)},
    RELAPSE.column: relapsed,
    LONG_TERM.column: favourable,
}


__all__ = [
    "arm_at", "course_states", "daily_activity_pain", "early_chance", "fast_share", "lasting_rank", "latent_function",
    "latent_margin", "latent_pain", "lead_weeks", "long_term_probability", "loss_chance", "loss_factor",
    "pain_settles_min", "pain_sites", "pain_varies_with_stress_or_sleep", "recovery_chance", "relapse_probability",
    "running_share", "seen_until_week", "success_course", "training_affected", "under_arm", "unwell_ratio",
]  # fmt: skip
