"""Train the onset and the pathway model on the training clubs, and write them as a candidate for release."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pfps_ml.core import (
    CohortError,
    Config,
    Floats,
    InputError,
    Message,
    OutputError,
    SplitConfig,
    generator,
    load_config,
    rounded,
    student_quantile,
)
from pfps_ml.core.console import say, steps
from pfps_ml.domain import BY_NAME, INPUTS, ONSET, OUTCOMES, SUCCESS, Horizon, ledger_fingerprint, load_scenario
from pfps_ml.io.study_data import Columns, arm_levels
from pfps_ml.model import (
    DECIMALS,
    KEY,
    AdditiveModel,
    Interval,
    Predictor,
    build_reference,
    bundle_parts,
    digest,
    dump,
    explainer,
    overlap_to_json,
)
from pfps_ml.training.onset import OnsetModel
from pfps_ml.training.pathways import PathwayModel
from pfps_ml.training.training_rows import Split, expect_held_out, split_clubs
from pfps_ml.workflows.frames import (
    DATA,
    OBSERVED,
    OUT,
    Frames,
    Home,
    data_digest,
    onset_features,
    pathway_features,
    read_frames,
    scenario_of,
)
from pfps_ml.workflows.train_on_cohort import (
    LOCAL,
    Arm,
    ArmLevel,
    Asked,
    By,
    Event,
    Logged,
    Map,
    Name,
    Outcome,
    PatientsMap,
    Real,
    Start,
    Succeeded,
    Success,
    Visited,
    train_on_files,
)

CANDIDATE = OUT / "candidate"
_MAKING = ("split", "onset", "pathways", "product")  # of the configuration: what a bundle is made by
STEPS = 9
_GOLDEN_ROWS, _SKIPPED = 24, 0.3
Progress = Callable[[str], None]
Folder = Annotated[Path | None, typer.Argument(help=f"Folder with the frames ({DATA / 'reference'}).")]
Simulated = Annotated[str | None, typer.Option(help="The simulated scenario; by default what the frames say.")]
Choices = Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")]
Out = Annotated[
    Path | None, typer.Option("-o", help=f"Folder of the candidate ({CANDIDATE}), or of the new bundle ({LOCAL}).")
]


@dataclass(frozen=True)
class Candidate:
    """A trained bundle that nobody has released: its models, its reference, and the facts of its making."""

    predictor: Predictor
    reference: dict[str, Any]
    facts: dict[str, Any]
    horizons: dict[str, Horizon]

    @property
    def identity(self) -> str:
        """Which models these are: the digest of their tables, by which an evaluation is known to be theirs."""
        return identity_of(self.parts())

    def parts(self) -> dict[str, bytes]:
        """Return the files of the bundle, but for the card."""
        reference = rounded(self.reference)  # the runners are drawn from what is written
        return bundle_parts(self.predictor, reference, golden_runners(reference), self.horizons)


def train(frames: Frames, config: Config, scenario: str | None, tell: Progress) -> Candidate:
    """Fit both models on the clubs that are not held out, and again on every draw of the evidence that there is.

    Parameters
    ----------
    frames
        The observed frames; the truth is not looked at.
    scenario
        The simulated scenario; None for a real cohort.
    tell
        Told the name of each step as it begins.

    Raises
    ------
    CohortError
        If there is one evidence draw only (one has no spread), or the training clubs cannot teach both models.
    """
    if len(frames.draws) == 1:
        raise CohortError(Message("draws_one_alone"))
    horizons = _main_horizons(scenario)
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    _expect_enough(frames, split, config.split)
    with threadpool_limits(1):  # many small fits: starting threads costs ten times the work
        onset, X = _fit_onset(frames.onset, split, config, tell)
        tell(f"onset, {len(frames.draws)} draws of the evidence")
        onset.with_evidence(_onset_rows(frames.draw("onset", draw), split)[:2] for draw in frames.draws)
        further = _fit_further(frames, split, config, tell, horizons)
        pathways = _fit_pathways(frames.treatment, split, config, tell)
        tell(f"pathways, {len(frames.draws)} draws of the evidence")
        pathways.with_evidence(_patient_rows(frames.draw("treatment", draw), split)[:3] for draw in frames.draws)
    tell("Shapley tables and reference")
    predictor = Predictor(
        onset=onset.additive_,
        explainer=explainer(onset.additive_, X),
        prognosis=pathways.prognosis_,
        modifiers=pathways.modifiers_,
        interval=interval(config.product.level, onset.draws_, config.onset.bootstraps),
        pathway_interval=interval(config.product.level, pathways.draws_, config.pathways.posterior_draws),
        gate=pathways.gate_,
        horizons=dict(sorted({**further, horizons[ONSET.name].number: None}.items())),
    )
    patients = pathway_features(frames.treatment)[~split.is_held_out(frames.treatment["club"])]
    rate = float(frames.onset.loc[~split.is_held_out(frames.onset["club"]), ONSET.column].mean())
    reference = build_reference(X, patients, onset.predict_proba(X)[:, 1], rate, config.product, scenario is None)
    reference[KEY] = overlap_to_json(pathways.propensity_, config.pathways.propensity_floor)
    return Candidate(predictor, reference, _facts(frames, config, scenario, split, onset), horizons)


def digests(frames: Frames) -> dict[str, str]:
    """Return the digests of the observed frames, by name."""
    return {name: data_digest(getattr(frames, name)) for name in OBSERVED}


def golden_runners(reference: dict[str, Any]) -> pd.DataFrame:
    """Return made-up runners drawn over every field's range: nobody's data, and the same every time."""
    draw, rows = generator(0, "golden"), []
    for i in range(_GOLDEN_ROWS):
        row: dict[str, Any] = {}
        for name, about in sorted(reference["fields"].items()):
            field, values, skipped = BY_NAME[name], about["values"], draw.random() < _SKIPPED
            if field.parts or not values or (skipped and not field.required):
                continue
            value = values[int(draw.integers(len(values)))]
            row[name] = field.levels[int(value)] if field.levels else value
        rows.append({**row, "height_cm": 160.0 + i, "weight_kg": 50.0 + 2 * i} if i % 4 else row)
    return pd.DataFrame(rows, columns=[f.name for f in INPUTS if f.kind != "text"])


def _expect_enough(frames: Frames, split: Split, config: SplitConfig) -> None:
    """Refuse clubs that leave too few to judge by, or a fold nothing to learn from: both outcomes, and two folds."""
    expect_held_out((frames.onset["club"], frames.treatment["club"]), split, config)
    for frame, name in ((frames.onset, ONSET.column), (frames.treatment, SUCCESS.column)):
        seen = frame[~split.is_held_out(frame["club"])]
        folds = set(split.fold_of(seen["club"]))
        events = int(seen[name].sum())
        if len(folds) < 2 or not 0 < events < len(seen):
            raise CohortError(
                Message(
                    "training_too_few_folds", {"name": name, "folds": len(folds), "events": events, "rows": len(seen)}
                )
            )


def _fit_onset(frame: pd.DataFrame, split: Split, config: Config, tell: Progress) -> tuple[OnsetModel, pd.DataFrame]:
    X, y, club = _onset_rows(frame, split)
    model = OnsetModel(config.onset, lambda step: tell(f"onset, {step}"))
    return model.fit(X, y, club, split.fold_of(club)), X


def _main_horizons(scenario: str | None) -> dict[str, Horizon]:
    """Return the main horizon of each outcome: a scenario says how long its runners are followed."""
    horizons = {outcome.name: outcome.at() for outcome in OUTCOMES}
    return horizons | ({ONSET.name: ONSET.at(load_scenario(scenario).horizon_months)} if scenario else {})


def _fit_further(
    frames: Frames, split: Split, config: Config, tell: Progress, horizons: Mapping[str, Horizon]
) -> dict[float, AdditiveModel | None]:
    """Fit onset over every declared horizon below the main one that the frames have an outcome for, on all draws."""
    models: dict[float, AdditiveModel | None] = {}
    for number, column in zip(ONSET.horizons, ONSET.columns, strict=True):
        if number >= horizons[ONSET.name].number or column not in frames.onset:
            continue
        X, y, club = _onset_rows(frames.onset, split, column)
        model = OnsetModel(config.onset, partial(_tell_step, tell, str(ONSET.at(number))))
        model.fit(X, y, club, split.fold_of(club))
        model.with_evidence(_onset_rows(frames.draw("onset", draw), split, column)[:2] for draw in frames.draws)
        models[number] = model.additive_
    return models


def _tell_step(tell: Progress, horizon: str, step: str) -> None:
    tell(f"onset within {horizon}, {step}")


def _onset_rows(
    frame: pd.DataFrame, split: Split, column: str = ONSET.column
) -> tuple[pd.DataFrame, Floats, pd.Series]:
    """Return features, outcome and club of the training runners."""
    seen = frame[~split.is_held_out(frame["club"])].reset_index(drop=True)
    return onset_features(seen), seen[column].to_numpy(dtype=float), seen["club"]


def _fit_pathways(frame: pd.DataFrame, split: Split, config: Config, tell: Progress) -> PathwayModel:
    X, arm, y, club = _patient_rows(frame, split)
    model = PathwayModel(config.pathways, lambda step: tell(f"pathways, {step}"))
    return model.fit(X, arm, y, club, split.fold_of(club))


def _patient_rows(frame: pd.DataFrame, split: Split) -> tuple[pd.DataFrame, pd.Series, Floats, pd.Series]:
    """Return features, arm, outcome and club of the training patients."""
    seen = frame[~split.is_held_out(frame["club"])].reset_index(drop=True)
    return pathway_features(seen), seen["arm"], seen[SUCCESS.column].to_numpy(dtype=float), seen["club"]


def interval(level: float, draws: int, resamples: int) -> Interval:
    """Return how a main model with so many evidence draws (0: none) and resamples becomes an interval."""
    fewer = min(draws or resamples, resamples)
    return Interval(level, draws, resamples, student_quantile(level, fewer - 1))


def _facts(frames: Frames, config: Config, scenario: str | None, split: Split, onset: OnsetModel) -> dict[str, Any]:
    made = frames.made or {}
    counts = {
        "runners": int((~split.is_held_out(frames.onset["club"])).sum()),
        "patients": int((~split.is_held_out(frames.treatment["club"])).sum()),
        "clubs": len(split.folds),
    }
    return {
        "trained_on": {"scenario": scenario, "simulated": scenario is not None, **counts},
        "ledger_fingerprint": ledger_fingerprint(),
        "split_digest": split.digest,
        "data_digest": digests(frames),
        "seed": made.get("seed"),
        "config": {**{name: asdict(getattr(config, name)) for name in _MAKING}, "cohort": made},
        "recipe": {k: round(v, DECIMALS) if isinstance(v, float) else v for k, v in asdict(onset.recipe_).items()},
    }


def main(  # noqa: PLR0913, PLR0917
    folder: Folder = None, scenario: Simulated = None, config: Choices = None, out: Out = None,
    cohort: Real = None, patients: Visited = None, bundle: Start = None, by: By = "", mlflow: Logged = False,
    mapping: Map = None, outcome: Outcome = None, event: Event = None, follow_up: Name = None, period: Name = None,
    person: Name = None, measured_on: Name = None, happened_on: Name = None, second: Name = None,
    patients_map: PatientsMap = None, arm: Arm = None, arm_level: ArmLevel = None, success: Success = None,
    success_level: Succeeded = None, home: Home = Path(),
) -> None:  # fmt: skip
    """Train a candidate on validated frames; with --cohort or --patients, a bundle on real people."""
    shared: dict[str, Any] = {"follow_up": follow_up, "period": period, "person": person, "measured_on": measured_on,
              "happened_on": happened_on, "second": second}  # fmt: skip
    runners = Columns(outcome, event, **shared)
    treated = Columns(success, success_level, arm=arm, arm_levels=arm_levels(arm_level), **(shared if patients else {}))
    real = Asked(cohort, patients, runners, treated, mapping, patients_map, bundle, by, mlflow)
    if any((cohort, patients)):
        if scenario is not None or folder is not None:
            raise InputError(Message("train_frames_and_files"))
        _expect_of_use(real)
        train_on_files(real, load_config(config), out or home / LOCAL, home)
        return
    if real != Asked():
        raise InputError(Message("train_options_without_file"))
    frames = read_frames(folder or home / DATA / "reference")
    scenario = scenario_of(frames, scenario)
    with steps("train", STEPS) as tell:
        candidate = train(frames, load_config(config), scenario, tell)
    place = out or home / CANDIDATE
    write_candidate(candidate, place)
    say(f"candidate in {place}; `pfps release` evaluates it on the clubs held out, and releases it if it passes")


def _expect_of_use(real: Asked) -> None:
    """Refuse options that speak of a file that is not named: they would do nothing."""
    of_cohort = {"--map": real.mapping, "--outcome": real.columns.outcome, "--event": real.columns.event}
    given = real.patient_columns
    of_patients = {"--patients-map": real.patient_mapping, "--arm": given.arm, "--arm-level": given.arm_levels,
                   "--success": given.outcome, "--success-level": given.event}  # fmt: skip
    for file, missing, options in (("--cohort", real.cohort is None, of_cohort),
                                   ("--patients", real.patients is None, of_patients)):  # fmt: skip
        idle = [name for name, value in options.items() if value]
        if missing and idle:
            raise InputError(Message("train_options_of_other_file", {"options": idle, "file": file}))


def make_folder(folder: Path) -> None:
    """Make a folder for results.

    Raises
    ------
    OutputError
        If it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".draft").write_bytes(b"")
        (folder / ".draft").unlink()
    except OSError as error:
        raise OutputError(
            Message("candidate_not_writable", {"folder": str(folder), "reason": error.strerror})
        ) from error


def identity_of(parts: Mapping[str, bytes]) -> str:
    """Return the digest of a candidate's models, by which an evaluation is known to be theirs."""
    return digest(b"".join(content for name, content in sorted(parts.items()) if name.startswith("models/")))


def write_candidate(candidate: Candidate, out: Path) -> None:
    """Write a candidate's files and the facts of its making."""
    make_folder(out)
    make_folder(out / "models")
    for name, content in (*candidate.parts().items(), ("facts.json", dump(candidate.facts))):
        (out / name).write_bytes(content)


__all__ = [
    "CANDIDATE",
    "STEPS",
    "Candidate",
    "digests",
    "golden_runners",
    "identity_of",
    "interval",
    "main",
    "make_folder",
    "train",
    "write_candidate",
]
