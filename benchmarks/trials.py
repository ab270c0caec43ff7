"""Trials tried: where each file stands, what is made of it beforehand, and what is known of it from elsewhere.

A map (data/mappings/NAME.toml) says which column stands in for which field of the dictionary. What a map cannot say is
made here, in the open: the arm, a row's number, the outcome in its own unit, and one that is a success or none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from pathlib import Path

import pandas as pd

from pfps_ml.domain import SUCCESS
from pfps_ml.io.study_data import ARM

MAPS = Path("data/mappings")
_START = 1985 * 12 + 8  # September 1985: the start of kindergarten, in months


@dataclass(frozen=True)
class Known:
    """A mean effect of one arm on one outcome that is known from elsewhere, in the outcome's unit.

    `outcome` is a column of the prepared frame; the limits are NaN where no interval is given.
    """

    outcome: str
    label: str
    arm: str
    effect: float
    low: float = nan
    high: float = nan
    source: str = "difference of the means"


@dataclass(frozen=True)
class Trial:
    """One trial: its file, how it is prepared, what its arms stand for, and what is known from elsewhere.

    Attributes
    ----------
    about
        What it is, in a sentence or two.
    columns
        What the columns are that the map reads.
    arms
        Which arm of the dictionary stands in for which of the trial's.
    success
        What counts as success.
    wanted
        What an honest answer would be.
    within
        Whether the trial randomised within clubs.
    """

    name: str
    title: str
    file: str
    about: str
    columns: dict[str, str]
    arms: tuple[tuple[str, str], ...]
    success: str
    wanted: str
    prepare: Callable[[pd.DataFrame], pd.DataFrame]
    known: tuple[Known, ...]
    within: bool = False

    @property
    def mapping(self) -> Path:
        """Where its map is."""
        return MAPS / f"{self.name}.toml"

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcomes of which something is known, with their labels."""
        return {each.outcome: each.label for each in self.known}


def knee_frame(raw: pd.DataFrame) -> pd.DataFrame:
    """Prepare the knee trial: pain at day 10 as it is, and success where it is none or slight (1 or 2 of 5)."""
    arm = raw["Th"].map({1: "usual_care", 2: "hip"})
    return raw.assign(**{ARM: arm, "pain": raw["R4"], SUCCESS.column: (raw["R4"] <= 2).astype(int)})


def recovery_frame(raw: pd.DataFrame) -> pd.DataFrame:
    """Prepare the breast-cancer trial: changes over 9 months, and success where function rose by 5 points."""
    seen = raw.assign(row=range(len(raw))).dropna(subset=["physt3", "cesdt3"])
    function, mood = seen["physt3"] - seen["physt1"], seen["cesdt1"] - seen["cesdt3"]
    arm = seen["cond"].map({1: "hip", 2: "orthotic", 3: "usual_care"})
    return seen.assign(**{ARM: arm, "function": function, "mood": mood, SUCCESS.column: (function >= 5).astype(int)})


def class_frame(raw: pd.DataFrame) -> pd.DataFrame:
    """Prepare the class-size trial: percentile ranks as published, and success above the school's own median.

    The percentile is that of the scores in regular classes, with or without an aide, mean of the tests that a pupil
    took (Krueger 1999, who had a third test).
    """
    seen = raw.assign(row=range(len(raw))).dropna(subset=["stark", "schoolidk"])
    seen = seen.dropna(subset=["mathk", "readk"], how="all")
    regular = seen["stark"] != "small"
    ranks = pd.DataFrame({test: _percentile(seen[test], seen.loc[regular, test]) for test in ("mathk", "readk")})
    score = ranks.mean(axis=1)
    born = seen["birth"].str.extract(r"(\d{4}) Q(\d)").astype(float)
    age = _START - (born[0] * 12 + born[1] * 3 - 1.5)
    arm = seen["stark"].map({"small": "hip", "regular+aide": "orthotic", "regular": "usual_care"})
    above = (score > score.groupby(seen["schoolidk"]).transform("median")).astype(int)
    return seen.assign(**{ARM: arm, "age_months": age, "percentile": score, SUCCESS.column: above})


def smoking_frame(raw: pd.DataFrame) -> pd.DataFrame:
    """Prepare NHEFS: kilograms gained, and "success" where fewer than 5 were."""
    seen = raw.dropna(subset=["wt82_71"])
    arm = seen["qsmk"].map({0: "usual_care", 1: "hip"})
    return seen.assign(**{ARM: arm, "gained": seen["wt82_71"], SUCCESS.column: (seen["wt82_71"] < 5).astype(int)})


def _percentile(scores: pd.Series, among: pd.Series) -> pd.Series:
    """Return the share, per cent, of some scores that lie below each score, ties counted half."""
    known = among.dropna().sort_values()
    below, upto = known.searchsorted(scores, "left"), known.searchsorted(scores, "right")
    return pd.Series(50 * (below + upto) / len(known), index=scores.index).where(scores.notna())


