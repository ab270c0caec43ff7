"""Evaluate a candidate on the clubs that training never saw: figures with intervals, pictures, tables, one report.

Onset: every figure with its interval, whole and by group, the pictures, and what only refits of the model can tell
(clubs left out one after another, and fewer clubs to learn from). Pathways: without the truth, and against it where the
cohort is simulated.

Each part of the report (by the name of its table or picture) has its heading and text here, in order; `{level}` in a
text is the level of the intervals of the bundle.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pfps_ml.core import (
    BundleFormat,
    CohortError,
    Config,
    EvaluationConfig,
    Floats,
    InputError,
    Message,
    csv_text,
    load_config,
    percent,
)
from pfps_ml.core.console import say, steps
from pfps_ml.domain import ARMS, BY_NAME, ONSET, SUCCESS, TIERS, tier_fields
from pfps_ml.evaluation import displays, model_displays
from pfps_ml.evaluation.comparison import EXCESS, EXCESS_LABEL
from pfps_ml.evaluation.displays import Section, write_report
from pfps_ml.evaluation.metrics import (
    calibration_curve,
    club_resamples,
    count_groups,
    decision_table,
    excess_log_loss,
    measure_with_intervals,
    percentiles,
)
from pfps_ml.evaluation.pathway_validation import PICTURED, Treated, TreatmentRecord, pathway_pictures, pathway_tables
from pfps_ml.evaluation.subgroups import TIER_LABELS, compare_parts, decision_parts, groups_of, subgroup_table
from pfps_ml.evaluation.validation_report import PATHWAY_TEXTS, PREFERENCES
from pfps_ml.model import (
    AdditiveModel,
    Estimate,
    Predictor,
    basis,
    dump,
    fit_propensity,
    predictor_from_models,
    schema_from_json,
)
from pfps_ml.training.onset import OnsetModel
from pfps_ml.training.training_rows import Split, expect_held_out, split_clubs
from pfps_ml.workflows.frames import DATA, OUT, Frames, Home, onset_features, pathway_features, read_frames
from pfps_ml.workflows.train import CANDIDATE, Candidate, digests, make_folder

_PICTURED = 2_000  # runners in the picture of reasons: more dots hide each other


@dataclass(frozen=True, eq=False)
class Runners:
    """The held-out runners: coded fields, outcome, predicted risk, club, and the true risk where there is one."""

    X: pd.DataFrame
    y: np.ndarray
    p: np.ndarray
    clubs: np.ndarray
    truth: np.ndarray | None

    @classmethod
    def of(cls, frames: Frames, held_out: np.ndarray, predictor: Predictor) -> "Runners":
        """Gather the rows of the clubs that training never saw."""
        rows = frames.onset[held_out]
        X = onset_features(frames.onset)[held_out].reset_index(drop=True)
        truth = None if frames.truth_onset is None else frames.truth_onset["true_risk"].to_numpy(float)[held_out]
        p = risk_of(predictor.onset, X)
        return cls(X, rows[ONSET.column].to_numpy(dtype=float), p, rows["club"].to_numpy(), truth)


def risk_of(model: AdditiveModel, X: pd.DataFrame) -> np.ndarray:
    """Return the risk that the main model predicts."""
    return np.asarray(model.probability(model.member(0).margin(X)[:, 0]))


def onset_tables(runners: Runners, predictor: Predictor, config: Config, label: str) -> dict[str, pd.DataFrame]:
    """Return the tables that are no picture's; `label` is what a heading calls the outcome."""
    settings = config.evaluation
    whole = measure_with_intervals(runners.y, runners.p, runners.clubs, settings.seed, settings.bootstraps)
    if runners.truth is not None:
        whole = pd.concat([whole, pd.DataFrame([_excess(runners, runners.truth, settings)])], ignore_index=True)
    # the predictor answers on pathways, too, and wants their fields, known or not
    risk = predictor.predict(runners.X.reindex(columns=list(BY_NAME))).risk
    return {"onset": whole, "answered": pd.DataFrame([answered(label, risk)])}


