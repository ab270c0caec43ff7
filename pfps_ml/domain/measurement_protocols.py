"""How each field is measured, and how long it takes: what MEASURING.md and the squad report say of it.

The dictionary says what a field is; this says how a person gets it: what with, in which position, step by step, and
what goes wrong. The procedures are the usual clinical forms of a test. A `source` names the paper that describes or
judged one; where it is "practice", nobody's paper is followed.

Minutes are those of one runner, once the room and the instruments are ready. All of them are assumptions, for planning
an afternoon: no time study is known. They stand apart from what a bundle reads: a club that is faster or slower needs
no other model.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pfps_ml.core import FactError, Message
from pfps_ml.core.markup import markdown_table
from pfps_ml.domain.dictionary import BY_NAME, INPUTS, TIERS, Field
from pfps_ml.domain.schemas import NOTICE

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
    **dict.fromkeys(("pain_sites", "pain_settles_min", "daily_activity_pain"), 0.5),
    **dict.fromkeys(("pain_varies_with_stress_or_sleep", "training_affected"), 0.5),
    **dict.fromkeys(("worst_pain_mm", "small_knee_bend_pain", "heel_on_squat_pain", "heel_off_squat_pain"), 1.0),
    **dict.fromkeys(("rest_or_night_pain", "locking_or_giving_way", "fever_or_hot_joint", "recent_trauma"), 0.5),
    **dict.fromkeys(("calf_swelling", "unexplained_weight_loss", "limp_or_hip_pain"), 0.5),
    "botulinum_contraindication": 1.0,
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
        raise FactError(Message("field_not_obtained", {"name": name}))
    return _MINUTES.get(name, _BY_WAY[known.obtained])


WEAKER = "Both sides; the weaker one is entered."


@dataclass(frozen=True)
class Procedure:
    """One thing that is done with a runner, and the fields that come out of it.

    Attributes
    ----------
    title
        Its name.
    fields
        What it measures, in the dictionary's names.
    device, position
        What is needed, and how the runner stands, sits or lies.
    steps
        What is done, in order.
    mind
        What goes wrong, and what the number does not say.
    source
        Where the procedure, or what is known of its repeatability, is from.
    sides
        Which side is entered; "" if there are none.
    """

    title: str
    fields: tuple[str, ...]
    device: str
    position: str
    steps: tuple[str, ...]
    mind: str
    source: str
    sides: str = ""

    @property
    def minutes(self) -> float:
        """How long it takes with one runner."""
        return sum(map(minutes_of, self.fields))

    @property
    def known(self) -> tuple[Field, ...]:
        """What the dictionary says of its fields."""
        return tuple(BY_NAME[name] for name in self.fields)


PROCEDURES: tuple[Procedure, ...] = (
    Procedure("Questions before the season", (
        "age_years", "sex", "running_experience_years", "current_knee_pain", "prior_pfps", "prior_knee_injury",
        "prior_running_injury_12m", "early_specialisation", "months_free_this_season",
    ), "This page, on paper or on a screen.", "Any.",
        ("Ask each question as it is worded, and enter the answer; leave blank what the runner does not know.",),
        "Blank is not no: a guess is worse than a gap, because a gap is known to be one.", "practice"),
    Procedure("Height and weight", ("height_cm", "weight_kg"), "A wall with a scale of length; a scale for weight.",
        "Standing without shoes, heels, buttocks and head to the wall, looking straight ahead; running clothes.",
        ("Read the height at the end of a breath in, to the centimetre.", "Read the weight, to 0.1 kg."),
        "Heights that people report are too tall and weights too light by a little; say in your notes which they are. "
        "The weight is also what torques are divided by.", "practice"),
    Procedure("Training log", (
        "weekly_distance_km", "sessions_per_week", "longest_run_spike_pct", "weekly_change_pct",
    ), "An export of Strava or Garmin Connect, FIT or GPX files, or a diary.", "None.",
        ("Export at least the last 40 days, better a year.",
         "`pfps load LOG -o loads.csv` sums it; `--into ROSTER` fills it into the roster."),
        "Days without an entry are not days without running: what the log does not cover is left blank. Without a log, "
        "ask for the usual week; leave both changes blank, since nobody remembers 30 days of runs.",
        "G2-37 to G2-41 for what the changes are"),
    Procedure("Step rate", ("step_rate_spm",), "A watch; or a treadmill or flat stretch, and a clock.",
        "Running at the usual easy pace, in the usual shoes, after five minutes of running.",
        ("Count each touch of the right foot for 30 seconds, and multiply by 4.",
         "Or take the median of a watch's runs: `pfps load` does, and doubles what counts one leg only."),
        "A runner who is counted steps faster: count unannounced. Watches include stops, so theirs is a little low.",
        "G3-17, G3-18 for usual values"),
    Procedure("Hip abduction strength", ("hip_abduction_nm_kg",),
        "Hand-held dynamometer, tape measure, belt, treatment table.",
        "Lying on the side, tested leg on top, straight and in line with the body, lower leg bent; hips stacked. "
        "The dynamometer's pad on the outer side, 5 cm above the outer ankle bone.",
        ("Measure the lever arm from the greater trochanter to the middle of the pad, in metres.",
         "One try at half effort; then three at full effort, half a minute apart.",
         "The runner lifts and holds; press down until the leg gives way (eccentric, a break test), over 3 to 5 s.",
         "Torque per kg = best force (N) x lever arm (m) / body mass (kg)."),
        "Rolling back lets the hip flexors help. A tester who is weaker than the runner measures the tester. Isometric "
        "values (no giving way) are lower and are another quantity: leave the field blank, or note it.",
        "Thorborg 2010 (doi 10.1111/j.1600-0838.2009.00958.x, abstract read): isometric hip tests vary by 3 to 12 %; "
        "usual eccentric values: G3-01, G3-02", WEAKER),
    Procedure("Hip external rotation strength", ("hip_external_rotation_nm_kg",),
        "Hand-held dynamometer, tape measure, belt, a chair or table.",
        "Sitting, hips and knees at 90 degrees, a belt over the thighs, arms crossed. The pad on the inner side of the "
        "shin, 5 cm above the inner ankle bone.",
        ("Measure the lever arm from the knee's joint line to the middle of the pad, in metres.",
         "One try at half effort; then three of 5 s at full effort against a pad that does not move (isometric).",
         "Torque per kg = best force (N) x lever arm (m) / body mass (kg)."),
        "The thigh lifts or the trunk leans when the runner tries hard: hold the thigh down, and repeat.",
        "Thorborg 2010, as above; no usual values for runners were found (G3-49)", WEAKER),
    Procedure("Knee extension strength", ("knee_extension_nm_kg",),
        "Hand-held dynamometer with a belt around the table's leg, or a fixed one; tape measure, goniometer.",
        "Sitting, trunk upright, hip at 90 degrees, knee at 60 degrees of bend. The pad on the front of the shin, 5 cm "
        "above the ankle bones, pulled tight by the belt.",
        ("Measure the lever arm from the knee's joint line to the middle of the pad, in metres.",
         "One try at half effort; then three of 5 s at full effort, a minute apart (isometric).",
         "Torque per kg = best force (N) x lever arm (m) / body mass (kg)."),
        "Held by hand alone, a strong runner is measured too weak: use the belt. Stop if it hurts behind the kneecap, "
        "and leave the field blank: what pain stops is not strength.", "practice; usual differences: G2-01, G2-64",
        WEAKER),
    Procedure("Foot Posture Index", ("foot_posture_index",), "None; a step to stand on helps.",
        "Standing relaxed on both feet after a few steps on the spot, arms at the side, looking straight ahead.",
        ("Score each of six from -2 (clearly supinated) to +2 (clearly pronated): head of the talus, by touch; curves "
         "above and below the outer ankle bone; heel, in or out; bulge at the talonavicular joint; height and shape of "
         "the inner arch; forefoot, in or out.", "Add the six."),
        "A runner who looks down rolls the foot. Score what is there, in halves never.",
        "Redmond 2006 (Clin Biomech 21:89-98, abstract read); usual values: G3-19, G3-20",
        "Both feet; the more pronated is entered."),
    Procedure("Navicular drop", ("navicular_drop_mm",), "Skin pen, a card, a ruler in millimetres.",
        "Sitting with the foot on the floor, knee at 90 degrees, no weight on it, the foot neither rolled in nor out; "
        "then standing with equal weight on both feet.",
        ("Mark the most prominent point of the navicular.", "Mark its height above the floor on the card, sitting.",
         "Mark it again, standing relaxed.", "Enter the first height minus the second."),
        "The skin moves over the bone: feel for the point again when standing. Measured again on another day it agrees "
        "only fairly, so one number is a hint.",
        "usual values: G3-22; two sessions of one tester agree with a weighted kappa of 0.40 in 30 people (PMC5131537, "
        "abstract read)",
        "Both feet; the larger drop is entered."),
    Procedure("Single-leg squat", ("squat_fppa_deg", "squat_collapse"),
        "A phone on a stand at knee height, 3 m in front; three skin marks or none.",
        "Standing on one leg, arms crossed, other foot behind; down to about 60 degrees of bend and up, five times.",
        ("Film from the front, the camera level and square to the runner.",
         "At the deepest point, draw a line from the front of the hip (anterior superior iliac spine) to the middle of "
         "the knee, and one from there to the middle of the ankle.",
         "Enter the angle between them, 0 if straight, positive if the knee is inward.",
         "Collapse: yes if the knee clearly falls inward of the second toe in three of the five."),
        "Turn of the leg looks like collapse on a film. Laboratories differ by more than runners do: keep to one way, "
        "and one camera place.", "G3-25 for usual values; practice for collapse",
        "Both legs; the more inward is entered."),
    Procedure("Questions at a knee visit", (
        "symptom_duration_months", "worst_pain_mm", "bilateral", "sitting_pain", "stairs_pain", "morning_stiffness_min",
        "failed_conventional_care", "pain_sites", "pain_settles_min", "daily_activity_pain",
        "pain_varies_with_stress_or_sleep", "training_affected",
    ), "A line of 100 mm on paper, its ends marked 'none' and 'worst imaginable'.", "Sitting.",
        ("Ask each question as it is worded.", "For the worst pain, the patient marks the line; measure from 'none'."),
        "A number from 0 to 10 times ten is close to, but not the same as, a mark on the line.",
        "G4-59, G4-60, G4-63; C-047, C-105, C-108"),
    Procedure("Red flags at a knee visit", (
        "rest_or_night_pain", "locking_or_giving_way", "fever_or_hot_joint", "recent_trauma", "calf_swelling",
        "unexplained_weight_loss", "limp_or_hip_pain", "botulinum_contraindication",
    ), "None.", "Sitting.",
        ("Ask each question as it is worded, and look at the knee and the calf.", "Leave blank what was not asked.",
         "A yes is no score: the answer says what to do first."),
        "A question that was not asked is not a no.", "G8-01 to G8-15"),
    Procedure("Kujala score", ("akps",), "The questionnaire (Anterior Knee Pain Scale, 13 questions).",
        "Sitting, alone.",
        ("The patient ticks one answer a question; add the points: 100 is no disability.",),
        "Filled in for the worse knee. A question left out makes the total wrong: ask again.",
        "G4-59, G4-64; retest agreement of such scales 0.49 to 0.83: G3-43", "The worse knee."),
    Procedure("Stroke test", ("effusion_grade",), "None.",
        "Lying on the back, knee straight, thigh relaxed.",
        ("Sweep two or three times from the inner joint line up towards the pouch above the kneecap.",
         "Watch the inner hollow; then sweep once down the outer side.",
         "0: no wave. 1: a small wave on the down-stroke (trace). 2: a larger bulge on it (1+ in print). 3: the fluid "
         "returns by itself (2+). 4: it cannot be swept out (3+)."),
        "Printed grades run 0, trace, 1+, 2+, 3+: here they are counted 0 to 4. A knee that does not straighten cannot "
        "be graded. Marked swelling wants a doctor, not a score.",
        "Sturgill 2009, 75 knees: two testers agree with kappa 0.64 (read in secondary source)", "The worse knee."),
    Procedure("Squats that hurt", ("small_knee_bend_pain", "heel_on_squat_pain", "heel_off_squat_pain"), "None.",
        "Standing, barefoot, hands on a wall for balance only.",
        ("Small bend on one leg, to about 30 degrees.", "Squat on both legs, heels on the floor, as far as it goes.",
         "The same with the heels raised.", "Yes if it hurts at the front of the knee, each time."),
        "Pain elsewhere is no. Stop at the first pain; nothing is gained by going on.", "G5-02, G5-03",
        "The worse knee."),
    Procedure("Midfoot mobility", ("midfoot_mobility_mm",), "Sliding caliper, ruler, skin pen.",
        "Sitting, foot hanging free; then standing with equal weight on both feet.",
        ("Mark half the length of the foot.", "Measure its width there, hanging, touching the skin only.",
         "Measure it again, standing.", "Enter the second minus the first, in millimetres."),
        "A caliper that presses makes any foot mobile.", "practice; 11 mm divides trials' groups: G4-21, G4-27",
        "The foot of the worse knee."),
    Procedure("Lateral tightness", ("lateral_tightness",), "Treatment table.",
        "Lying on the other side, lower hip and knee bent, pelvis held; then on the back, knee straight.",
        ("Modified Ober test: let the straight upper leg sink; tight if it stays above the level of the table.",
         "Patellar glide: push the kneecap inward; tight if it moves less than a quarter of its width.",
         "Yes if either is tight."),
        "A pelvis that tips makes a tight leg look loose.", "practice; what it means for treatment: G4-47, G4-49",
        "The worse knee."),
)  # fmt: skip

MEASURED = {name: procedure_of_field for procedure_of_field in PROCEDURES for name in procedure_of_field.fields}


def unmeasured() -> tuple[str, ...]:
    """Return the fields that a person is asked for and that no test gives; identifiers are not measured."""
    return tuple(field.name for field in INPUTS if field.kind != "text" and field.name not in MEASURED)


_WHO = {
    "questionnaire": "whoever can ask",
    "log": "whoever has the log",
    "field test": "a physio, or a coach who was shown",
    "dynamometry": "a physio with a dynamometer",
    "visit": "a clinician, of a patient",
}
_ORDER = (*TIERS, "visit")
_INTRO = (
    "Only an id, the age and the sex are needed; each further measurement makes a risk more the runner's own. Begin at "
    "the top: the order is that of cost. The scored roster's column `measure_next` says for each runner what would "
    "change the picture most.",
    "Measure every runner the same way, in the same order, before training, and let one person do one test. What was "
    "not measured stays blank. What was measured in another way stays blank, too: a number that means something else "
    "does more harm than none.",
    "The procedures are the usual clinical forms of these tests. "
    + ASSUMPTION
    + " Numbers such as G3-25 are rows of `pfps_ml/domain/evidence.csv`. No "
    "model here was trained on such measurements of real runners, so how well they repeat in your hands is for you to "
    "see: measure ten runners twice.",
)


def guide_page() -> str:
    """Return MEASURING.md as text."""
    lines = ["# Measuring guide", "", NOTICE, "", "Written by `pfps guide`; a test fails when it is stale.", ""]
    for paragraph in _INTRO:
        lines += [paragraph, ""]
    lines += ["## What it takes", "", *_overview(), ""]
    for title, occasion in (("Screening", "screening"), ("Knee visit", "visit")):
        lines += [f"## {title}", ""]
        for test in _in_order():
            if test.known[0].asked == occasion:
                lines += [*_section(test), ""]
    return "\n".join(lines).rstrip() + "\n"


def _overview() -> Iterator[str]:
    rows = ((test.title, f"{test.minutes:g}", test.device, _WHO[_obtained(test)]) for test in _in_order())
    yield markdown_table(("test", "minutes", "what with", "who"), rows)
    screening = sum(test.minutes for test in PROCEDURES if test.known[0].asked == "screening")
    visit = sum(test.minutes for test in PROCEDURES if test.known[0].asked == "visit")
    yield ""
    yield f"All of a screening: about {screening:g} minutes a runner. All of a knee visit: about {visit:g} more."


def _in_order() -> list[Procedure]:
    """Return the tests by what they cost, as the tiers of the dictionary go; visits last."""
    return sorted(PROCEDURES, key=lambda test: _ORDER.index(_obtained(test)))


def _obtained(test: Procedure) -> str:
    """Return what all of a test takes: a weekly distance can be asked for, a spike needs the log."""
    return max((field.obtained for field in test.known), key=_ORDER.index)


def _section(test: Procedure) -> Iterator[str]:
    yield f"### {test.title} ({test.minutes:g} min)"
    yield ""
    yield f"**With:** {test.device}  "
    yield f"**Position:** {test.position}"
    yield ""
    for at, step in enumerate(test.steps, start=1):
        yield f"{at}. {step}"
    yield ""
    if test.sides:
        yield f"**Side:** {test.sides}  "
    yield f"**Mind:** {test.mind}  "
    yield f"**Source:** {test.source}."
    yield ""
    rows = ((f"`{field.name}`", field.question, field.meaning, field.limits) for field in test.known)
    yield markdown_table(("field", "ask or enter", "what it is", "limits"), rows)


__all__ = ["ASSUMPTION", "MEASURED", "PROCEDURES", "WEAKER", "Procedure", "guide_page", "minutes_of", "unmeasured"]
