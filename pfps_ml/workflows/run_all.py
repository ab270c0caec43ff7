"""The main job: simulate, validate, train, evaluate, release, track, and score the example roster.

A candidate that the release gate refuses is tracked all the same, with its figures and what was refused; then the
refusal is the answer, with its exit code. No bundle comes of it, so no roster is scored.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core import (
    Artifact,
    Config,
    Dataset,
    Metric,
    Model,
    Param,
    Record,
    ReleaseRefused,
    Tag,
    load_config,
    percent,
)
from pfps_ml.core.console import say, steps, table
from pfps_ml.domain import NOTICE, risk_column
from pfps_ml.io.readers import read_sheet
from pfps_ml.model import Bundle, load_bundle
from pfps_ml.workflows import evaluate, train, validate
from pfps_ml.workflows.card import figure
from pfps_ml.workflows.evaluate import EVALUATION, Evaluation
from pfps_ml.workflows.frames import DATA, MODELS, OUT, Frames, data_digest, read_frames
from pfps_ml.workflows.release import judge, release, show_checks
from pfps_ml.workflows.simulate import write_cohort
from pfps_ml.workflows.tracking import expect_store, track
from pfps_ml.workflows.train import CANDIDATE, Candidate, write_candidate

ROSTER = Path("data/examples/roster.csv")
SCORED = OUT / "scored.csv"
_SHOWN = 10
_OTHER_STEPS = 5  # simulate, validate, report and release, track, score


def records(
    candidate: Candidate, evaluation: Evaluation, frames: Frames, folder: Path, released: Bundle | ReleaseRefused
) -> Iterator[Record]:
    """Yield what happened, for the tracker: no row of any frame is in it."""
    made = candidate.facts["trained_on"]
    yield Tag("released", _released_as(released))
    yield Tag("scenario", str(made["scenario"]))
    yield Tag("split", candidate.facts["split_digest"])
    yield Tag("notice", NOTICE)
    for section, choices in candidate.facts["config"].items():
        for name, value in (choices or {}).items():
            yield Param(f"{section}.{name}", value)
    for name, value in candidate.facts["recipe"].items():
        yield Param(f"recipe.{name}", value)
    for name, frame in (("onset", frames.onset), ("treatment", frames.treatment)):
        yield Dataset(name, frame, data_digest(frame), "training")
    yield from _metrics("onset", evaluation.tables["onset"], "metric", "value")
    yield from _metrics("effect", evaluation.tables["effects"], "arm", "effect")
    yield from _metrics("policy", evaluation.frame("policies"), "policy", "value")
    for path in sorted(folder.iterdir()):
        yield Artifact(path, "evaluation")
    if isinstance(released, Bundle):
        yield Model(released.path)


def _metrics(kind: str, table: pd.DataFrame, name: str, value: str) -> Iterator[Metric]:
    for row in table.to_dict("records"):
        yield Metric(f"{kind}_{row[name]}", float(row[value]), float(row["low"]), float(row["high"]))


def run_all(config: Config, models: Path = MODELS, roster: Path = ROSTER) -> None:
    """Run the main job from the evidence to a scored roster, and print what came of it.

    Raises
    ------
    ReleaseRefused
        If a check of the release gate does not hold; everything before it is written, tracked and printed.
    """
    expect_store()
    scenario = config.cohort.scenario
    data = DATA / scenario
    with steps("demo", _OTHER_STEPS + train.STEPS + evaluate.STEPS) as tell:
        tell("simulate")
        write_cohort(config.cohort, data, config.cohort.draws)
        frames = read_frames(data, truth=True)
        tell("validate")
        validate.validate(frames, config, scenario)
        candidate = train.train(frames, config, scenario, tell)
        write_candidate(candidate, CANDIDATE)
        evaluation = evaluate.evaluate(candidate, frames, config, tell)
        tell("report")
        report = evaluation.write(EVALUATION)
        tell("release")
        released = _released(models, config)
        tell("track")
        run = track(records(candidate, evaluation, frames, EVALUATION, released), _run_name(scenario, released))
        tell("score")
        summary = score_roster(roster, SCORED, released) if isinstance(released, Bundle) else None
    if summary and isinstance(released, Bundle):
        _show_risks(asdict(summary), released)
    _show_figures(evaluation)
    show_checks(judge(CANDIDATE, EVALUATION, config.release).checks)
    places = {"cohort": data, "report": report, "MLflow": f"mlruns/mlflow.db, run {run} (`make ui`)"}
    table("Where everything is", ("what", "where"), (places | _made(released)).items())
    say(NOTICE)
    if isinstance(released, ReleaseRefused):
        raise released


def _released(models: Path, config: Config) -> Bundle | ReleaseRefused:
    try:
        return load_bundle(release(CANDIDATE, EVALUATION, models, config.product.version, config.release))
    except ReleaseRefused as refused:
        return refused


def _made(released: Bundle | ReleaseRefused) -> dict[str, Path]:
    if isinstance(released, ReleaseRefused):
        return {}
    return {"bundle": released.path, "model card": released.path / "card.md", "scored roster": SCORED}


def _released_as(released: Bundle | ReleaseRefused) -> str:
    if isinstance(released, Bundle):
        return released.name
    return "no: " + ", ".join(str(fault.field) for fault in released.faults)


def _run_name(scenario: str, released: Bundle | ReleaseRefused) -> str:
    return released.name if isinstance(released, Bundle) else f"{scenario}, not released"


def _show_risks(summary: dict[str, Any], released: Bundle) -> None:
    # the roster's own reader takes off the apostrophes that keep a spreadsheet from running an id
    ids = read_sheet(SCORED, frozenset()).table.column("runner_id").to_pylist()
    scored = pd.read_csv(SCORED).assign(runner_id=ids)
    column = risk_column(released.horizons["onset"])
    top = scored.rename(columns={column: "risk"}).dropna(subset="risk").nlargest(_SHOWN, "risk")
    risk = f"risk within {released.horizons['onset']} ({percent(released.level)})"
    header = ("runner", risk, "band", "reasons (percentage points)")
    table(f"The {_SHOWN} highest risks of the example roster", header, map(_risk_row, top.itertuples()))
    counts = f"{summary['scored']} scored, {summary['partly']} partly, {summary['rejected']} rejected"
    say(f"Roster: {summary['rows']} rows in and out, {counts}.")


def _show_figures(evaluation: Evaluation) -> None:
    figures = map(figure, evaluation.tables["onset"].itertuples())
    table("Onset, clubs that training never saw", ("figure", "value", "95 % interval"), figures)
    effects = (
        (r.arm, f"{r.effect:+.3f}", f"{r.low:+.3f} to {r.high:+.3f}") for r in evaluation.frame("effects").itertuples()
    )
    table("Pathways: adjusted difference from usual care", ("pathway", "effect", "95 % interval"), effects)


def _risk_row(row: Any) -> tuple[str, ...]:
    reasons = "\n".join(map(str, (row.reason_1, row.reason_2, row.reason_3)))
    return row.runner_id, f"{row.risk:.1%} ({row.risk_low:.1%} to {row.risk_high:.1%})", row.risk_band, reasons


def main(
    config: Annotated[Path | None, typer.Option(help="TOML that overrides the configuration.")] = None,
    scenario: Annotated[str | None, typer.Option(help="A scenario, as `pfps scenarios` lists them.")] = None,
) -> None:
    """Run the main job."""
    chosen = load_config(config)
    if scenario:
        chosen = replace(chosen, cohort=replace(chosen.cohort, scenario=scenario))
    run_all(chosen)


__all__ = ["main", "records", "run_all"]
