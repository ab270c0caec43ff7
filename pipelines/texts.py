"""What each part of the evaluation's report says: by the name of its table or picture, heading and text, in order."""

from pfps_ml.validation.texts import PATHWAY_TEXTS, PREFERENCES

TEXTS = {
    "onset": (
        "Onset: figures",
        "95 % intervals over resampled clubs, moved outwards because the clubs are few. "
        "The calibration index of a perfect model is a little above 0, by chance.",
    ),
    "answered": (
        "Answers and intervals",
        "The share of rows with an answer, the mean width of its {level} interval, and the share of the variance "
        "behind it that is evidence (what the literature does not know) and sampling (what this sample does not tell).",
    ),
    "calibration": ("Onset: calibration", "Predicted against observed risk in tenths of the runners."),
    "decision": (
        "Onset: decision curve",
        "Whoever acts at a risk of 5 % holds one case found to be worth nineteen false alarms. A model is of use at a "
        "threshold where its curve lies above both acting for everybody and acting for nobody.",
    ),
    "roc": ("Onset: ROC", "Discrimination over all thresholds."),
    "risks": ("Onset: risks", "Predicted risks of runners with and without a new episode."),
    "subgroups": (
        "Onset: subgroups",
        "By sex, age, and the dearest kind of measurement that a runner has. "
        "No figures where there are too few cases, or too few runners without: they would say more of chance.",
    ),
    "decision_subgroups": (
        "Onset: decision curves in subgroups",
        "What acting by the model gains over the better of acting for everybody and for nobody, with 95 % bands over "
        "clubs; below 0 it is better not to use it there. No curve where there are too few cases.",
    ),
    "tiers": (
        "Onset: what measuring buys",
        "The same runners, of clubs that own everything, predicted from what each tier of measurement provides. "
        "The table also has the gain over the questionnaire, paired.",
    ),
    "left_out": (
        "Onset: clubs left out of training",
        "The onset model refitted without one of its training clubs and judged on that club, each in its turn (of more "
        "than 50 clubs, those of a fold together). A club has few cases, so its interval, over its runners, is wide; "
        "that of all is over clubs.",
    ),
    "learning_curve": (
        "Onset: learning curve",
        "The onset model refitted on fewer training clubs, judged on the same held-out clubs.",
    ),
    "reasons": ("Onset: reasons", "Exact Shapley values of held-out runners, log-odds."),
    **PATHWAY_TEXTS,
    "gate": (
        "Pathways: the preference gate",
        "A preference is named only if the effects beat every simpler account on training patients that they were not "
        "fitted on: the loss that they save, with a one-sided p value each.",
    ),
    "preferences": PREFERENCES,
    "truth": (
        "Pathways: effects against the truth",
        "Only a simulated cohort has one: error of each patient's effect.",
    ),
    "truth_policies": (
        "Pathways: policies against the truth",
        "Regret is what the best eligible arm for each patient would add; share is the part of the possible gain over "
        "usual care that a rule reaches.",
    ),
}

__all__ = ["TEXTS"]
