"""Evaluate a candidate on the clubs that training never saw: figures with intervals, pictures, tables, one report.

What each part of the evaluation's report says: by the name of its table or picture, heading and text, in order.

`{level}` in a text is the level of the intervals of the bundle.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.core.config import Config, load_config
from pfps_ml.core.console import say, steps
from pfps_ml.core.errors import BundleFormat, CohortError, InputError
from pfps_ml.core.levels import percent
from pfps_ml.core.numbers import csv_text
from pfps_ml.domain.outcomes import ONSET, SUCCESS
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.pathway_validation import PICTURED, pathway_pictures, pathway_tables
from pfps_ml.evaluation.report import Section, write_report
from pfps_ml.evaluation.validation_report import PATHWAY_TEXTS, PREFERENCES
from pfps_ml.model.bundle import dump
from pfps_ml.model.bundle_schema import schema_from_json
from pfps_ml.model.model_files import predictor_from_models
from pfps_ml.training.split import Split, split_clubs
from pfps_ml.workflows.evaluate_onset import (
    Runners,
    held_out_patients,
    onset_pictures,
    onset_tables,
    pathways_answered,
    refitted_pictures,
)
from pfps_ml.workflows.frames import DATA, OUT, Frames, read_frames
from pfps_ml.workflows.train import CANDIDATE, Candidate, digests, make_folder

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
        If the frames or the split are not those of the training (then no club is known to be unseen), or no runner or
        no patient is of a club held out.
    """
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    hold_to_training(candidate.facts, split, frames)
    for what, frame in (("runners", frames.onset), ("patients", frames.treatment)):
        if not split.is_held_out(frame["club"]).any():
            raise CohortError(
                f"expected {what} of clubs held out from training, got none; bring more clubs with {what}, or train "
                "and evaluate with another [split] seed"
            )
    predictor = candidate.predictor
    tell("onset figures with intervals")
    label = ONSET.label_at(candidate.horizons[ONSET.name])
    runners = Runners.of(frames, split.is_held_out(frames.onset["club"]), predictor)
    tables, pictures = (
        onset_tables(runners, predictor, config, label),
        onset_pictures(runners, predictor, config, label),
    )
    tell("pathway effects")
    treated = held_out_patients(frames, split.is_held_out(frames.treatment["club"]), predictor, config)
    found = pathway_tables(treated, config.evaluation)
    tables |= {name: found[name] for name in found if name not in PICTURED}
    pictures |= pathway_pictures(found, SUCCESS.label_at(candidate.horizons[SUCCESS.name]))
    tables["answered"] = pd.concat([tables["answered"], pathways_answered(treated)], ignore_index=True)
    if thorough:
        tell("refits: learning curve, clubs left out")
        pictures |= refitted_pictures(frames, split, runners, config)
    subject = {
        "candidate": candidate.identity, "level": predictor.interval.level, **candidate.facts["trained_on"],
        "split": split.digest,
        "runners_evaluated": len(runners.y), "events": int(runners.y.sum()),
        "patients_evaluated": len(treated.X), "clubs": len(set(runners.clubs)),  # the folder is logged: no names
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
        reference, facts = (json.loads((folder / name).read_bytes()) for name in ("reference.json", "facts.json"))
        schema = schema_from_json(json.loads((folder / "schema.json").read_bytes()))
        models = {n: json.loads((folder / each.model).read_bytes()) for n, each in schema.outcomes.items()}
    except (OSError, ValueError, BundleFormat) as error:
        raise InputError(f"expected a candidate in {folder}; make one with `python -m pipelines.train`") from error
    horizons = {name: each.horizon for name, each in schema.outcomes.items()}
    return Candidate(predictor_from_models(models, schema), reference, facts, horizons)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with the frames.")] = DATA / "reference",
    candidate: Annotated[Path, typer.Option(help="Folder of the candidate.")] = CANDIDATE,
    config: Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")] = None,
    out: Annotated[Path, typer.Option("-o", help="Folder of the evaluation.")] = EVALUATION,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Refit too, for the learning curve and left-out clubs.")
    ] = False,
) -> None:
    """Evaluate a candidate on the clubs held out from its training."""
    with steps("evaluate", STEPS + thorough) as tell:
        frames = read_frames(folder, truth=True)
        found = evaluate(load_candidate(candidate), frames, load_config(config), tell, thorough)
        tell("report")
        report = found.write(out)
    say(f"report in {report}; release with `python -m pipelines.release`")


__all__ = [
    "EVALUATION",
    "STEPS",
    "SUBJECT",
    "TEXTS",
    "Evaluation",
    "evaluate",
    "hold_to_training",
    "load_candidate",
    "main",
]
