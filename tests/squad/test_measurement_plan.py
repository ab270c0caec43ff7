"""Where to spend the hours: the suggested measurements against every set of measurements that fits."""

import numpy as np
import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ONSET_FIELDS
from pfps_ml.domain.input_validation import check, complete
from pfps_ml.domain.measurement_protocols import minutes_of
from pfps_ml.model.additive import probability
from pfps_ml.squad.measurements import Measurement, Squad, missing_measurements, outcomes, plan_measurements

EXACT = 10**9  # outcomes: none are merged


def small_squad(seed, runners=4, choices=7):
    """Return a squad whose measurements move risks by much more than real ones do, so that plans matter."""
    draw = generator(seed, "hours")
    log_odds, made = draw.normal(-2, 0.7, runners), []
    for at in range(choices):
        runner, minutes = int(draw.integers(runners)), float(draw.choice([0.5, 1, 2, 4]))
        moves, shares = draw.normal(0, 1, 3), draw.dirichlet(np.ones(3))
        now = probability(log_odds[runner])
        for _ in range(50):  # as in a released model, the mean of what may be learnt is what is thought today
            moves += (now - probability(log_odds[runner] + moves) @ shares) / (now * (1 - now))
        made.append(Measurement(runner, f"field-{at}", minutes, moves, shares))
    return Squad(log_odds, int(draw.integers(1, runners)), tuple(made))


def best_of_all(squad, minutes):
    best = 0.0
    for chosen in range(1 << len(squad.choices)):
        some = [choice for at, choice in enumerate(squad.choices) if chosen >> at & 1]
        if sum(choice.minutes for choice in some) <= minutes:
            best = max(best, squad.gain(some, EXACT))
    return best


def test_the_suggested_measurements_fit_the_time_and_reach_the_optimum_nearly(subtests):
    for seed in range(15):
        with subtests.test(seed=seed):
            squad = small_squad(seed)
            minutes = 0.4 * sum(choice.minutes for choice in squad.choices)
            found = plan_measurements(squad, minutes)
            assert found.minutes <= minutes + 1e-6
            assert squad.gain(found.chosen, EXACT) >= 0.95 * best_of_all(squad, minutes)


@pytest.mark.slow
def test_over_many_squads_the_suggested_measurements_reach_the_optimum_nearly():
    shares = []
    for seed in range(1000, 1200):
        squad = small_squad(seed)
        minutes = 0.4 * sum(choice.minutes for choice in squad.choices)
        best = best_of_all(squad, minutes)
        shares += [squad.gain(plan_measurements(squad, minutes).chosen, EXACT) / best] if best > 1e-9 else []
    assert len(shares) > 150
    assert min(shares) >= 0.95


def test_measurements_that_only_together_change_who_is_first_are_found_together():
    """One alone of the second runner's three never lifts that runner above the first; all three do."""
    lift = np.array([-0.4, 0.4])
    choices = tuple(Measurement(1, f"field-{at}", 1.0, lift, np.array([0.5, 0.5])) for at in range(3))
    squad = Squad(np.array([0.0, -1.0]), 1, choices)
    assert all(squad.gain([choice]) < 1e-9 for choice in choices)
    assert len(plan_measurements(squad, 3.0).chosen) == 3


def test_runners_who_change_places_only_with_each_other_are_found_from_above():
    """Each of two moves too little alone; the time is too short for all, so that something must be given up."""
    apart = np.array([-0.6, 0.6])
    choices = tuple(Measurement(runner, name, 1.0, move, np.array([0.5, 0.5])) for runner, name, move in
                    ((0, "a", apart), (1, "a", apart), (0, "b", apart / 50), (1, "b", apart / 50)))  # fmt: skip
    squad = Squad(np.array([0.0, -1.0]), 1, choices)
    assert plan_measurements(squad, 2.0).gain >= 0.95 * best_of_all(squad, 2.0) > 0


def test_nothing_is_suggested_where_nothing_would_change():
    squad = Squad(
        np.array([0.0, -4.0]), 1, (Measurement(1, "field", 1.0, np.array([-0.1, 0.1]), np.array([0.5, 0.5])),)
    )
    assert plan_measurements(squad, 60.0).chosen == ()
    assert plan_measurements(squad, 60.0).gain == pytest.approx(0.0)


def test_no_time_buys_nothing():
    assert plan_measurements(small_squad(1), 0.0).chosen == ()


def test_a_risk_after_a_measurement_has_todays_risk_as_its_mean():
    for log_odds in (-4.0, -2.0, 1.5):
        found = outcomes(log_odds, small_squad(2).choices[:4])
        assert found.risks @ found.shares == pytest.approx(float(probability(np.array(log_odds))), abs=1e-9)
        assert found.risks.max() <= 1


def test_merging_neighbouring_outcomes_keeps_nearly_all_of_a_gain_and_never_adds_to_it():
    squad = small_squad(5, choices=6)
    whole, merged = squad.gain(squad.choices, EXACT), squad.gain(squad.choices)
    assert merged == pytest.approx(whole, rel=0.05)
    assert merged <= whole + 1e-3


def test_what_may_be_measured_is_what_is_missing_and_moves_the_risk_as_the_model_says(released):
    columns = complete(check({"age_years": [30.0, 40.0], "sex": ["female", "male"], "height_cm": [170.0, None],
                              "prior_pfps": ["yes", None]}).values)  # fmt: skip
    found = missing_measurements(released, columns)
    assert {choice.field for choice in found if choice.runner == 0} == {
        name for name in ONSET_FIELDS if name not in ("age_years", "sex", "prior_pfps")
    }
    asked = next(choice for choice in found if choice.runner == 1 and choice.field == "prior_pfps")
    now = released.predictor.onset.margin(columns)[1, 0]
    for code, move in enumerate(asked.moves):
        after = {name: column[[1]] for name, column in columns.items()} | {"prior_pfps": np.array([float(code)])}
        assert released.predictor.onset.margin(after)[0, 0] == pytest.approx(now + move)


def test_a_derived_field_takes_the_minutes_of_its_missing_parts(released):
    given = {"age_years": [30.0, 40.0], "sex": ["female", "male"], "height_cm": [170.0, None]}
    choices = missing_measurements(released, complete(check(given).values))
    found = {choice.runner: choice.minutes for choice in choices if choice.field == "bmi"}
    assert found == {0: minutes_of("weight_kg"), 1: minutes_of("weight_kg") + minutes_of("height_cm")}


def test_what_nobody_measures_takes_no_minutes_but_an_error(subtests):
    for name in ["runner_id", "bmi", "nonsense"]:
        with subtests.test(name=name), pytest.raises(FactError, match=name):
            minutes_of(name)
