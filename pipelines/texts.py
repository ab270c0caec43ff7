"""What each part of the evaluation's report says: by the name of its table or picture, heading and text, in order."""

TEXTS = {
    "onset": (
        "Onset: figures",
        "95 % intervals over resampled clubs, moved outwards because the clubs are few. "
        "The calibration index of a perfect model is a little above 0, by chance.",
    ),
    "answered": (
        "Answers and intervals",
        "The share of rows with an answer, the mean width of its 90 % interval, and the share of the variance behind "
        "it that is evidence (what the literature does not know) and sampling (what this sample does not tell).",
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
    "effects": ("Pathways: effects", "Mean difference from usual care, adjusted for how clinics assigned pathways."),
    "policies": (
        "Pathways: what choosing by the model is worth",
        "Success if all had what each rule names (doubly robust), and how far the model's choices lead that rule. "
        "A lead whose interval holds 0 has not been demonstrated.",
    ),
    "heterogeneity": (
        "Pathways: do patients differ as predicted?",
        "Slope 1: effects differ as predicted; 0: no sign of it; below 0: the wrong way round. "
        "p_differs is one-sided against a slope of 0, p_calibrated two-sided against 1; the same for groups of "
        "patients sorted by their predicted effect. Many tests: one of twenty falls below 0.05 by chance.",
    ),
    "groups": (
        "Pathways: effects in groups",
        "Patients in equal groups by their predicted effect: where it is right, predicted and observed meet.",
    ),
    "targeting": (
        "Pathways: targeting",
        "What is gained when a share of the patients has the arm, those first for whom most is predicted, against a "
        "random share (above); how much larger the effect is among them than among all (below).",
    ),
    "areas": (
        "Pathways: areas of the targeting curves",
        "Both are 0 if the order says nothing; p one-sided, above 0.",
    ),
    "sensitivity": (
        "Pathways: if something unrecorded made clinics choose",
        "A strength of 2 means that of two patients with the same records, one may have had twice the odds of the "
        "arm, for a reason that also bears on success. The band holds every effect that agrees with the data then.",
    ),
    "strength": (
        "Pathways: the strength that would overturn each preference",
        "From this strength on, no difference agrees with the data; strength 95 is the same for the 95 % interval, "
        "and 1 means that the interval holds no difference even if nothing is hidden.",
    ),
    "yardstick": (
        "Pathways: how strong recorded fields were",
        "A yardstick for the strengths above: how far the odds of an arm move when a recorded field is set to what is "
        "typical.",
    ),
    "propensities": (
        "Pathways: propensities",
        "Estimated chance of each arm among those who may have it. Where those who had it and those who did not do not "
        "overlap, nothing can be compared.",
    ),
    "overlap": ("Pathways: overlap", "Whether eligible patients had a real chance of each pathway."),
    "gate": (
        "Pathways: the preference gate",
        "A preference is named only if the effects beat every simpler account on training patients that they were not "
        "fitted on: the loss that they save, with a one-sided p value each.",
    ),
    "preferences": (
        "Pathways: what is left to choose from",
        "Kept is the mean share of a patient's eligible arms that stay acceptable, named the share of patients for "
        "whom one is preferred; by thirds of overlap, the smallest chance that they had of an arm that they may have. "
        "In a simulated cohort also: how often a truly best arm stays acceptable, and a preferred one is best.",
    ),
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
