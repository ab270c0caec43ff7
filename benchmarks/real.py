"""Real data tried: what the checks and the pathways say of open cohorts and trials; writes REAL_DATA.md.

`python -m benchmarks.real` reads ../shared/data, where it is there (see its README for sources and licences); nothing
of it is kept here but counts and figures.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.trial_page import PICTURE, Found, found_in, picture, trial_lines
from pfps_ml.core.markup import markdown_table
from pfps_ml.evaluation.displays import DPI
from pfps_ml.evaluation.external_validation import Validation, validate
from pfps_ml.io.study_data import Cohort, Columns, read_cohort
from pfps_ml.model import released_bundle

DATA = Path("../shared/data")
PAGE = Path("REAL_DATA.md")
_MODELS = Path("models")  # the page is about what this checkout releases
_MAP = Path("data/mappings/ferber_ric.toml")
_NAMES = ("pfps", "patellofemoral pain syndrome")
_COLUMNS = Columns(
    outcome="diagnosed", period="year", person="sub_id", measured_on="seen", happened_on="told", second="hurt"
)


def treadmill_frame(folder: Path) -> pd.DataFrame:
    """Return the sessions of runners with patellofemoral pain and of those said to have no diagnosis.

    `diagnosed` is the diagnosis, `hurt` the severity that was asked for apart from it; both are of the session's day.
    """
    meta = pd.read_csv(folder / "run_data_meta.csv")
    diagnosis = meta["SpecInjury"].fillna("").str.strip().str.lower()
    joint = meta["InjJoint"].fillna("").str.strip().str.lower().isin(("", "no injury"))
    severity = meta["InjDefn"].fillna("").str.strip().str.lower()
    case = diagnosis.isin(_NAMES)
    none = (severity == "no injury") & joint & diagnosis.isin(("", "no injury"))
    day = meta["datestring"].str.slice(0, 10)
    hurt = severity.map(lambda told: "" if not told else "no" if told == "no injury" else "yes")
    told = meta.assign(diagnosed=case.astype(int), hurt=hurt, year=day.str.slice(0, 4), seen=day, told=day)
    return told[case | none].reset_index(drop=True)


def treadmill(folder: Path) -> tuple[Cohort, Validation]:
    """Read the treadmill cohort as if it were one of onset, and judge the released bundle on it."""
    with TemporaryDirectory() as place:
        path = Path(place) / "treadmill.csv"
        treadmill_frame(folder).to_csv(path, index=False)
        cohort = read_cohort(path, _COLUMNS, _MAP)
    return cohort, validate(released_bundle(_MODELS), cohort)


def page(folder: Path = DATA, found: Sequence[Found] | None = None) -> str:
    """Return the page, Markdown; trials are tried unless they were."""
    trials = found_in(folder) if found is None else found
    return "\n".join((*_lines(folder), *trial_lines(trials))) + "\n"


def _lines(folder: Path) -> Iterator[str]:
    _, found = treadmill(folder / "ferber_ric")
    yield from ("# Real data tried", "", "Written by `python -m benchmarks.real`, from data that are not part of this")
    yield "project. No open cohort or trial of runner's knee is known, so nothing here says how good a model is."
    yield from ("", "## A treadmill clinic, cross-sectional", "")
    yield "Sessions of the Running Injury Clinic, Calgary (Ferber and others, Sci Data 2024;11:1232, CC BY 4.0):"
    yield "runners with a diagnosis of patellofemoral pain against those without any, read through"
    yield f"`{_MAP}` as if they were a cohort of onset. The checks must see that they are none."
    account = ((row.what, f"{row.rows:,}") for row in found.tables["account"].itertuples())
    yield from ("", f"**{found.verdict.text}**", "", markdown_table(("rows", ""), account))
    checks = ((f"[{check.code}]({check.page}) {check.title}", check.verdict, check.why) for check in found.checks)
    yield from ("", markdown_table(("check", "verdict", "why"), checks))
    figures = found.tables["onset"].set_index("metric").loc[["auroc", "observed_expected"]]
    yield from ("", f"The figures, which validate nothing ({found.subject['intervals'].partition(':')[0]} resampled):")
    rows = ((row.label, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}") for row in figures.itertuples())
    yield from ("", markdown_table(("figure", "value", "95 % interval"), rows))
    drifted = found.tables["drift"].query("drift != 'none'")
    told = ", ".join(f"{row.label} ({row.drift}, {row.psi:.2f})" for row in drifted.itertuples()) or "none"
    yield from ("", f"Drift against the training data: {told}.")


def main() -> None:
    """Write the page."""
    if not (DATA / "ferber_ric").is_dir():
        raise SystemExit(
            f"expected the treadmill cohort in {DATA / 'ferber_ric'}, got no such folder; nothing written."
        )
    found = found_in(DATA)
    PAGE.write_text(page(DATA, found), encoding="utf-8")
    if found:
        picture(found).savefig(PICTURE, dpi=DPI, metadata={"Software": None})
    print(f"written: {PAGE}{f' and {PICTURE}' if found else ', no trial in ' + str(DATA)}")


if __name__ == "__main__":
    main()
