"""Evaluate a candidate on the clubs that training never saw: figures with intervals, pictures, tables, one report."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from pfps_ml.bundle import dump
from pfps_ml.config import Config, load_config
from pfps_ml.errors import CohortError, InputError
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.effects import adjusted_effects, pehe, propensity_overlap
from pfps_ml.evaluation.metrics import auroc, measure_with_intervals, subgroup_table
from pfps_ml.evaluation.report import Section, write_report
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, ONSET, REFERENCE_ARM, SUCCESS, tier_fields
from pfps_ml.knowledge.field import TIERS
from pfps_ml.learning.propensity import eligibility, fit_propensity
from pfps_ml.learning.smooth import basis
from pfps_ml.learning.split import Split, split_clubs
from pfps_ml.prediction import Predictor, predictor_from_json
from pipelines.console import command, say, steps
from pipelines.frames import DATA, OUT, Frames, onset_features, pathway_features, read_frames
from pipelines.train import CANDIDATE, Candidate, digests, make_folder

EVALUATION = OUT / "evaluation"
SUBJECT = "subject.json"
STEPS = 4
_PICTURED = 2_000  # runners in the picture of reasons: more dots hide each other
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Evaluation:
    """What the held-out clubs say of a candidate: every table and display by name, and which candidate and clubs."""

    tables: dict[str, pd.DataFrame]
    pictures: dict[str, displays.Display]
    subject: dict[str, Any]

    def write(self, folder: Path) -> Path:
        """Write every table, every picture and the report; return the report's path."""
        make_folder(folder)
        for name, table in self.tables.items():
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        (folder / SUBJECT).write_bytes(dump(self.subject))
        for name, picture in self.pictures.items():
            displays.save(picture, folder, name)
        return write_report(folder, "Evaluation on clubs held out from training", self._sections())

    def _sections(self) -> list[Section]:
        lines = [f"{key.replace('_', ' ')}: {value}" for key, value in self.subject.items() if key != "clubs"]
        found = [Section("What was evaluated", "\n\n".join([*lines, "clubs: " + ", ".join(self.subject["clubs"])]))]
        for name, (heading, text) in _TEXTS.items():
            if name in self.tables or name in self.pictures:
                found.append(Section(heading, text, self.tables.get(name), self.pictures.get(name)))
        return found


_TEXTS = {
    "onset": ("Onset: figures", "95 % intervals over resampled clubs; shown as they are, and not a gate."),
    "calibration": ("Onset: calibration", "Predicted against observed risk in tenths of the runners."),
    "roc": ("Onset: ROC", "Discrimination over all thresholds."),
    "risks": ("Onset: risks", "Predicted risks of runners with and without a new episode."),
    "subgroups": ("Onset: subgroups", "By sex and age; no figures where there are fewer than five cases."),
    "tiers": ("Onset: what measuring buys", "AUROC when only what each tier of measurement provides is known."),
    "reasons": ("Onset: reasons", "Exact Shapley values of held-out runners, log-odds."),
    "effects": ("Pathways: effects", "Mean difference from usual care, adjusted for how clinics assigned pathways."),
    "overlap": ("Pathways: overlap", "Whether eligible patients had a real chance of each pathway."),
    "truth": ("Pathways: against the truth", "Only a simulated cohort has one: error of each patient's effect."),
}


def evaluate(candidate: Candidate, frames: Frames, config: Config, tell: Progress) -> Evaluation:
    """Judge a candidate on the held-out clubs.

    Parameters
    ----------
    candidate
        The trained models and the facts of their making.
    frames
        The frames it was trained from; the truth is used for one table, where there is one.

    Raises
    ------
    CohortError
        If the frames or the split are not those of the training: then no club is known to be unseen.
    """
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    hold_to_training(candidate.facts, split, frames)
    predictor = candidate.predictor
    held_out = split.is_held_out(frames.onset["club"])
    X, rows = onset_features(frames.onset)[held_out].reset_index(drop=True), frames.onset[held_out]
    y = rows[ONSET.name].to_numpy(dtype=float)
    risk = predictor.onset.member(0).margin(X)[:, 0]
    p = 1 / (1 + np.exp(-risk))
    tell("onset figures with intervals")
    settings = config.evaluation
    tables = {
        "onset": measure_with_intervals(y, p, rows["club"].to_numpy(), settings.seed, settings.bootstraps),
        "subgroups": subgroup_table(y, p, _groups(X, config)),
        "tiers": _tiers(predictor, X, y),
    }
    tell("pathway effects")
    tables |= _pathways(predictor, frames, split, config)
    tell("pictures")
    pictures = _pictures(predictor, X, y, p, tables["effects"])
    subject = {
        "candidate": candidate.identity, **candidate.facts["trained_on"], "split": split.digest,
        "runners_evaluated": len(y), "events": int(y.sum()), "clubs": sorted(rows["club"].unique()),
    }  # fmt: skip
    return Evaluation(tables, pictures, subject)