def onset_pictures(runners: Runners, predictor: Predictor, config: Config, label: str) -> dict[str, displays.Display]:
    """Return the pictures, each with its table; `label` is what a heading calls the outcome."""
    y, p, clubs, settings = runners.y, runners.p, runners.clubs, config.evaluation
    by = groups_of(runners.X, config)
    apart, decided = (judge(y, p, by, clubs, settings) for judge in (subgroup_table, decision_parts))
    curve = calibration_curve(y, p, clubs, settings)
    return {
        "calibration": displays.calibration(y, p, label, curve),
        "roc": displays.roc(y, p, label),
        "risks": displays.risks(y, p, label),
        "decision": model_displays.decision_curve(decision_table(y, p, clubs, settings)),
        "subgroups": model_displays.subgroups(apart),
        "decision_subgroups": model_displays.decision_subgroups(decided),
        "tiers": model_displays.tiers(_tiers(runners, predictor, settings)),
        "reasons": _reasons(runners.X, predictor, label),
    }


def answered(what: str, estimate: Estimate) -> dict[str, object]:
    """Return of how many rows there is an answer, how wide its interval is, and what that is made of.

    `evidence` and `sampling` are shares of the variance behind the interval, averaged over rows; NaN without any.
    """
    parts = (estimate.value, estimate.low, estimate.high)
    whole = np.isfinite(parts).all(axis=0) & (estimate.low <= estimate.value) & (estimate.value <= estimate.high)
    total = estimate.evidence + estimate.sampling
    known = total > 0
    share = float((estimate.evidence[known] / total[known]).mean()) if known.any() else float("nan")
    width = float((estimate.high - estimate.low).mean())
    return {"what": what, "n": len(whole), "answered": float(whole.mean()), "width": width,
            "evidence": share, "sampling": 1 - share}  # fmt: skip


def _excess(runners: Runners, truth: Floats, settings: EvaluationConfig) -> dict[str, object]:
    weights = club_resamples(runners.y, runners.clubs, settings.seed, settings.bootstraps)
    draws = np.array([excess_log_loss(truth, runners.p, weight) for weight in weights])
    low, high = percentiles(draws, count_groups(runners.clubs))
    return {"metric": EXCESS, "label": EXCESS_LABEL,
            "value": excess_log_loss(truth, runners.p), "low": low, "high": high}  # fmt: skip


def _tiers(runners: Runners, predictor: Predictor, settings: EvaluationConfig) -> pd.DataFrame:
    """Show what each tier buys, on the clubs that own everything: the same runners, less and less known."""
    last = [name for name in runners.X if BY_NAME[str(name)].obtained == TIERS[-1]]
    equipped = runners.X[last].notna().any(axis=1).to_numpy()
    rows, risks = runners.X[equipped], {}
    for tier in TIERS:
        hidden = [str(name) for name in rows if name not in tier_fields(tier)]
        risks[TIER_LABELS[tier]] = risk_of(predictor.onset, rows.assign(**dict.fromkeys(hidden, np.nan)))
    return compare_parts(runners.y[equipped], risks, runners.clubs[equipped], settings)


def _reasons(X: pd.DataFrame, predictor: Predictor, label: str) -> displays.Display:
    base, contributions = predictor.explainer.explain(X)
    shown = pd.DataFrame(contributions, columns=list(predictor.explainer.fields)).head(_PICTURED)
    return displays.reasons(shown, X.head(_PICTURED), float(base.mean()), label)


_MOST_REFITS = 50  # of more clubs than this, those of a fold are left out together: a refit takes seconds
_SHARES = (0.125, 0.25, 0.5, 1.0)
_FEWEST_REPLICATES = 2  # a refit is judged by its main model alone
Part = tuple[pd.DataFrame, np.ndarray, pd.Series, pd.DataFrame]  # fields, outcome and club; fields of those to judge


