"""Training on real people: the models start at a released bundle, and outcomes move them as far as they can bear.

Runners move the onset model, patients the pathway models; one file may come without the other. Unlike in
`pfps recalibrate` no test chooses how much is moved.

Onset: the bundle's own spread over the evidence is the prior: mean and covariance of the intercept and of the scale of
each group of fields. Beside them each curve may bend (see `training.update_basis`), by an amount that the outcomes
choose, and each club has a rate of its own, as the scenario says. Few cases hardly move anything, many move everything
to where they are.

Pathways: the coefficients of the decomposition have the covariance of the bundle's draws beforehand; curves, of the
prognosis and of what each arm adds, may bend, and each clinic has a rate of its own. The gate is asked again: whether
the effects beat simpler models is judged on folds of these patients that they were not trained on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from pfps_ml.core import (
    CohortError,
    Config,
    Floats,
    InputError,
    Message,
    NDArray,
    PathwayConfig,
    TrainingConfig,
    generator,
    result_folder,
)
from pfps_ml.core.console import table, waiting
from pfps_ml.domain import ACTIVE_ARMS, ARMS, BY_NAME, PATHWAY_FIELDS, REFERENCE_ARM, complete
from pfps_ml.evaluation.check_catalogue import Check
from pfps_ml.evaluation.cohort_checks import audit
from pfps_ml.evaluation.cohort_figures import resampled
from pfps_ml.io.study_data import Cohort, Columns, read_cohort, read_patients
from pfps_ml.model import (
    Bundle,
    Gate,
    Held,
    Interval,
    Predictor,
    Values,
    basis,
    cross_fitted,
    eligibility,
    judge,
    load_bundle,
    probability,
    released_bundle,
)
from pfps_ml.training.posterior_update import (
    Choice,
    CoefficientColumns,
    Update,
    coefficient_posterior,
    covariance_of,
    members_of,
)
from pfps_ml.training.update_basis import (
    COMMON,
    GROUPS,
    SCALES,
    CurveBasis,
    PathwayDecomposition,
    coef_offsets_of,
    curve_basis_of,
    scaled,
    with_curves,
)
from pfps_ml.workflows.frames import MODELS, OUT
from pfps_ml.workflows.recalibrate import (
    EXPERIMENT,
    Known,
    Recalibration,
    bundle_after,
    club_sd,
    expect_new,
    expect_new_folder,
    expect_passed,
    known_of,
    lines_of,
    records_of_update,
    updated,
    write_bundle,
)
from pfps_ml.workflows.tables import show_lines
from pfps_ml.workflows.tracking import HOME as RUNS, expect_store, track

CURVES = "curves"
WHY = Message("update_without_test")
NO_TESTS = pd.DataFrame(columns=["update", "against", "statistic", "freedom", "p"])
_TURNED = -1.0  # the move of a scale below which a group would say the opposite


def train_on_cohort(
    bundle: Bundle, cohort: Cohort, settings: TrainingConfig | None = None, by: str = "",
    checks: list[Check] | None = None,
) -> Recalibration:  # fmt: skip
    """Move a bundle's onset model by a cohort's outcomes; nothing is written.

    Parameters
    ----------
    bundle
        Where training starts; it stays as it is.
    cohort
        Runners with outcomes over the bundle's horizon.
    settings
        Fewest cases, and others, that may move anything.
    by
        Who trains, for the card; no name of a runner.
    checks
        The cohort's, if they have been made.

    Raises
    ------
    CohortError
        If the cohort fails a check; with too few cases the bundle that is there says more than a new one.
    """
    settings = settings or TrainingConfig()
    known = known_of(bundle, cohort, by, checks)
    expect_enough(known.y, settings.fewest_events, "runners")
    shapes = curve_basis_of(bundle.predictor.onset, bundle.reference)
    update = evidence_update(known, shapes, bundle.predictor.interval, settings)
    return updated(bundle, known, Choice(CURVES, WHY, NO_TESTS), update)


def expect_enough(y: Floats, fewest: int, people: str) -> None:
    """Refuse outcomes that are too few.

    Parameters
    ----------
    y
        Outcomes, 0 or 1, shape (rows,).
    fewest
        Of either kind.
    people
        Runners or patients.

    Raises
    ------
    CohortError
        With the code of the check.
    """
    events, others = int(y.sum()), int(len(y) - y.sum())
    if min(events, others) < fewest:
        raise CohortError(Message(_TOO_FEW[people], {"least": fewest, "events": events, "others": others}))


_TOO_FEW = {"runners": "too_few_cases_to_train", "patients": "too_few_successes_to_train"}


def evidence_update(known: Known, shapes: CurveBasis, interval: Interval, settings: TrainingConfig) -> Update:
    """Return where outcomes move intercept, scales and curves.

    Parameters
    ----------
    known
        The runners whose outcomes are known.
    shapes
        The curves of the bundle.
    interval
        Which members of the model are draws of the evidence, which are resamples.
    settings
        When clubs are told apart.
    """
    log_odds = known.found
    moves, clubs = coef_offsets_of(log_odds.members, log_odds.parts), club_columns(known.club, settings.most_clubs)
    before, sd = covariance_of(moves, interval), club_sd()
    if not interval.evidence:
        before[0, 0] += settings.site_sd**2
    if not clubs.shape[1]:
        before[0, 0] += sd**2  # of one club, its own rate is part of what is not known
    along = CoefficientColumns(log_odds.parts, before, sd * clubs, (shapes.design(known.values),))
    post = coefficient_posterior(along, known.y, log_odds.margin)
    centre = np.where(_settled_groups(), np.maximum(post.centre, _TURNED), post.centre)
    landed, bends = members_of(post, moves, interval, centre)
    return Update(CURVES, centre, before, post.covariance, landed - moves, bends)


def club_columns(club: NDArray[np.object_], most: int) -> Floats:
    """Return a column for each club that is named, shape (rows, clubs); none for a single club, or very many."""
    named = pd.Series(club).astype("category")
    codes, count = named.cat.codes.to_numpy(), len(named.cat.categories)
    if not 1 < count <= most:
        return np.zeros((len(club), 0))
    return np.asarray(codes[:, None] == np.arange(count), dtype=np.float64)


def _settled_groups() -> NDArray[np.bool_]:
    """Return of which coefficients the evidence settles a direction: it is weakened by outcomes, and not turned."""
    settled = {str(field.driver) for field in BY_NAME.values() if field.direction}
    return np.array([False, *(group in settled for group in GROUPS)])


Labels = NDArray[np.object_]
PATHWAYS = "pathways"
_PROPENSITY_KNOTS, _FOLDS, _SEED = 4, 5, 20267
_SHOWN = 5  # patients of an arm, below which their number could point at somebody


@dataclass(frozen=True, eq=False)
class Treated:
    """Patients whose outcome is known: coded fields, the arm each had, success (0 or 1), and the fold of each.

    `groups` says who is counted together when effects are judged: patients of a club, or rows of a person. `club` is
    where each was treated, None where blank.
    """

    values: Mapping[str, Floats]
    given: Labels
    y: Floats
    fold: NDArray[np.int64]
    groups: NDArray[np.int64]
    club: Labels

    def some(self, rows: NDArray[np.bool_]) -> "Treated":
        """Return some of them."""
        values = {name: np.asarray(column)[rows] for name, column in self.values.items()}
        return Treated(values, self.given[rows], self.y[rows], self.fold[rows], self.groups[rows], self.club[rows])

    @property
    def features(self) -> pd.DataFrame:
        """The fields that the pathway models read."""
        return pd.DataFrame({name: self.values[name] for name in PATHWAY_FIELDS})


def train_on_patients(
    bundle: Bundle, cohort: Cohort, settings: TrainingConfig | None = None, by: str = "",
    checks: list[Check] | None = None,
) -> Recalibration:  # fmt: skip
    """Move a bundle's pathway models by patients' outcomes, and ask its gate again; nothing is written.

    Parameters
    ----------
    bundle
        Where training starts; it stays as it is.
    cohort
        Patients with the arm that each had, and success.
    settings
        Fewest successes, and others, that may move anything.
    by
        Who trains, for the card; no name of a patient.
    checks
        The cohort's, if they have been made.

    Raises
    ------
    CohortError
        If the cohort fails a check, has moved the bundle before, or has too few successes or others.
    """
    expect_new(bundle, cohort)
    expect_passed(audit(cohort) if checks is None else checks)
    treated = treated_of(cohort)
    expect_enough(treated.y, (settings or TrainingConfig()).fewest_events, "patients")
    predictor = replace(trained_pathways(bundle, treated), gate=gate_of(bundle, treated))
    facts = {"from": bundle.name, "cohort": cohort.digest, "by": by, **_facts_of(bundle, predictor, treated)}
    return Recalibration(Choice(PATHWAYS, WHY, NO_TESTS), None, facts, predictor, dict(bundle.reference))


def lines_of_patients(found: Recalibration) -> list[tuple[str, str]]:
    """Return what a terminal shows of an update of the pathway models."""
    facts, labels = found.facts, {arm.name: arm.label for arm in ARMS}
    moved = [
        (labels[name], f"mean effect {100 * facts['effects_before'][name]:+.1f} points of success before, "
                       f"{100 * facts['effects_after'][name]:+.1f} after")
        for name in ACTIVE_ARMS
    ]  # fmt: skip
    unchanged = facts["unchanged"]
    moved += [("unchanged", Message("arm_unchanged_nobody", {"arms": unchanged}).text)] if unchanged else []
    gate = "a pathway may be preferred" if facts["gate_passed"] else "no pathway is preferred to another"
    return [("patients", f"{facts['patients']:,}"), ("successes", f"{facts['successes']:,}"), *moved, ("gate", gate),
            ("changed", found.choice.why)]  # fmt: skip


def treated_of(cohort: Cohort) -> Treated:
    """Return the patients who can be learnt from; folds keep clubs whole where there are enough, else persons."""
    used = cohort.used
    values, arm = complete(cohort.values[used]), np.asarray(cohort.arm)[used].astype(object)
    groups, names = pd.factorize(resampled(cohort, _FOLDS)[0], sort=True)
    fold = generator(_SEED, "folds").permutation(np.arange(len(names)) % _FOLDS)[groups]
    return Treated(values, arm, cohort.y[used], fold, groups, cohort.club[used])


def _facts_of(bundle: Bundle, predictor: Predictor, treated: Treated) -> dict[str, Any]:
    before, after = (success_under(each, treated.values).mean() for each in (bundle.predictor, predictor))
    gate, had = predictor.gate, {name: int((treated.given == name).sum()) for name in before.index}
    return {
        "level": PATHWAYS, "patients": len(treated.y), "successes": int(treated.y.sum()),
        "arms": {name: count if count >= _SHOWN else None for name, count in had.items() if count},
        "effects_before": {name: round(float(before[name] - before[REFERENCE_ARM]), 6) for name in ACTIVE_ARMS},
        "effects_after": {name: round(float(after[name] - after[REFERENCE_ARM]), 6) for name in ACTIVE_ARMS},
        "gate_passed": gate is not None and gate.passed, "unchanged": list(nobody_had(treated.given)),
    }  # fmt: skip


def trained_pathways(bundle: Bundle, treated: Treated, modified: bool = True) -> Predictor:
    """Return a bundle's models with the pathways moved by patients' outcomes; its gate is not asked again.

    Parameters
    ----------
    bundle
        Where training starts.
    treated
        The patients; what an arm that nobody had adds stays as it was.
    modified
        Whether arms may differ between patients; else each has one odds ratio for all.
    """
    predictor, sight = bundle.predictor, PathwayDecomposition.of(bundle.predictor, treated.values)
    models = {REFERENCE_ARM: predictor.prognosis, **predictor.modifiers}
    shapes = {name: curve_basis_of(model, bundle.reference) for name, model in models.items()}
    centres = sight.centres
    if not modified:
        flat = {name: np.broadcast_to(each.mean(axis=0), each.shape) for name, each in sight.added.items()}
        sight = PathwayDecomposition(sight.usual, flat)
    moves = sight.coef_offsets(centres)
    columns = sight.coef_columns(treated.given, centres)
    open_to = np.ones(columns.shape[1], dtype=bool)
    open_to[SCALES] = modified
    # clinics differ in success and in what they give: what is theirs must not pass for an arm's
    clinics = TrainingConfig.site_sd * club_columns(treated.club, TrainingConfig.most_clubs)
    before = covariance_of(moves, predictor.pathway_interval)
    if not predictor.pathway_interval.evidence:
        before[0, 0] += TrainingConfig.site_sd**2
    along = CoefficientColumns(
        columns[:, open_to], before[np.ix_(open_to, open_to)], clinics, _bends(shapes, treated, modified)
    )
    post = coefficient_posterior(along, treated.y, sight.margin(treated.given)[:, 0])
    landed = np.zeros_like(moves)
    landed[:, open_to], bends = members_of(post, moves[:, open_to], predictor.pathway_interval)
    trained = _written(predictor, shapes, (landed - moves) * open_to, bends, centres, modified)
    # of an arm that nobody had, these patients tell nothing: what others had must not move it
    untold = {name: predictor.modifiers[name] for name in nobody_had(treated.given)} if modified else {}
    return replace(trained, modifiers={**trained.modifiers, **untold})


def nobody_had(given: Labels) -> tuple[str, ...]:
    """Return the active arms that no patient had."""
    return tuple(name for name in ACTIVE_ARMS if not (given == name).any())


def gate_of(bundle: Bundle, treated: Treated, floor: float = PathwayConfig.propensity_floor) -> Gate:
    """Return whether effects trained on some patients beat simpler accounts on the others, over all folds.

    Parameters
    ----------
    bundle
        Where training starts in every fold.
    treated
        The patients.
    floor
        The lowest chance of an arm that a patient is taken to have had.
    """
    X, names = treated.features, [arm.name for arm in ARMS]
    ours, same = (pd.DataFrame(0.0, index=X.index, columns=names) for _ in range(2))
    flat, may = pd.DataFrame(0.0, index=X.index, columns=list(ACTIVE_ARMS)), eligibility(X)
    for each in np.unique(treated.fold):
        train, test = treated.fold != each, treated.fold == each
        seen, unseen = treated.some(train), treated.some(test)
        for out, modified in ((ours, True), (same, False)):
            trained = trained_pathways(bundle, seen, modified)
            out.loc[test] = success_under(trained, unseen.values).to_numpy()
            if modified:
                gain = success_under(trained, seen.values)
                for name in ACTIVE_ARMS:
                    rows = may[name].to_numpy()[train]
                    gains = (gain[name] - gain[REFERENCE_ARM])[rows if rows.any() else slice(None)]
                    flat.loc[test, name] = float(gains.mean())
    chance = cross_fitted(X, pd.Series(treated.given), treated.fold, basis(X, _PROPENSITY_KNOTS))
    return judge(Held(treated.y, treated.given, may, chance.clip(lower=floor), treated.groups), ours, same, flat)


def success_under(predictor: Predictor, values: Values) -> pd.DataFrame:
    """Return the probability of success under every arm, one column an arm, open to the patient or not."""
    sight = PathwayDecomposition.of(_main_of(predictor), values)
    usual = sight.usual[:, 0]
    under = {REFERENCE_ARM: usual} | {name: usual + each[:, 0] for name, each in sight.added.items()}
    return pd.DataFrame({arm.name: probability(under[arm.name]) for arm in ARMS})


def _main_of(predictor: Predictor) -> Predictor:
    """Return the main pathway models alone, without the members that make intervals."""
    modifiers = {name: each.member(0) for name, each in predictor.modifiers.items()}
    return replace(predictor, prognosis=predictor.prognosis.member(0), modifiers=modifiers)


def _bends(shapes: Mapping[str, CurveBasis], treated: Treated, modified: bool) -> tuple[Floats, ...]:
    prognosis = shapes[REFERENCE_ARM].design(treated.values)
    if not modified:
        return (prognosis,)
    arms = [shapes[name].design(treated.values) * (treated.given == name)[:, None] for name in ACTIVE_ARMS]
    return prognosis, np.hstack(arms)


def _written(
    predictor: Predictor,
    shapes: Mapping[str, CurveBasis],
    moves: Floats,
    bends: Floats,
    centres: Floats,
    modified: bool,
) -> Predictor:
    sizes = [shapes[name].count for name in (REFERENCE_ARM, *ACTIVE_ARMS)]
    parts = np.split(bends, np.cumsum(sizes)[: -1 if modified else 1], axis=1)
    prognosis = scaled(predictor.prognosis, moves[:, 0], moves[:, 1], centres[0])
    prognosis = with_curves(prognosis, shapes[REFERENCE_ARM].curves(parts[0]))
    modifiers: dict[str, Any] = {}
    for at, name in enumerate(ACTIVE_ARMS):
        modifier = predictor.modifiers[name]
        if modified:
            modifier = scaled(modifier, moves[:, COMMON][:, at], moves[:, SCALES][:, at], centres[1 + at])
            modifiers[name] = with_curves(modifier, shapes[name].curves(parts[1 + at]))
        else:
            modifiers[name] = replace(modifier, intercept=centres[1 + at] + moves[:, COMMON][:, at], terms=())
    return replace(predictor, prognosis=prognosis, modifiers=modifiers)


LOCAL = OUT / "pfps-local"

Real = Annotated[Path | None, typer.Option("--cohort", metavar="FILE", help="Real runners: .csv, .xlsx or .parquet.")]
Visited = Annotated[Path | None, typer.Option("--patients", metavar="FILE", help="Real patients: arm and success.")]
Start = Annotated[Path | None, typer.Option(metavar="DIR", help="Bundle to start at; by default the released one.")]
Map = Annotated[Path | None, typer.Option("--map", metavar="FILE.toml", help="Names, levels and units of the cohort.")]
PatientsMap = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="The same of the patients' file.")]
Outcome = Annotated[str | None, typer.Option(metavar="NAME", help="The cohort's column of the outcome.")]
Event = Annotated[str | None, typer.Option(metavar="LEVEL", help="The outcome's level that means a case.")]
Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="A column, as for `pfps audit`; of each file that is named.")
]
Arm = Annotated[str | None, typer.Option(metavar="NAME", help="The patients' column of arms.")]
ArmLevel = Annotated[list[str] | None, typer.Option(metavar="LEVEL=ARM", help="What the file calls an arm; one each.")]
Success = Annotated[str | None, typer.Option(metavar="NAME", help="The patients' column of success.")]
Succeeded = Annotated[str | None, typer.Option(metavar="LEVEL", help="Its level that means success.")]
By = Annotated[str, typer.Option(metavar="TEXT", help="Who trains on the cohort, for the card.")]
Logged = Annotated[bool, typer.Option("--mlflow", help="Log figures and the new bundle to MLflow.")]


@dataclass(frozen=True)
class Asked:
    """What is asked of real people's files.

    Attributes
    ----------
    cohort, patients
        The file of runners, and that of patients; at least one.
    columns, patient_columns
        Which of their columns the dictionary has no field for.
    mapping, patient_mapping
        Names, levels and units of the others.
    bundle
        Where to start; None for the released bundle.
    by
        Who trains, for the card; no name of a runner.
    logged
        Whether MLflow is told.
    """

    cohort: Path | None = None
    patients: Path | None = None
    columns: Columns = field(default_factory=Columns)
    patient_columns: Columns = field(default_factory=Columns)
    mapping: Path | None = None
    patient_mapping: Path | None = None
    bundle: Path | None = None
    by: str = ""
    logged: bool = False


def train_on_files(asked: Asked, config: Config, out: Path, home: Path = Path()) -> None:
    """Read and check the files, print both, train on them and write the new bundle whole; CURRENT is never moved.

    Raises
    ------
    InputError
        If a file cannot be read, or the cohort is one of patients.
    CohortError
        If one fails a check, too few cases among them; nothing is written.
    OutputError
        If the folder is there already, or cannot be written.
    """
    expect_new_folder(out)
    runs = home / RUNS
    if asked.logged:
        expect_store(home=runs)
    bundle = _released(home) if asked.bundle is None else load_bundle(asked.bundle)
    read = list(_read(asked, bundle))  # both are read and checked before anything is trained
    results: list[Recalibration] = []
    start = bundle.name
    with waiting("Training"), result_folder(out.parent):
        for cohort, checks in read:
            train = train_on_cohort if cohort.arm is None else train_on_patients
            results.append(train(bundle, cohort, config.training, asked.by, checks))
            bundle = replace(bundle_after(results[-1], bundle, out.name), name=start)
        write_bundle(bundle, out)
    for result in results:
        show_lines(lines_of(result) if result.update else lines_of_patients(result), out)
        if asked.logged:
            track(records_of_update(result, out), f"training of {out.name}", EXPERIMENT, home=runs)


def _released(home: Path) -> Bundle:
    """Load the bundle that was released under a home, else the one of this checkout or installation."""
    models = home / MODELS
    return released_bundle(models if home != Path() and (models / "CURRENT").exists() else None)


def _read(asked: Asked, bundle: Bundle) -> Iterator[tuple[Cohort, list[Check]]]:
    if asked.cohort is not None:
        cohort = read_cohort(asked.cohort, asked.columns, asked.mapping, bundle.horizons)
        if cohort.arm is not None:
            raise InputError(Message("train_patients_as_runners"))
        yield _checked(cohort)
    if asked.patients is not None:
        yield _checked(read_patients(asked.patients, asked.patient_columns, asked.patient_mapping, bundle.horizons))


def _checked(cohort: Cohort) -> tuple[Cohort, list[Check]]:
    table(cohort.people.capitalize(), ("what", "rows"), [(what, f"{rows:,}") for what, rows in cohort.account()])
    checks = audit(cohort)
    table("Checks (docs/CHECKS.md)", ("code", "check", "verdict", "why"),
          [(each.code, each.title, each.verdict, each.why) for each in checks])  # fmt: skip
    return cohort, checks


__all__ = [
    "CURVES", "LOCAL", "PATHWAYS", "Arm", "ArmLevel", "Asked", "By", "Event", "Logged", "Map", "Name", "Outcome",
    "PatientsMap", "Real", "Start", "Succeeded", "Success", "Treated", "Visited", "club_columns", "evidence_update",
    "gate_of", "lines_of_patients", "success_under", "train_on_cohort", "train_on_files", "train_on_patients",
    "trained_pathways", "treated_of",
]  # fmt: skip
