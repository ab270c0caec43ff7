"""How many minutes it takes to obtain a field of one runner, once the room and the instruments are ready.

Assumptions all of them, for planning an afternoon: no time study was found. They stand apart from the dictionary's
fingerprint: a club that is faster or slower needs no other model.
"""

from pfps_ml.errors import FactError
from pfps_ml.knowledge.dictionary import BY_NAME

ASSUMPTION = "Minutes per test are assumptions; walking between stations and setting up are not in them."
# a field that is not named takes what its way of being obtained takes
_BY_WAY = {"questionnaire": 0.5, "log": 2.0, "field test": 2.0, "dynamometry": 4.0, "visit": 2.0}
_MINUTES = {
    "height_cm": 1.0,
    "weight_kg": 1.0,
    "step_rate_spm": 1.0,
    "foot_posture_index": 3.0,
    "navicular_drop_mm": 3.0,
    "squat_fppa_deg": 4.0,  # filmed, and the angle read afterwards
    "squat_collapse": 1.0,
    **dict.fromkeys(("symptom_duration_months", "bilateral", "sitting_pain", "stairs_pain"), 0.5),
    **dict.fromkeys(("morning_stiffness_min", "failed_conventional_care"), 0.5),
    **dict.fromkeys(("worst_pain_mm", "small_knee_bend_pain", "heel_on_squat_pain", "heel_off_squat_pain"), 1.0),
    "akps": 5.0,
    "midfoot_mobility_mm": 4.0,
    "lateral_tightness": 3.0,
}


def minutes_of(name: str) -> float:
    """Return the minutes that one field of one runner takes: an assumption.

    Raises
    ------
    FactError
        If the field is not measured: it is unknown, an identifier, or computed from others.
    """
    known = BY_NAME.get(name)
    if known is None or known.parts or known.obtained not in _BY_WAY:
        raise FactError(f"expected a field that a person obtains, got {name!r}; see `pfps dictionary`")
    return _MINUTES.get(name, _BY_WAY[known.obtained])


__all__ = ["ASSUMPTION", "minutes_of"]