def refitted_pictures(frames: Frames, split: Split, runners: Runners, config: Config) -> dict[str, displays.Display]:
    """Return the learning curve and the figures of left-out clubs."""
    clubs = frames.onset["club"]
    rows = ~split.is_held_out(clubs)
    training = frames.onset[rows].reset_index(drop=True)
    X = onset_features(frames.onset)[rows].reset_index(drop=True)
    with threadpool_limits(1):  # as in training: many small fits
        return {
            "left_out": _left_out(X, training, split, config),
            "learning_curve": _learning_curve(X, training, split, runners, config),
        }


def _left_out(X: pd.DataFrame, training: pd.DataFrame, split: Split, config: Config) -> displays.Display:
    """Leave out every club by itself, or, of very many clubs, those of a fold together."""
    y, clubs = training[ONSET.column].to_numpy(float), training["club"]
    alone = clubs.nunique() <= _MOST_REFITS
    names = {club: at for at, club in enumerate(sorted(clubs.unique()))} if alone else split.folds
    part, p = clubs.map(names).to_numpy(), np.zeros(len(y))
    tests = [part == each for each in np.unique(part)]
    risks = _refitted([(X[~test], y[~test], clubs[~test], X[test]) for test in tests], config)
    for test, risk in zip(tests, risks, strict=True):
        p[test] = risk
    kind = "Club" if alone else "Fold"
    labels = pd.Series(
        pd.Categorical([f"{kind} {at + 1}" for at in part], [f"{kind} {at + 1}" for at in np.unique(part)])
    )
    # a club by itself holds no clubs to resample: then its runners are
    groups = np.arange(len(y)) if alone else clubs.to_numpy()
    apart = subgroup_table(y, p, {"left out": labels}, groups, config.evaluation)
    whole = subgroup_table(y, p, {"left out": ["All, each left out once"] * len(y)}, clubs, config.evaluation)
    title = f"Leave-one-{'club' if alone else 'fold-of-clubs'}-out"
    return model_displays.subgroups(pd.concat([apart, whole], ignore_index=True), title)


def _learning_curve(
    X: pd.DataFrame, training: pd.DataFrame, split: Split, runners: Runners, config: Config
) -> displays.Display:
    y, clubs, order, parts = training[ONSET.column].to_numpy(float), training["club"], list(split.folds), {}
    for share in _SHARES:
        count = max(round(share * len(order)), 2)
        part = clubs.isin(order[:count]).to_numpy()
        if 0 < y[part].sum() < part.sum():
            parts[f"{count} clubs ({int(part.sum()):,} runners, {int(y[part].sum()):,} events)"] = part
    refitted = _refitted([(X[part], y[part], clubs[part], runners.X) for part in parts.values()], config)
    risks = dict(zip(parts, refitted, strict=True))
    return model_displays.learning_curve(compare_parts(runners.y, risks, runners.clubs, config.evaluation))


def _refitted(parts: Sequence[Part], config: Config) -> list[np.ndarray]:
    """Return the risks that come of every part; several at once, which changes nothing but the time that it takes."""
    with ThreadPoolExecutor(config.onset.jobs) as pool:  # the fits spend their time outside of Python
        return list(pool.map(lambda part: _risk(part, config), parts))


def _risk(part: Part, config: Config) -> np.ndarray:
    """Fit on some of the training clubs, folded anew so that no fold is empty, and return the risk of others."""
    X, y, club, others = part
    names = {name: at % config.split.folds for at, name in enumerate(sorted(club.unique()))}
    model = OnsetModel(replace(config.onset, bootstraps=_FEWEST_REPLICATES))
    model.fit(X.reset_index(drop=True), y, club.reset_index(drop=True), club.map(names).to_numpy())
    return np.asarray(model.predict_proba(others)[:, 1])