def hold_to_training(facts: Mapping[str, Any], split: Split, frames: Frames) -> None:
    """Refuse to call clubs unseen that training may have seen.

    Raises
    ------
    CohortError
        If the split or the data are not those that the candidate was trained with.
    """
    now = {"split_digest": split.digest, "data_digest": digests(frames)}
    if differs := [name for name, value in now.items() if facts.get(name) != value]:
        raise CohortError(
            f"expected the frames and the split that the candidate was trained with, got another "
            f"{' and '.join(differs)}; evaluate with the same folder and --config as pipelines.train"
        )


def load_candidate(folder: Path) -> Candidate:
    """Load a candidate.

    Raises
    ------
    InputError
        If there is no candidate in the folder.
    """
    try:
        names = ("onset.json", "pathways.json", "reference.json", "facts.json")
        onset, pathways, reference, facts = (json.loads((folder / name).read_bytes()) for name in names)
    except (OSError, ValueError) as error:
        raise InputError(f"expected a candidate in {folder}; make one with `python -m pipelines.train`") from error
    return Candidate(predictor_from_json(onset, pathways), reference, facts)


def _pictures(
    predictor: Predictor, X: pd.DataFrame, y: np.ndarray, p: np.ndarray, effects: pd.DataFrame
) -> dict[str, displays.Display]:
    base, contributions = predictor.explainer.explain(X)
    shown = pd.DataFrame(contributions, columns=list(predictor.explainer.fields)).head(_PICTURED)
    return {
        "calibration": displays.calibration(y, p),
        "roc": displays.roc(y, p),
        "risks": displays.risks(y, p),
        "reasons": displays.reasons(shown, X.head(_PICTURED), float(base.mean())),
        "effects": displays.effects(effects),
    }


def _groups(X: pd.DataFrame, config: Config) -> dict[str, pd.Series]:
    sex = X["sex"].map(dict(enumerate(BY_NAME["sex"].levels)))
    edges = config.product.age_edges
    names = [f"{low} to {high - 1}" for low, high in pairwise(edges)]
    return {"sex": sex, "age": pd.cut(X["age_years"], edges, right=False, labels=names).astype(str)}


def _tiers(predictor: Predictor, X: pd.DataFrame, y: np.ndarray) -> pd.DataFrame:
    """Show what each tier buys, on the clubs that own everything: the same runners, less and less known."""
    equipped = (
        X[list(tier_fields(TIERS[-1]))].notna()[[n for n in X if BY_NAME[str(n)].obtained == TIERS[-1]]].any(axis=1)
    )
    rows, case, main = X[equipped], y[equipped.to_numpy()], predictor.onset.member(0)
    found = []
    for tier in TIERS:
        hidden = [name for name in X if name not in tier_fields(tier)]
        margin = main.margin(rows.assign(**dict.fromkeys(map(str, hidden), np.nan)))[:, 0]
        both = 0 < case.sum() < len(case)
        found.append(
            {"tier": tier, "n": len(rows), "events": int(case.sum()), "auroc": auroc(case, margin) if both else np.nan}
        )
    return pd.DataFrame(found)


def _pathways(predictor: Predictor, frames: Frames, split: Split, config: Config) -> dict[str, pd.DataFrame]:
    X, seen = pathway_features(frames.treatment), ~split.is_held_out(frames.treatment["club"])
    model = fit_propensity(X[seen], frames.treatment.loc[seen, "arm"], basis(X[seen], config.pathways.knots))
    X, rows = X[~seen].reset_index(drop=True), frames.treatment[~seen].reset_index(drop=True)
    success, _ = predictor.pathways(X)
    outcome = pd.DataFrame({name: estimate.value for name, estimate in success.items()})
    may, chance, arm = eligibility(X), model.predict(X), rows["arm"].to_numpy()
    tables = {
        "effects": adjusted_effects(rows[SUCCESS.name], arm, outcome, chance, may, rows["club"]),
        "overlap": propensity_overlap(chance, arm, may),
    }
    if frames.truth_treatment is not None:
        truth = frames.truth_treatment[~seen].reset_index(drop=True)
        truth = truth.rename(columns={f"p_{a.name}": a.name for a in ARMS})
        effects = pd.DataFrame({name: outcome[name] - outcome[REFERENCE_ARM] for name in ACTIVE_ARMS})
        tables["truth"] = pehe(effects, truth, may)
    return tables


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with the frames.")] = DATA / "reference",
    candidate: Annotated[Path, typer.Option(help="Folder of the candidate.")] = CANDIDATE,
    config: Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")] = None,
    out: Annotated[Path, typer.Option("-o", help="Folder of the evaluation.")] = EVALUATION,
) -> None:
    """Evaluate a candidate on the clubs held out from its training."""
    with steps("evaluate", STEPS) as tell:
        found = evaluate(load_candidate(candidate), read_frames(folder, truth=True), load_config(config), tell)
        tell("report")
        report = found.write(out)
    say(f"report in {report}; release with `python -m pipelines.release`")


if __name__ == "__main__":
    command(main)

__all__ = ["EVALUATION", "STEPS", "SUBJECT", "Evaluation", "evaluate", "hold_to_training", "load_candidate"]
