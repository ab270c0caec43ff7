"""How the report says numbers: never more exactly than they are known, and never as nothing what is something."""

import pytest

from pfps_ml.core.numbers import percent as level_text
from pfps_ml.squad.formatting import (
    cases,
    count_range,
    gained,
    hours,
    out_of,
    percent,
    points,
    runners,
    signed,
    whole,
)


def test_expected_cases_have_one_decimal(subtests):
    for count, text in [(0.0, "0.0"), (0.04, "less than 0.1"), (0.05, "0.1"), (1.46, "1.5")]:
        with subtests.test(count=count, text=text):
            assert cases(count) == text


def test_what_is_gained_has_two_decimals_below_one_so_that_a_tenth_can_be_told_from_less(subtests):
    for count, text in [(0.0, "0.0"), (0.004, "less than 0.01"), (0.012, "0.01"), (0.094, "0.09"), (1.26, "1.3")]:
        with subtests.test(count=count, text=text):
            assert gained(count) == text


def test_times_are_minutes_below_an_hour_and_a_half(subtests):
    for count, text in [
        (1 / 60, "1 minute"),
        (0.075, "4.5 minutes"),
        (0.5, "30 minutes"),
        (1.5, "1.5 hours"),
        (6.0, "6 hours"),
    ]:
        with subtests.test(count=count, text=text):
            assert hours(count) == text


def test_a_range_of_one_count_is_that_count():
    assert (count_range(2, 2), count_range(0, 3)) == ("2", "0 to 3")


def test_one_runner_is_no_runners():
    assert (runners(1), runners(2)) == ("1 runner", "2 runners")


def test_what_rounds_to_zero_has_no_sign():
    assert (signed(-0.001, 2), points(-0.04), points(1.25), points(-2.0)) == (
        "0.00",
        "0.0",
        "+1.2",
        "\N{MINUS SIGN}2.0",
    )


@pytest.mark.parametrize(
    ("level", "text", "share"),
    [(0.9, "90 %", ("nine", "ten")), (0.8, "80 %", ("eight", "ten")), (0.95, "95 %", ("95", "a hundred"))],
)
def test_a_level_is_said_in_per_cent_and_as_so_many_of_so_many(level, text, share):
    assert (level_text(level), out_of(level)) == (text, share)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.004, "under 1 %"), (0.12, "12 %"), (0.996, "over 99 %"), (1.0, "100 %")]
)
def test_what_may_happen_is_never_0_or_100_per_cent(share, text):
    assert percent(share) == text


def test_a_whole_number_has_no_decimals():
    assert whole(17.6) == "18"
