"""What each part of a report says: by the name of its table or picture, heading and text, in order."""

_DRIFT = (
    "Whether people here differ from those that the bundle was trained on, by field. The population stability index "
    "(PSI) is 0 if they are alike: below 0.1 drift is none, from 0.25 large, and none where chance alone (its column) "
    "exceeds it once in twenty. Outside is the share beyond what was usual in training (there it is 1 %), measured the "
    "share with a value."
)

ONSET_TEXTS = {
    "verdict": (
        "Verdict",
        "Of each figure: what was found, between which limits it may lie (95 %), how many runners a verdict needs (the "
        "published criteria for external validation, with the rate and the risks found here, and more where clubs "
        "differ), and how many there are. "
        "Observed / expected and the slope are 1 if risks are right on average, and neither too bold nor too timid; an "
        "AUROC of 0.5 is chance. A net benefit of 0.01 is one case more found in 100 runners, at no more false alarms.",
    ),
    "against": (
        "Against another bundle",
        "On the same runners, with intervals over the same resamples. A gain is better less worse: above 0, this "
        "bundle is the better one; if its interval holds 0, neither is shown to be.",
    ),
    "account": ("Rows", "What became of every row of the file."),
    "checks": (
        "Checks",
        "What may make figures look better than the model is; docs/CHECKS.md explains each. C06 is about training: how "
        "many this validation needs stands above.",
    ),
    "onset": ("Figures", "The calibration index of a perfect model is a little above 0, by chance."),
    "calibration": ("Calibration", "Predicted against observed risk; fewer parts than ten where a part would have too "
                                   "few cases."),
    "case_mix": (
        "Case-mix or model",
        "An AUROC falls where runners are more alike (expected here less training) or where the model is wrong of "
        "them (observed less expected).",
    ),
    "decision": (
        "Decision curve",
        "A model is of use at a threshold where its curve lies above acting for everybody and for nobody. Nothing "
        "here says that acting prevents a case.",
    ),
    "subgroups": (
        "Subgroups",
        "Only those with enough cases; the table below has all. A point without a line has no interval: too few clubs "
        "have such runners.",
    ),
    "cells": (
        "Every subgroup, club and kind of measurement",
        "Cells with fewer than 5 cases, or 5 others, show no figure and no number of cases. The interval of a club is "
        "over its runners. report.json has every figure.",
    ),
    "drift": (
        "Drift",
        _DRIFT,
    ),
    "size": (
        "Runners needed",
        "For 95 % intervals of these widths: published is for runners who tell something each (Riley and others 2021); "
        "needed is more where intervals are over clubs and wider than that, because clubs differ.",
    ),
}  # fmt: skip

PATHWAY_TEXTS = {
    "effects": ("Pathways: effects", "Mean difference from usual care, adjusted for how clinics assigned pathways."),
    "policies": (
        "Pathways: what choosing by the model is worth",
        "Success if all had what each rule names (doubly robust), and how far the model's choices lead that rule. "
        "A lead whose interval holds 0 has not been demonstrated.",
    ),
    "heterogeneity": (
        "Pathways: do patients differ as predicted?",
        "Slope 1: effects differ as predicted; 0: no sign of it; below 0: the wrong way round. "
        "P differs is one-sided against a slope of 0, p calibrated two-sided against 1; group spread and its p values "
        "ask the same of groups of patients sorted by their predicted effect. Many tests: one of twenty falls below "
        "0.05 by chance.",
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
        "Of the lower curves (AUTOC) and the upper (Qini): both are 0 if the order says nothing; p one-sided, above 0.",
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
    "overlap": (
        "Pathways: overlap",
        "Whether eligible patients had a real chance of each pathway: share is how many had more than the floor that "
        "effects are weighted with; then the smallest estimated chance, and the 5th, 50th and 95th of a hundred.",
    ),
}

PREFERENCES = (
    "Pathways: what is left to choose from",
    "Kept is the mean share of a patient's eligible arms that stay acceptable, named the share of patients for "
    "whom one is preferred; by thirds of overlap, the smallest chance that they had of an arm that they may have. "
    "In a simulated cohort also: how often a truly best arm stays acceptable, and a preferred one is best.",
)

PATIENT_TEXTS = {
    "verdict": (
        "Verdict",
        "Of each figure: what was found, how many patients a verdict needs, and how many there are; for an arm, "
        "those to whom it is open. Success: the published criteria for external validation. Effects: an interval of "
        "20 points for the mean, and of 1 for the slope, so that it cannot hold both \"as predicted\" (1) and \"not at "
        "all\" (0); widths fall with the root of the patients. The interval of a mean effect less the predicted is of "
        "both, what this cohort leaves open and what the bundle said that it does not know. Many are judged at once: "
        "a figure is off only if the interval at 95 % for all of them together leaves out what is right (of the "
        "predicted success: the range that a release is held to).",
    ),
    "account": ONSET_TEXTS["account"],
    "checks": ONSET_TEXTS["checks"],
    "arms": (
        "Arms",
        "Who had what, and the success observed and predicted under it. An arm is compared if at least 5 succeeded and "
        "5 did not under it and under usual care, among those to whom it is open. Differences between arms here are "
        "raw: they say as much of who was given what.",
    ),
    "success": (
        "Success: figures",
        "Of the success that was predicted under the arm that each patient had. The calibration index of a perfect "
        "model is a little above 0, by chance.",
    ),
    "calibration": (
        "Success: calibration",
        "Predicted against observed success; fewer parts than ten where a part would have too few successes.",
    ),
    "case_mix": (
        "Success: case-mix or model",
        "Expected here is the AUROC if every prediction were right; observed less expected is what the model gets "
        "wrong of these patients.",
    ),
    "subgroups": (
        "Success: subgroups",
        "Only those with enough successes; the last table has all. A point without a line has no interval: too few "
        "clubs have such patients.",
    ),
    **PATHWAY_TEXTS,
    "effects": (
        "Pathways: effects",
        "Mean difference from usual care, adjusted (doubly robust), beside the raw difference and what the bundle "
        "predicts on average of the same patients. The numbers behind the picture have the interval that the bundle "
        "gives itself, and whether the interval of the observed effect holds what it predicts.",
    ),
    "gate": (
        "Pathways: the preference gate, held here",
        "Whether the bundle's effects for each patient are nearer to what these patients tell than three simpler "
        "accounts: the loss that they save, with a one-sided p value each. The accounts are the bundle's own averages; "
        "nothing was fitted here. Beside it what the gate said when the bundle was made.",
    ),
    "earned": (
        "Pathways: is a preference earned?",
        "The bundle names a preferred pathway only if its gate was passed when it was made. It is earned here if the "
        "gate is passed here, too.",
    ),
    "preferences": (
        PREFERENCES[0],
        "Kept is the mean share of a patient's eligible arms that stay acceptable, named the share of patients for "
        "whom one is preferred; by thirds of overlap where clinics chose and every arm can be compared.",
    ),
    "drift": (
        "Drift",
        f"{_DRIFT} What is asked of every runner was described from runners when the bundle was made, and patients "
        "differ from them: that is told, and not judged.",
    ),
    "size": (
        "Patients needed",
        "For 95 % intervals of these widths (success: Riley and others 2021; effects: from the intervals found here).",
    ),
    "cells": (
        "Success: every arm, subgroup and club",
        "Cells with fewer than 5 successes, or 5 others, show no figure and no number of successes. The interval of a "
        "club is over its patients. report.json has every figure.",
    ),
}  # fmt: skip

__all__ = ["ONSET_TEXTS", "PATHWAY_TEXTS", "PATIENT_TEXTS", "PREFERENCES"]