def held_out_patients(frames: Frames, held_out: np.ndarray, predictor: Predictor, config: Config) -> Treated:
    """Gather the patients of the clubs that training never saw; propensities come from the other clubs."""
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
    chosen = fit_propensity(X[~held_out], arm[~held_out], basis(X[~held_out], config.pathways.knots))
    X, rows, truth = X[held_out].reset_index(drop=True), frames.treatment[held_out], frames.truth_treatment
    had, clubs = (rows[name].to_numpy(dtype=object) for name in ("arm", "club"))
    treatment = TreatmentRecord(rows[SUCCESS.column].to_numpy(dtype=float), had, clubs, chosen.predict(X))
    if truth is not None:
        truth = truth[held_out].reset_index(drop=True).rename(columns={f"p_{a.name}": a.name for a in ARMS})
    return Treated.of(predictor, X, treatment, chosen, truth)


def pathways_answered(treated: Treated) -> pd.DataFrame:
    """Return of how many eligible patients each effect is answered, and what its interval is made of."""
    labels, rows = {arm.name: arm.label for arm in ARMS}, []
    for name, effect in treated.effect.items():
        eligible = treated.patients.eligible[name].to_numpy(bool)
        if eligible.any():
            estimate = Estimate(*(values[eligible] for values in astuple(effect)))
            rows.append(answered(f"{labels[name]}: effect", estimate))
    return pd.DataFrame(rows)


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


EVALUATION = OUT / "evaluation"
SUBJECT = "subject.json"
STEPS = 3
Progress = Callable[[str], None]
_ABOUT = {
    "level": "level of the model's intervals",
    "runners": "runners trained on",
    "patients": "patients trained on",
    "clubs": "clubs held out",
}


@dataclass(frozen=True)
class Evaluation:
    """What the held-out clubs say of a candidate.

    Attributes
    ----------
    tables, pictures
        By name.
    subject
        Which candidate, the level of its intervals, and on whom it was judged.
    """

    tables: dict[str, pd.DataFrame]
    pictures: dict[str, displays.Display]
    subject: dict[str, Any]

    def write(self, folder: Path) -> Path:
        """Write every table, every picture and the report; return the report's path."""
        make_folder(folder)
        for name in TEXTS.keys() - self.tables.keys() - self.pictures.keys():
            # what an earlier run left would be taken for a part of this one
            for kind in ("csv", "png"):
                (folder / f"{name}.{kind}").unlink(missing_ok=True)
        for name, table in self.tables.items():
            (folder / f"{name}.csv").write_text(csv_text(table), encoding="utf-8")
        (folder / SUBJECT).write_bytes(dump(self.subject))
        drawn = {name: displays.save(picture, folder, name)[0].read_bytes() for name, picture in self.pictures.items()}
        return write_report(folder, "Evaluation on clubs held out from training", self._sections(drawn))

    def frame(self, name: str) -> pd.DataFrame:
        """Return a table by its name, whether it stands by itself or behind a picture."""
        return self.tables[name] if name in self.tables else self.pictures[name].frame()

    def _sections(self, drawn: Mapping[str, bytes]) -> list[Section]:
        names = [_ABOUT.get(key, key).replace("_", " ") for key in self.subject]
        about = pd.DataFrame({"what": names, "value": list(map(str, self.subject.values()))})
        sections = [Section("What was evaluated", "Training saw none of these clubs.", about)]
        level = percent(self.subject["level"])
        for name, (heading, text) in TEXTS.items():
            if name in self.tables or name in self.pictures:
                table, picture = self.tables.get(name), self.pictures.get(name)
                shown_text = text.replace("{level}", level)
                sections.append(Section(heading, shown_text, table, picture, drawn.get(name, b"")))
        return sections


