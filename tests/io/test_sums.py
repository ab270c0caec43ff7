"""The load of a runner on a day: the dictionary's definitions, and when nothing is said rather than zero."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.io.training_load import FIGURES, SILENCE, Activity, load_of

AT = date(2026, 5, 31)


def run(back, km=10.0, spm=None, **more):
    """Return a run some days before the day that is asked for."""
    start = datetime.combine(AT - timedelta(days=back), time())
    return Activity(start, False, True, km, None if km is None else 360 * km, spm, **more)


def rest(back):
    return Activity(datetime.combine(AT - timedelta(days=back), time()), False, False)


def timed(back, clock, km=10.0, minutes=60.0, spm=None):
    start = datetime.combine(AT - timedelta(days=back), time.fromisoformat(clock))
    return Activity(start, True, True, km, 60 * minutes, spm)


KEPT = [rest(back) for back in range(-1, 60, 5)]  # a log that is kept, without a run


def test_the_weekly_distance_is_a_quarter_of_the_28_days_before_the_last_week():
    log = [*KEPT, run(0, 99), run(6, 99), run(7, 8), run(20, 12), run(34, 20), run(35, 99)]
    load = load_of(log, AT)
    assert load.values["weekly_distance_km"] == 10
    assert load.values["sessions_per_week"] == 0.8


def test_the_spike_is_the_longest_run_of_the_last_7_days_against_that_of_the_30_days_before():
    log = [*KEPT, run(0, 5), run(6, 15), run(7, 9), run(36, 10), run(37, 50)]
    assert load_of(log, AT).values["longest_run_spike_pct"] == 50
    assert load_of([*KEPT, run(10, 10)], AT).values["longest_run_spike_pct"] == -100


def test_the_weekly_change_is_last_week_against_the_mean_of_the_four_before():
    log = [*KEPT, run(0, 6), run(6, 6), run(7, 20), run(34, 20), run(35, 99)]
    assert load_of(log, AT).values["weekly_change_pct"] == 20


def test_the_step_rate_is_the_median_of_the_runs_of_five_weeks_and_leaves_out_what_no_runner_has():
    log = [*KEPT, run(0, 5, 170), run(8, 5, 160), run(34, 5, 180), run(20, 5, 84), run(35, 5, 200)]
    assert load_of(log, AT).values["step_rate_spm"] == 170
    few = load_of([*KEPT, run(0, 5, 170), run(8, 5, 160), run(20, 5, 84)], AT)
    assert few.reasons["step_rate_spm"].code == "load_cadences_unknown"


def test_a_kept_log_without_a_run_says_zero_but_no_change_of_nothing():
    load = load_of(KEPT, AT)
    assert load.values == {"weekly_distance_km": 0, "sessions_per_week": 0}
    assert {load.reasons[name].code for name in ("longest_run_spike_pct", "weekly_change_pct")} == {
        "load_without_comparison"
    }
    assert (load.runs, load.others) == (0, 12)


def test_days_before_the_log_begins_are_not_days_without_running(subtests):
    cases = [
        (33, set()), (34, {"weekly_distance_km", "sessions_per_week", "weekly_change_pct"}),
        (36, {"weekly_distance_km", "sessions_per_week", "weekly_change_pct", "longest_run_spike_pct"}),
    ]  # fmt: skip
    for first, known in cases:
        with subtests.test(first=first, known=known):
            load = load_of([run(back) for back in range(first, -1, -3)], AT)
            assert set(load.values) == known
            assert set(load.reasons) == set(FIGURES) - known
            assert {load.reasons[name].code for name in load.reasons if name != "step_rate_spm"} <= {
                "load_days_unknown"
            }


@pytest.mark.parametrize(("last", "known"), [(SILENCE, True), (SILENCE + 1, False)])
def test_days_after_the_log_ends_are_not_days_without_running(last, known):
    load = load_of([run(back) for back in range(60, last - 1, -1)], AT)
    assert ("longest_run_spike_pct" in load.values) is known
    assert ("weekly_distance_km" in load.values) is known
    # who went on later has only paused
    later = [*(run(back) for back in range(60, last - 1, -1)), run(-1)]
    assert ("weekly_distance_km" in load_of(later, AT).values) is (last == SILENCE)


def test_a_long_silence_in_the_middle_is_told_only_of_what_it_touches():
    log = [run(back) for back in range(60, -1, -1) if not 18 < back < 35]
    load = load_of(log, AT)
    assert {load.reasons[name].code for name in FIGURES[:4]} == {"load_days_unknown"}
    early = load_of([run(back) for back in range(90, -1, -1) if not 38 < back < 60], AT)
    assert set(early.values) == set(FIGURES[:4])


def test_other_sports_show_that_the_log_was_kept():
    log = [run(back) for back in range(60, -1, -1) if not 18 < back < 35]
    assert "weekly_distance_km" in load_of([*log, rest(26)], AT).values


def test_a_run_without_a_distance_is_a_session_of_unknown_length():
    load = load_of([*KEPT, run(1), run(10), run(20, None), run(36)], AT)
    assert load.values == {"sessions_per_week": 0.5}
    names = ("weekly_distance_km", "longest_run_spike_pct", "weekly_change_pct")
    assert {load.reasons[name].code for name in names} == {"load_distance_unknown"}
    again = load_of([*KEPT, run(1, None), run(10)], AT)
    assert again.reasons["longest_run_spike_pct"].code == "load_distance_unknown"


def test_a_figure_beyond_its_limits_is_told_and_not_clipped(subtests):
    cases = [
        ([run(1, 31), run(10, 5)], "longest_run_spike_pct"), ([run(1, 31), run(10, 20)], "weekly_change_pct"),
        ([run(back, 45) for back in range(8, 35)], "weekly_distance_km"),
    ]  # fmt: skip
    for log, name in cases:
        with subtests.test(log=log, name=name):
            load = load_of([*KEPT, *log], AT)
            assert name not in load.values
            assert load.reasons[name].text.endswith(f"is outside the limits ({BY_NAME[name].limits})")


def test_a_run_that_watch_and_phone_recorded_counts_once_and_the_one_that_measured_more_is_kept():
    log = [*KEPT, timed(10, "07:00", 10.0), timed(10, "07:01", 9.8, 58, 168), timed(10, "18:00", 5, 30)]
    log += [timed(11, "07:00", None), timed(11, "07:00:30", 7.0), timed(12, "06:00", 3, 20), timed(12, "06:19", 4, 24)]
    load = load_of(log, AT)
    assert load.twice == 2
    assert load.values["weekly_distance_km"] == round((9.8 + 5 + 7 + 3 + 4) / 4, 1)


def test_two_runs_over_midnight_are_one_but_two_days_in_a_row_are_not():
    assert load_of([timed(10, "23:50"), timed(9, "00:00", 9.0, 50)], AT).twice == 1
    assert load_of([timed(10, "07:00"), timed(9, "07:00")], AT).twice == 0


def test_without_times_only_the_very_same_entry_is_taken_for_the_same_run():
    assert load_of([*KEPT, run(10), run(10), run(10, 5), run(10, 5.1)], AT).twice == 1
    assert load_of([*KEPT, run(10, None), run(10, None)], AT).twice == 0


def test_what_comes_after_the_day_is_not_counted():
    assert load_of([*KEPT, run(10), run(-1, 50)], AT).runs == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-20, 90), st.none() | st.floats(0.1, 60)), max_size=40))
def test_whatever_the_log_each_figure_is_either_within_its_limits_or_has_a_reason(entries):
    load = load_of([run(back, km) for back, km in entries], AT)
    assert set(load.values) | set(load.reasons) == set(FIGURES)
    assert not set(load.values) & set(load.reasons)
    for name, value in load.values.items():
        assert BY_NAME[name].low <= value <= BY_NAME[name].high
    assert load.runs + load.twice == sum(back >= 0 for back, _ in entries)
