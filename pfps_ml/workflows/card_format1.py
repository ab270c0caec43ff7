"""The figures of the held-out clubs of a bundle whose manifest does not hold them: read from its card.

Bundles of format 1 that were released before manifests held these figures have them in their card alone. Nothing else
reads a card.
"""

import re
from typing import Any

from pfps_ml.domain.dictionary import ARMS
from pfps_ml.evaluation.comparison import EXCESS, EXCESS_LABEL
from pfps_ml.evaluation.metrics import METRICS

_ROW = re.compile(r"\|(.+)\|")
_TITLE = re.compile(r"^# ", re.MULTILINE)
_ARM_OF_LABEL = {arm.label: arm.name for arm in ARMS}
_METRIC_OF_LABEL = {EXCESS_LABEL: EXCESS} | {metric.label: name for name, metric in METRICS.items()}


def figures_of_format_1_card(card: str) -> dict[str, list[dict[str, Any]]]:
    """Return the figures as a manifest holds them; see `pfps_ml.workflows.card.held_out_figures`.

    Parameters
    ----------
    card
        Of a bundle of format 1. The card of an updated bundle ends with that of the bundle before, so the figures are
        those of the last card in it.

    Raises
    ------
    LookupError
        If the card has no such table, or names a figure or a pathway that is not known.
    ValueError
        If a cell of the table is no figure.
    """
    starts = [match.start() for match in _TITLE.finditer(card)]
    tables = _tables(card[starts[-1] :] if starts else card)
    onset = [
        {"metric": _METRIC_OF_LABEL[label], "label": label, "value": float(value), **_limits(interval)}
        for label, value, interval in tables["figure", "value"]
    ]
    effects = [
        {"arm": _ARM_OF_LABEL[label], "patients": int(patients), "effect": float(effect), **_limits(interval)}
        for label, patients, effect, interval, *_ in tables["pathway", "patients"]
    ]
    return {"onset": onset, "effects": effects}


def _limits(interval: str) -> dict[str, float]:
    low, high = interval.split(" to ")
    return {"low": float(low), "high": float(high)}


def _tables(card: str) -> dict[tuple[str, str], list[list[str]]]:
    """Return the rows of each table, by the first two names of its header."""
    tables: dict[tuple[str, str], list[list[str]]] = {}
    rows: list[list[str]] | None = None
    for line in card.splitlines():
        match = _ROW.fullmatch(line.strip())
        cells = [cell.strip() for cell in match[1].split("|")] if match else []
        if not cells:
            rows = None
        elif rows is None:
            rows = tables.setdefault((cells[0], cells[1]), [])
        elif set(cells[0]) != {"-"}:
            rows.append(cells)
    return tables


__all__ = ["figures_of_format_1_card"]