TRIALS = (
    Trial(
        "knee_injury_rct", "Sports injuries of the knee", "knee.csv",
        "127 patients, therapy against placebo; pain at movement after 10 days, 1 (none) to 5 (severe) "
        "(Tutz, Regression for Categorical Data, 2012; CRAN catdata, GPL-2).",
        {"Age": "age", "Sex": "sex", "R1": "pain at movement before treatment, 1 to 5"},
        (("usual_care", "placebo"), ("hip", "therapy")),
        "pain of 1 or 2 at day 10, a threshold of ours",
        "therapy helps on average. Whoever had little pain before (1 or 2) had success with and without it, and of "
        "those with the most (5) hardly anybody had, so that differences in success do differ; a common odds ratio "
        "foretells that, and nobody is shown to do better without therapy",
        knee_frame,
        (Known("pain", "pain at day 10, adjusted for pain before", "hip", -0.59, -0.86, -0.31,
                   "analysis of covariance"),
         Known(SUCCESS.column, "share with success", "hip", 0.30)),
    ),
    Trial(
        "bcrp_three_arm_rct", "Recovery after breast cancer", "bcrp.csv",
        "252 women, nutrition or education against standard care; 28 without an outcome at 9 months are left out "
        "(Scheier and others, J Clin Oncol 2007;25:5710; CRAN quint, GPL-3).",
        {"age": "age", "physt1": "physical functioning (SF-36) before treatment",
         "cesdt1": "depression (CES-D) before treatment", "negsoct1": "negative social interaction",
         "uncomt1": "unmitigated communion", "disopt1": "dispositional optimism",
         "comorbid": "number of other illnesses", "trext": "how extensive the treatment of the cancer was",
         "wcht1": "weight changed since the diagnosis", "nationality": "Caucasian", "marital": "married"},
        (("usual_care", "standard care"), ("hip", "nutrition"), ("orthotic", "education")),
        "physical functioning up by 5 points or more, a threshold of ours",
        "subgroups were published (nutrition for women with few psychosocial resources), but found afterwards in these "
        "data; 224 women are few to show that they hold for others",
        recovery_frame,
        (Known("function", "physical functioning, change (points)", "hip", 1.7),
         Known("function", "physical functioning, change (points)", "orthotic", 4.1),
         Known("mood", "depression, fall (points)", "hip", 2.6),
         Known("mood", "depression, fall (points)", "orthotic", 0.9)),
    ),
    Trial(
        "star_class_size", "Class size in kindergarten (STAR)", "star.csv.gz",
        "Pupils of 79 schools, randomised within their school to a small class, a regular one, or a regular one with "
        "an aide (Krueger, Q J Econ 1999;114:497; CRAN AER, GPL).",
        {"schoolidk": "school", "age_months": "age in September 1985, from the quarter of birth (months)",
         "gender": "sex", "lunchk": "free school lunch", "ethnicity": "neither white nor Asian"},
        (("usual_care", "regular class"), ("hip", "small class"), ("orthotic", "regular class with an aide")),
        "a score above the median of the pupil's own school",
        "small classes help, an aide is a true null. Larger effects were published for pupils on free lunch, over four "
        "grades, but nobody for whom a small class is worse: a preference for some pupils only would be invented",
        class_frame,
        (Known("percentile", "percentile rank of the tests", "hip", 5.36, 2.99, 7.73, "Krueger, Table V, column 3"),
         Known("percentile", "percentile rank of the tests", "orthotic", 0.53, -1.61, 2.67,
                   "Krueger, Table V, column 3")),
        within=True,
    ),
    Trial(
        "nhefs", "Weight after stopping smoking (NHEFS), not randomised", "nhefs.csv",
        "1,566 smokers, 403 of whom stopped; kilograms gained over 11 years. Who stopped was older and had smoked "
        "less, so that the raw difference is too small (Hernan and Robins, What If; public-use file).",
        {"age": "age", "sex": "sex", "race": "black or other", "education": "schooling, five steps",
         "smokeintensity": "cigarettes a day", "smokeyrs": "years of smoking", "wt71": "weight in 1971 (kg)",
         "active": "activity on a usual day, three steps", "exercise": "exercise, three steps"},
        (("usual_care", "went on smoking"), ("hip", "stopped")),
        "less than 5 kg gained, a threshold of ours",
        "adjustment moves the raw difference to the known one; who gains more is not known",
        smoking_frame,
        (Known("gained", "weight gained (kg)", "hip", 3.4, 2.4, 4.5, "What If, chapter 12"),),
    ),
)  # fmt: skip

__all__ = [
    "MAPS",
    "TRIALS",
    "Known",
    "Trial",
    "class_frame",
    "knee_frame",
    "recovery_frame",
    "smoking_frame",
]
