"""The evidence ledger: one row is one published figure, with its value, interval, source and grade."""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pfps_ml.errors import FactError

_HOME = files("pfps_ml.knowledge")


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


__all__ = ["Evidence", "ledger", "ledger_fingerprint"]
