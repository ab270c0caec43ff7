"""The evidence ledger: one row is one published figure, with its value, interval, source and grade."""

import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pfps_ml.core import FactError, normal_quantile

Z95 = normal_quantile(0.95)  # standard errors from an estimate to either end of its 95 % interval
_HOME = files("pfps_ml.domain")


@dataclass(frozen=True)
class Evidence:
    """One published figure."""

    id: str
    quantity: str
    population: str
    comparison: str
    horizon: str
    estimate: str
    unit: str
    ci_low: str
    ci_high: str
    sd: str
    n: str
    study: str
    doi: str
    grade: str
    note: str


@cache
def ledger() -> dict[str, Evidence]:
    """Return the ledger by row id."""
    lines = (_HOME / "evidence.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [Evidence(**row) for row in csv.DictReader(lines)]
    if len({row.id for row in rows}) != len(rows):
        raise FactError("the ledger (knowledge/evidence.csv) has a row id twice; ids must be unique")
    return {row.id: row for row in rows}


def ledger_fingerprint() -> str:
    """Return the digest of the ledger: which state of the evidence a bundle was made from."""
    return hashlib.sha256((_HOME / "evidence.csv").read_bytes()).hexdigest()


def numbers(text: str) -> list[float]:
    """Return the numbers in an estimate as it is printed, in order; a range gives two."""
    return [float(number_text) for number_text in re.findall(r"(?<![\d.])[-+]?\d+(?:\.\d+)?", text)]


def studies_of(rows: Iterable[str]) -> frozenset[str]:
    """Return the studies behind some rows of the ledger, so that rows of one study share a name.

    A study goes by its DOI, by its first author and year, and by the name of its cohort if it stands in brackets. A
    row derived from others is of their studies. Reports of one trial by different authors or years count as
    different studies.
    """
    return frozenset(name for row in rows for name in _names_of(ledger()[row]))


def _names_of(row: Evidence) -> set[str]:
    if row.grade == "derived from cited rows" and (named := re.findall(r"\bG\d-\d\d\b", row.study + row.quantity)):
        return set(studies_of(named))
    return {
        row.doi,
        re.split(r",| as |\(", row.study)[0].strip(),
        *re.findall(r"\(([A-Z][A-Za-z]*[- ]?[A-Z]{3,})\)", row.study),
    } - {""}


__all__ = ["Z95", "Evidence", "ledger", "ledger_fingerprint", "numbers", "studies_of"]