def evaluate(
    candidate: Candidate, frames: Frames, config: Config, tell: Progress, thorough: bool = False
) -> Evaluation:
    """Judge a candidate on the held-out clubs.

    Parameters
    ----------
    candidate
        The trained models and the facts of their making.
    frames
        The frames it was trained from; the truth is used for a few tables, where there is one.
    thorough
        Whether to refit the onset model as well, for the learning curve and for clubs left out one by one.

    Raises
    ------
    CohortError
        If the frames or the split are not those of the training (then no club is known to be unseen), or runners or
        patients are of too few clubs held out.
    """
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    hold_to_training(candidate.facts, split, frames)
    expect_held_out((frames.onset["club"], frames.treatment["club"]), split, config.split)
    predictor = candidate.predictor
    tell("onset figures with intervals")
    onset, success = (each.label_at(candidate.horizons[each.name]) for each in (ONSET, SUCCESS))
    runners = Runners.of(frames, split.is_held_out(frames.onset["club"]), predictor)
    tables = onset_tables(runners, predictor, config, onset)
    pictures = onset_pictures(runners, predictor, config, onset)
    tell("pathway effects")
    treated = held_out_patients(frames, split.is_held_out(frames.treatment["club"]), predictor, config)
    effects = pathway_tables(treated, config.evaluation)
    tables |= {name: effects[name] for name in effects if name not in PICTURED}
    pictures |= pathway_pictures(effects, success)
    tables["answered"] = pd.concat([tables["answered"], pathways_answered(treated)], ignore_index=True)
    if thorough:
        tell("refits: learning curve, clubs left out")
        pictures |= refitted_pictures(frames, split, runners, config)
    return Evaluation(tables, pictures, _subject(candidate, split, runners, treated))


def _subject(candidate: Candidate, split: Split, runners: Runners, treated: Treated) -> dict[str, Any]:
    return {
        "candidate": candidate.identity, "level": candidate.predictor.interval.level, **candidate.facts["trained_on"],
        "split": split.digest, "runners_evaluated": len(runners.y), "events": int(runners.y.sum()),
        "patients_evaluated": len(treated.X), "clubs": len(set(runners.clubs)),  # the folder is logged: no names
    }  # fmt: skip


def hold_to_training(facts: Mapping[str, Any], split: Split, frames: Frames) -> None:
    """Refuse to call clubs unseen that training may have seen.

    Raises
    ------
    CohortError
        If the split or the data are not those that the candidate was trained with.
    """
    now = {"split_digest": split.digest, "data_digest": digests(frames)}
    if differs := [name for name, value in now.items() if facts.get(name) != value]:
        raise CohortError(Message("evaluation_of_other_frames", {"differs": [*differs]}))


def load_candidate(folder: Path) -> Candidate:
    """Load a candidate.

    Raises
    ------
    InputError
        If there is no candidate in the folder.
    """
    try:
        reference, facts = (json.loads((folder / name).read_bytes()) for name in ("reference.json", "facts.json"))
        schema = schema_from_json(json.loads((folder / "schema.json").read_bytes()))
        models = {n: json.loads((folder / each.model).read_bytes()) for n, each in schema.outcomes.items()}
    except (OSError, ValueError, BundleFormat) as error:
        raise InputError(Message("candidate_not_there", {"folder": str(folder)})) from error
    horizons = {name: each.horizon for name, each in schema.outcomes.items()}
    return Candidate(predictor_from_models(models, schema), reference, facts, horizons)


def main(
    folder: Annotated[Path | None, typer.Argument(help="Folder with the frames.")] = None,
    candidate: Annotated[Path | None, typer.Option(help="Folder of the candidate.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")] = None,
    out: Annotated[Path | None, typer.Option("-o", help="Folder of the evaluation.")] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Refit too, for the learning curve and left-out clubs.")
    ] = False,
    home: Home = Path(),
) -> None:
    """Evaluate a candidate on the clubs held out from its training."""
    with steps("evaluate", STEPS + thorough) as tell:
        trained = load_candidate(candidate or home / CANDIDATE)
        scenario = trained.facts["trained_on"]["scenario"] or "reference"
        frames = read_frames(folder or home / DATA / scenario, truth=True)
        evaluation = evaluate(trained, frames, load_config(config), tell, thorough)
        tell("report")
        report = evaluation.write(out or home / EVALUATION)
    say(f"report in {report}; release with `pfps release`")


__all__ = [
    "EVALUATION", "STEPS", "SUBJECT", "TEXTS", "Evaluation", "Runners", "answered", "evaluate", "held_out_patients",
    "hold_to_training", "load_candidate", "main", "onset_pictures", "onset_tables", "pathways_answered",
    "refitted_pictures", "risk_of",
]  # fmt: skip
