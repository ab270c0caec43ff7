"""The dictionary: every field and arm of the product, declared once; outcomes stand in `outcomes`.

The request model, the file schema, the roster template, the page's form, DICTIONARY.md, the monotone constraints, the
wording of reasons and what a bundle reads are all derived from these lines. A `source` names rows of the evidence
ledger (G1-19) or says what the definition rests on.
"""

from dataclasses import dataclass, replace
from typing import Literal

from pfps_ml.core import FactError, Message
from pfps_ml.domain import outcomes

Kind = Literal["text", "number", "whole", "choice"]
Obtained = Literal["identifier", "questionnaire", "log", "field test", "dynamometry", "visit"]
Role = Literal["identifier", "lever", "marker", "test", "flag"]
Driver = Literal["hip", "foot", "knee", "load", "history", "body"]
Asked = Literal["screening", "visit"]

DRIVERS: tuple[Driver, ...] = ("hip", "foot", "knee", "load", "history", "body")
TIERS: tuple[Obtained, ...] = ("questionnaire", "log", "field test", "dynamometry")
YES_NO = ("no", "yes")
CostClass = Literal["low", "middle", "high"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of a roster, a request, the page's form or a training frame.

    Attributes
    ----------
    name
        The column's name, with its unit as suffix where it has one.
    low, high
        Inclusive limits of a number, in `unit`.
    levels
        The levels of a choice, in the order of their codes (the first is 0).
    label, question, meaning, source
        How a report names it, how a person is asked for it, what it is, and where that definition is from.
    obtained
        Who or what can provide it; the order of `TIERS` is the order of cost.
    role
        A *lever* is causal and changeable, a *marker* is neither claimed to be; a *test* is a provocation test;
        a *flag* is asked for the rules across fields alone: no cohort has it, and no model reads it.
    direction
        +1 or -1 where the evidence settles the direction of the risk in every age group served, else 0.
    onset, pathways
        Whether the onset model and the pathway models read it.
    parts
        The fields that it is computed from, if it is derived (body mass index).
    """

    name: str
    kind: Kind
    label: str
    question: str
    meaning: str
    source: str
    group: str
    asked: Asked
    obtained: Obtained
    role: Role
    unit: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    levels: tuple[str, ...] = ()
    driver: Driver | None = None
    direction: int = 0
    decimals: int = 0
    onset: bool = False
    pathways: bool = False
    required: bool = False
    parts: tuple[str, ...] = ()

    @property
    def limits(self) -> str:
        """What a valid value looks like, in words: the one wording that every error and form uses."""
        if self.kind == "text":
            return "text"
        if self.kind == "choice":
            return " or ".join(self.levels)
        kind = "a whole number" if self.kind == "whole" else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"

    def show(self, value: float) -> str:
        """Return a coded value as a person reads it, with its unit."""
        if self.kind == "choice":
            return self.levels[int(value)]
        return f"{value:.{self.decimals}f}{' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True)
class Sourced:
    """A statement, and the rows of the ledger that it rests on."""

    text: str
    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Practice:
    """What a pathway asks of a patient: as the trials gave it, with what is known of harms and costs.

    Attributes
    ----------
    weeks
        How long the trials gave it.
    dose, protocol
        How much, and what the trials did.
    harms
        Known harms; "none named" where a source was read and names none.
    cost_class
        `low` (advice and a few visits), `middle` (a course of visits, or a device), `high` (a specialist's procedure
        and a course of visits). The class is our judgement; `cost` says what is published.
    """

    weeks: int
    dose: Sourced
    protocol: Sourced
    harms: Sourced
    cost_class: CostClass
    cost: Sourced


@dataclass(frozen=True)
class Arm:
    """A treatment pathway, and the patients who may be offered it.

    Attributes
    ----------
    practice
        Weeks, dose, protocol, harms and costs; None for an arm that only a bundle names.
    requires
        Fields and the level that each must have.
    why_not
        The sentence for a patient who may not have it; None where everybody may.
    """

    name: str
    label: str
    meaning: str
    source: str
    requires: tuple[tuple[str, str], ...] = ()
    why_not: Message | None = None
    practice: Practice | None = None


def section(**shared: object) -> Field:
    """Return a prototype field: what the fields of one section of the dictionary have in common."""
    blank = {"name": "", "kind": "number", "label": "", "question": "", "meaning": "", "source": "",
             "group": "", "asked": "screening", "obtained": "questionnaire", "role": "marker"}  # fmt: skip
    return Field(**{**blank, **shared})  # type: ignore[arg-type]  # checked when each field is declared


def number(like: Field, name: str, low: float, high: float, **facts: object) -> Field:
    """Declare a number with inclusive limits."""
    return replace(like, name=name, low=low, high=high, **facts)  # type: ignore[arg-type]


def text(like: Field, name: str, **facts: object) -> Field:
    """Declare free text: an identifier, never a feature."""
    return replace(like, name=name, kind="text", **facts)  # type: ignore[arg-type]


def choice(like: Field, name: str, levels: tuple[str, ...] = YES_NO, **facts: object) -> Field:
    """Declare a choice between levels; yes or no if none are given."""
    return replace(like, name=name, kind="choice", levels=levels, **facts)  # type: ignore[arg-type]


_id = section(kind="text", group="about you", obtained="identifier", role="identifier")
_body = section(group="about you", driver="body")
_load = section(group="running", driver="load", onset=True)
_log = section(group="running", driver="load", onset=True, obtained="log", unit="%")
_history = section(group="history", driver="history", onset=True)
_strength = section(group="strength", obtained="dynamometry", unit="Nm/kg", decimals=2, onset=True)
_foot = section(group="foot and movement", driver="foot", obtained="field test", onset=True)
_squat = section(group="foot and movement", driver="hip", obtained="field test", onset=True)
_visit = section(group="knee visit", asked="visit", obtained="visit", driver="knee", pathways=True)
_flag = section(group="knee visit", asked="visit", obtained="visit", role="flag")
_test = section(group="knee visit", asked="visit", obtained="visit", driver="knee", role="test")

FIELDS: tuple[Field, ...] = (
    text(_id, "runner_id", label="Runner", required=True,
           question="A pseudonym for this runner, unique in the file (no names).",
           meaning="Identifies a row; it is returned as it came and never logged.", source="design"),
    text(_id, "club", label="Club", question="Which club or clinic?",
           meaning="Groups runners who share a coach, ground and surveillance.", source="design"),
    number(_body, "age_years", 10, 90, unit="years", label="Age", question="How old are you?", required=True,
           meaning="Age at screening.", source="G2-05: not associated with onset", onset=True, pathways=True),
    choice(_body, "sex", ("female", "male"), label="Sex", question="What is your sex?", required=True,
           meaning="Sex as registered for competition.", direction=-1, onset=True, pathways=True,
           source="G1-19: women have about twice the rate of men"),
    number(_body, "height_cm", 120, 220, unit="cm", label="Height", question="How tall are you?",
           meaning="Standing height without shoes.", source="G2-06: not associated with onset"),
    number(_body, "weight_kg", 30, 200, unit="kg", label="Weight", question="What do you weigh?", decimals=1,
           meaning="Body mass in running clothes.", source="G2-07: not associated with onset"),
    number(_body, "bmi", 10, 60, unit="kg/m2", label="Body mass index", decimals=1, onset=True, pathways=True,
           question="(computed from height and weight)", parts=("weight_kg", "height_cm"),
           meaning="Weight divided by the square of height; never asked for.", source="G2-08: not associated"),
    number(_load, "running_experience_years", 0, 70, unit="years", decimals=1, label="Running experience",
           question="For how many years have you run regularly?", driver="history",
           meaning="Years of running at least once a week; 0 for a beginner.", source="G2-49, G2-50"),
    number(_load, "weekly_distance_km", 0, 250, unit="km", label="Weekly distance", role="lever",
           question="How far do you run in a usual week?", pathways=True,
           meaning="Mean of the four weeks before the last one.", source="assumption: exposure; G1-54, G3-47"),
    number(_load, "sessions_per_week", 0, 21, label="Sessions a week", decimals=1, unit="sessions",
           question="How often do you run in a usual week?",
           meaning="Mean number of runs a week over the same four weeks.", source="assumption: exposure"),
    number(_log, "longest_run_spike_pct", -100, 500, label="Longest-run spike", role="lever", direction=1,
           question="How much longer was the longest run of the last 7 days than that of the 30 days before?",
           meaning="Change of the longest run of the last 7 days against the longest of the 30 days before.",
           source="G2-37, G2-38, G2-39"),
    number(_log, "weekly_change_pct", -100, 500, label="Weekly change",
           question="How much more did you run last week than in the four weeks before it?",
           meaning="Distance of the last week against the mean of the four weeks before.",
           source="G2-40, G2-41: not associated once spikes are known"),
    number(_load, "step_rate_spm", 120, 230, unit="steps/min", label="Step rate", obtained="field test",
           question="How many steps a minute do you take at your usual pace (both feet)?", driver="foot",
           meaning="Steps a minute at self-selected pace, from a watch or counted.",
           source="G2-76: no effect on knee pain shown"),
    choice(_history, "current_knee_pain", label="Current knee pain", onset=False,
           question="Do you have pain at the front of the knee now?",
           meaning="Yes: this runner is not scored for onset and a visit is advised.", source="design"),
    choice(_history, "prior_pfps", label="Earlier runner's knee", pathways=True,
           question="Have you had runner's knee (pain behind the kneecap) before?",
           meaning="An earlier episode of patellofemoral pain, now resolved.", source="G4-74 (upper bound)"),
    choice(_history, "prior_knee_injury", label="Earlier knee injury",
           question="Have you ever had a ligament or meniscus injury, or surgery, of the knee?",
           meaning="Ligament, meniscus or surgery of either knee.", source="G2-75: no estimate found"),
    choice(_history, "prior_running_injury_12m", label="Running injury in the last year",
           question="Has any running injury stopped you for a week or more in the last 12 months?",
           meaning="Any running-related injury of the last 12 months.", source="G2-45, G2-52, G2-53"),
    choice(_history, "early_specialisation", label="Early specialisation",
           question="Did you train for one sport only before the age of 14?",
           meaning="Single-sport specialisation in youth.", source="G2-55"),
    number(_strength, "hip_abduction_nm_kg", 0.2, 4, label="Hip abduction strength", driver="hip",
           question="Hip abduction torque (eccentric), per kg of body mass?", pathways=True,
           meaning="Eccentric hip abduction torque, side-lying, hand-held dynamometer, weaker side.",
           source="G2-03, G2-04: opposite signs in adults and adolescents; G3-01 to G3-04"),
    number(_strength, "hip_external_rotation_nm_kg", 0.1, 2.5, label="Hip external rotation strength",
           question="Hip external rotation torque, per kg of body mass?", driver="hip",
           meaning="Isometric external rotation torque, seated, weaker side.", source="G2-03, G3-49"),
    number(_strength, "knee_extension_nm_kg", 0.5, 5.5, label="Knee extension strength", driver="knee",
           question="Knee extension torque, per kg of body mass?", role="lever", direction=-1, pathways=True,
           meaning="Isometric quadriceps torque at 60 degrees, seated, weaker side.", source="G2-01, G2-64"),
    number(_foot, "foot_posture_index", -12, 12, kind="whole", unit="points", label="Foot Posture Index",
           question="Foot Posture Index (six items), more pronated foot?", pathways=True,
           meaning="Sum of six items; positive is pronated.", source="G2-19, G2-28, G3-19"),
    number(_foot, "navicular_drop_mm", -5, 30, unit="mm", decimals=1, label="Navicular drop",
           question="How far does the navicular drop from sitting to standing?", pathways=True,
           meaning="Height of the navicular tubercle, sitting minus standing.", source="G2-17, G3-22"),
    number(_squat, "squat_fppa_deg", -30, 50, unit="degrees", label="Squat projection angle", pathways=True,
           question="Frontal-plane projection angle in a single-leg squat?",
           meaning="Two-dimensional knee angle at the deepest point; positive is inward.", source="G2-57, G3-25"),
    choice(_squat, "squat_collapse", label="Inward collapse in the squat",
           question="Does the knee fall inward in a single-leg squat?",
           meaning="Judged by eye over five repetitions.", source="G2-59, G2-61"),
    number(_visit, "symptom_duration_months", 0, 600, unit="months", decimals=1, label="Symptom duration",
           question="For how many months has the knee hurt?",
           meaning="Months since the first pain of this episode.", source="G4-59, G4-63"),
    number(_visit, "worst_pain_mm", 0, 100, unit="mm", label="Worst pain",
           question="How bad was the worst pain of the last week (0 none, 100 worst imaginable)?",
           meaning="Visual analogue scale, worst of the last week.", source="G4-60"),
    number(_visit, "akps", 0, 100, unit="points", label="Kujala score",
           question="Anterior Knee Pain Scale (Kujala), total?",
           meaning="Self-reported function; 100 is no disability.", source="G4-59, G4-64"),
    number(_visit, "effusion_grade", 0, 4, kind="whole", label="Effusion", unit="grade",
           question="Stroke test: 0 none, 1 trace, 2, 3, 4?",
           meaning="Stroke test; 0 none, 1 trace, to 4.", source="G4-81, G4-84", pathways=False),
    choice(_test, "small_knee_bend_pain", label="Small knee bend hurts",
           question="Does a small knee bend on one leg hurt?",
           meaning="Pain at the front of the knee in a small single-leg knee bend.",
           source="no accuracy data found"),
    choice(_test, "heel_on_squat_pain", label="Squat with heels down hurts",
           question="Does a squat with the heels on the floor hurt?",
           meaning="Pain at the front of the knee on squatting.", source="G5-02, G5-03"),
    choice(_test, "heel_off_squat_pain", label="Squat with heels up hurts",
           question="Does a squat with the heels off the floor hurt?",
           meaning="Pain on squatting with the heels raised.", source="no accuracy data found"),
    choice(_test, "sitting_pain", label="Sitting hurts", question="Does sitting for long hurt the knee?",
           meaning="Pain after sitting with bent knees for 30 minutes or more.", source="definition of the case"),
    choice(_test, "stairs_pain", label="Stairs hurt", question="Do stairs hurt the knee?",
           meaning="Pain going up or down stairs.", source="definition of the case"),
    choice(_visit, "bilateral", label="Both knees", question="Do both knees hurt?",
           meaning="Symptoms in both knees.", source="G3-14"),
    number(_visit, "midfoot_mobility_mm", 0, 30, unit="mm", decimals=1, label="Midfoot mobility", driver="foot",
           question="Difference in midfoot width, unloaded against loaded?",
           meaning="Midfoot width in standing minus that without load.", source="G4-21, G4-27"),
    choice(_visit, "lateral_tightness", label="Lateral tightness", driver="hip",
           question="Are the iliotibial band and the lateral retinaculum tight?",
           meaning="Modified Ober test or patellar glide limited on the outer side.", source="G4-47, G4-49"),
    choice(_visit, "failed_conventional_care", label="Failed conventional care", driver="history",
           question="Have at least 6 weeks of physiotherapy failed?",
           meaning="A full course of exercise therapy without enough relief.", source="G4-47, S004-06"),
    number(_visit, "morning_stiffness_min", 0, 240, unit="min", label="Morning stiffness", pathways=False,
           question="For how many minutes is the knee stiff in the morning?",
           meaning="Minutes until the knee moves as usual.", source="G8-01, G8-07"),
    choice(_flag, "rest_or_night_pain", label="Pain at rest or at night",
           question="Does the knee hurt when you lie still, or wake you at night?",
           meaning="Pain in lying, or that wakes; not the pain of long sitting.", source="G8-03, G8-04, G8-11"),
    choice(_flag, "locking_or_giving_way", label="Locking or giving way",
           question="Does the knee lock, or give way?",
           meaning="The knee cannot be moved for a while, or does not hold.", source="G8-03"),
    choice(_flag, "fever_or_hot_joint", label="Fever or a hot joint",
           question="Is the knee hot or red, or do you have a fever?",
           meaning="A hot or red knee, or a raised temperature.", source="G8-01, G8-02"),
    choice(_flag, "recent_trauma", label="Recent trauma",
           question="Did the pain begin with a fall, a blow or a twist?",
           meaning="An injury at the start of this episode.", source="G8-01, G8-03, G8-13, G8-14"),
    choice(_flag, "calf_swelling", label="Calf swelling", question="Is one calf swollen?",
           meaning="One calf is visibly thicker than the other (3 cm and more); a sore muscle alone is none.",
           source="G8-05"),
    choice(_flag, "unexplained_weight_loss", label="Unexplained weight loss",
           question="Have you lost weight without meaning to?",
           meaning="Loss of weight that nothing explains.", source="G8-03, G8-04"),
    choice(_flag, "limp_or_hip_pain", label="A limp or hip pain",
           question="Does the hip or the groin hurt, or is there a limp?",
           meaning="Pain of the hip, groin or thigh, or a limp.", source="G8-06, G8-15"),
    choice(_flag, "botulinum_contraindication", label="Contraindication of botulinum toxin",
           question="Pregnant or breast-feeding, a disease of nerves and muscles, an allergy to the toxin, or infected "
                    "skin at the thigh?",
           meaning="A reason of the product's label against an injection.", source="G8-10"),
)  # fmt: skip

_EDUCATION = Practice(
    weeks=8,
    dose=Sourced("Five sessions with a physiotherapist in 8 weeks.", ("G9-01",)),
    protocol=Sourced("Teach what the knee bears; change running by its symptoms.", ("G9-01", "G4-53")),
    harms=Sourced("None named in the abstract of the trial in runners; the full text was not read.", ("G9-02",)),
    cost_class="low",
    cost=Sourced("Direct medical costs of 299 euro a patient and year (2007).", ("G9-03",)),
)
_HIP = Practice(
    weeks=12,
    dose=Sourced(
        "Three sessions a week: 3 sets of 10 repetitions of each of four exercises, at a load that can be "
        "lifted 10 to 12 times.",
        ("G9-04",),
    ),
    protocol=Sourced(
        "Abduction lying and standing, extension and external rotation of the hip; 48 hours between sessions.",
        ("G9-04", "G9-05"),
    ),
    harms=Sourced("None named in the abstract of the largest trial; the full text was not read.", ("G9-06",)),
    cost_class="middle",
    cost=Sourced(
        "Exercise therapy: 434 euro a patient and year against 299 for usual care (2007), mainly visits. "
        "With lost work counted it cost less.",
        ("G9-03",),
    ),
)
_ORTHOSES = Practice(
    weeks=12,
    dose=Sourced("Worn in all waking hours.", ("G9-07",)),
    protocol=Sourced(
        "Prefabricated orthoses, fitted to the shoe and changed for comfort; one trial had six visits in 6 weeks.",
        ("G9-07", "G9-10"),
    ),
    harms=Sourced(
        "Minor complaints 1.87 times as often as with flat insoles; in older patients arch irritation and "
        "shoes that fit badly.",
        ("G9-08", "G9-09"),
    ),
    cost_class="middle",
    cost=Sourced("No price was found: a pair of orthoses and up to six visits.", ("G9-10",)),
)
_INJECTION = Practice(
    weeks=12,
    dose=Sourced("One injection: 500 units of Dysport in the placebo-controlled trial (vastus lateralis). Units of "
                 "another product are not the same.", ("G9-11",)),
    protocol=Sourced("Refractory patients only; exercise for 12 weeks after it. The series that injected the tensor "
                     "fasciae latae used ultrasound, and at least 6 weeks of physiotherapy.",
                     ("G9-11", "G9-12", "G9-14", "G4-47")),
    harms=Sourced("The injected muscle is weak for 12 weeks to 6 months, and shrinks. The label warns of spread to "
                  "distant muscles.", ("G9-12", "G9-13", "G8-10")),
    cost_class="high",
    cost=Sourced("No price was found: an MRI, a medicine, an injection under ultrasound, physiotherapy.", ("G9-14",)),
)  # fmt: skip
ARMS: tuple[Arm, ...] = (
    Arm("usual_care", "Usual care", "Education and load management.", "G4-53, G4-54", practice=_EDUCATION),
    Arm("hip", "Hip strengthening", "Usual care and a 12-week hip-focused programme.", "G4-07 to G4-14, G4-26",
        practice=_HIP),
    Arm("orthotic", "Foot orthoses", "Usual care and prefabricated foot orthoses.", "G4-25, G4-34",
        practice=_ORTHOSES),
    Arm("injection", "Botulinum-toxin injection", "Physiotherapy beside an injection into the outer thigh.",
        "G4-44 to G4-48", (("failed_conventional_care", "yes"),),
        Message("injection_needs_failed_care"), _INJECTION),
)  # fmt: skip
ONSET, SUCCESS, OUTCOMES = outcomes.ONSET, outcomes.SUCCESS, outcomes.OUTCOMES
REFERENCE_ARM = ARMS[0].name
ACTIVE_ARMS = tuple(arm.name for arm in ARMS[1:])

BY_NAME = {field.name: field for field in FIELDS}
INPUTS = tuple(field for field in FIELDS if not field.parts)
SCREENING = tuple(field for field in INPUTS if field.asked == "screening")
VISIT = tuple(field for field in INPUTS if field.asked == "visit")
EXAMINED = tuple(field for field in VISIT if field.role != "flag")  # what a frame of patients holds
ONSET_FIELDS = tuple(field.name for field in FIELDS if field.onset)
PATHWAY_FIELDS = tuple(field.name for field in FIELDS if field.pathways)


def field(name: str) -> Field:
    """Return the field of that name.

    Raises
    ------
    FactError
        If the dictionary has no such field.
    """
    if name not in BY_NAME:
        raise FactError(Message("field_unknown", {"name": name}))
    return BY_NAME[name]


Combine = Literal["lowest", "highest", "mean", "any"]
_OF_BOTH_SIDES = ("foot_posture_index", "navicular_drop_mm", "squat_fppa_deg", "midfoot_mobility_mm", "effusion_grade")


def side_rule(about: Field) -> Combine | None:
    """Return which of two sides counts: the weaker, the more pronated, or either; None if there are no sides."""
    if about.unit == "Nm/kg":
        return "lowest"
    if about.name in _OF_BOTH_SIDES:
        return "highest"
    one_sided = about.levels == YES_NO and about.name not in (
        "early_specialisation",
        "bilateral",
        "failed_conventional_care",
    )
    return "any" if one_sided else None


def tier_fields(tier: str) -> tuple[str, ...]:
    """Return the onset fields known to a club that can obtain everything up to and including that tier."""
    reached = TIERS[: TIERS.index(tier) + 1]
    return tuple(name for name in ONSET_FIELDS if BY_NAME[name].obtained in reached)


__all__ = [
    "ACTIVE_ARMS", "ARMS", "BY_NAME", "DRIVERS", "EXAMINED", "FIELDS", "INPUTS", "ONSET", "ONSET_FIELDS", "OUTCOMES",
    "PATHWAY_FIELDS", "REFERENCE_ARM", "SCREENING", "SUCCESS", "TIERS", "VISIT", "YES_NO", "Arm", "Combine", "Driver",
    "Field", "Practice", "Sourced", "choice", "field", "number", "section", "side_rule", "text", "tier_fields",
]  # fmt: skip
