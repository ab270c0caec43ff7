"""Mechanisms of what can be measured: a club's equipment, drawn apart from its risk, and a runner's log."""


def club_tests_feet(club_u, p):
    """Whether the club tests feet and squats."""
    return club_u < p.club_field_tests


def club_owns_dynamometer(club_u, club_tests_feet, p):
    """Whether the club also measures strength."""
    return club_tests_feet & (club_u < p.club_dynamometer)


def runner_keeps_log(u, p):
    """Whether there is a training log or a watch."""
    return u < p.keeps_log


__all__ = ["club_owns_dynamometer", "club_tests_feet", "runner_keeps_log"]
