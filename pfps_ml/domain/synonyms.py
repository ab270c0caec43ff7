"""How people write what the dictionary names: levels, numbers, units and columns, in six languages (spellings.toml).

What is certain is read as it is. What is only likely is proposed by `pfps map`, and read only once the user has
confirmed it.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pfps_ml.domain.dictionary import YES_NO, Field

_FILE = Path(__file__).parent / "spellings.toml"
_NUMBER = re.compile(r"([+-]?)([0-9][0-9.,' \u00a0\u202f]*)((?:[eE][+-]?[0-9]+)?)")
_GROUPED = {",": re.compile(r"\d{1,3}(,\d{3})+"), ".": re.compile(r"\d{1,3}(\.\d{3})+")}
_SPACED = re.compile(r"\d{1,3}([ '\u00a0\u202f]\d{3})*([.,]\d*)?")
_FEET = re.compile(r"""(\d)\s*(?:'|ft)\s*(\d{1,2}(?:\.\d+)?)?\s*(?:"|''|in)?""")
AMBIGUOUS = "a comma that may mean tenths or thousands"


@dataclass(frozen=True)
class Unit:
    """What a unit is in the dictionary's.

    Attributes
    ----------
    factor
        One of it, in the field's unit; of a torque in Nm, of a force in N.
    needs
        What else must be known: nothing, the runner's `weight`, or the `lever` arm besides.
    """

    factor: float
    needs: str = ""


@cache
def facts() -> dict[str, Any]:
    """Return spellings.toml."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """Return a text without case, accents, and what is no letter or digit; as it is if it has neither."""
    bare = unicodedata.normalize("NFKD", text.strip().casefold())
    words = re.sub(r"[^a-z0-9]+", " ", "".join(letter for letter in bare if not unicodedata.combining(letter)))
    return words.strip() or text.strip()


def level_of(text: str, field: Field, likely: bool = False) -> str | None:
    """Return the level of a choice that a text means for certain, or likely; None if it means none."""
    return None if "?" in text else _levels(field.levels, likely).get(plain(text))


def is_unknown(text: str) -> bool:
    """Return whether a text is one of the words for "not known", which a map may declare as missing."""
    return plain(text) in _plain_set("missing", "words")


def missing_codes() -> tuple[str, ...]:
    """Return the numbers that forms use for "not known" where they cannot be true."""
    return tuple(facts()["missing"]["codes"])


def units_of(field: Field) -> dict[str, Unit]:
    """Return the units that a field may come in, by their plain names."""
    known = {plain(name): Unit(factor) for name, factor in facts()["units"].get(field.unit, {}).items()}
    if field.unit == "Nm/kg":
        known |= {plain(name): Unit(factor, "weight") for name, factor in facts()["torques"].items()}
        known |= {plain(name): Unit(factor, "lever") for name, factor in facts()["forces"].items()}
    return known


@cache
def other_units(field: Field) -> dict[str, float]:
    """Return the units that a form offers beside the field's own, each with what one of it is in the field's unit."""
    factors = facts()["units"].get(field.unit, {}) | facts()["scales"]
    return {name: float(factors[name]) for name in facts()["other_units"].get(field.name, ())}


def likely_units(field: Field, value: float) -> list[str]:
    """Return the other units in which a value outside the field's limits would lie within them.

    A force or a torque that nobody divided by weight is judged for a runner of typical weight and lever arm.
    """
    factors = dict(other_units(field))
    if field.unit == "Nm/kg":
        weight, lever = facts()["typical"]["weight"], facts()["typical"]["lever"]
        factors |= {"Nm": 1 / weight} | {name: facts()["forces"][name] * lever / weight for name in ("N", "kg")}
    return [name for name, factor in factors.items() if field.low <= value * factor <= field.high]


def read_number(text: str, unit: str = "", decimal: str | None = None) -> float | None:
    """Return the number that a text means for certain, written the European or the American way; None if none.

    Parameters
    ----------
    text
        Such as `1.234,5`, `1,234.5`, `61,5`, `12 %` (with its own unit), `5'11"` (a height in cm).
    unit
        The unit that may stand behind it.
    decimal
        The sign before the tenths if it is known; without it `1,234` is ambiguous.

    Raises
    ------
    ValueError
        If the text is ambiguous.
    """
    text = text.strip()
    feet = _FEET.fullmatch(text) if unit == "cm" else None
    if feet:
        return round((int(feet[1]) * 12 + float(feet[2] or 0)) * 2.54, 2)
    if unit and text.casefold().endswith(unit.casefold()):
        text = text[: -len(unit)].rstrip()
    match = _NUMBER.fullmatch(text)
    digits = _undotted(match[2].strip(), decimal) if match else None
    return float(f"{match[1]}{digits}{match[3]}") if match and digits else None


def _undotted(digits: str, decimal: str | None) -> str | None:
    """Return digits with a point before the tenths and nothing between the thousands."""
    if any(mark in digits for mark in " '\u00a0\u202f"):
        if not _SPACED.fullmatch(digits):
            return None
        digits = re.sub(r"[ '\u00a0\u202f]", "", digits)
    last = max(digits.rfind(","), digits.rfind("."))
    if last < 0:
        return digits
    mark, other = digits[last], "." if digits[last] == "," else ","
    whole, tenths = digits[:last], digits[last + 1 :]
    if mark in whole:  # 1,234,567
        return digits.replace(mark, "") if decimal != mark and _GROUPED[mark].fullmatch(digits) else None
    if other in whole:  # 1.234,5
        return f"{whole.replace(other, '')}.{tenths}" if decimal != other and _GROUPED[other].fullmatch(whole) else None
    if decimal == other:
        return digits.replace(mark, "") if _GROUPED[mark].fullmatch(digits) else None
    if mark == "," and decimal is None and _GROUPED[mark].fullmatch(digits) and whole != "0":
        raise ValueError(AMBIGUOUS)
    return f"{whole}.{tenths}"


def month_of(word: str) -> int | None:
    """Return the month of a year that a word names, whole or cut, in one of six languages: März, mrt, avril."""
    return _months().get(plain(word))


@cache
def _months() -> dict[str, int]:
    return {plain(name): at for at, names in enumerate(facts()["months"]["names"], start=1) for name in names}


@cache
def _levels(levels: tuple[str, ...], likely: bool) -> dict[str, str]:
    name = "yes_no" if levels == YES_NO else "sex"
    if set(levels) != set(facts()["certain"][name]):
        return {plain(level): level for level in levels}
    parts = [facts()["certain"][name], *([facts()["likely"][name]] if likely else [])]
    return {plain(word): level for part in parts for level, words in part.items() for word in words}


@cache
def _plain_set(table: str, key: str) -> frozenset[str]:
    return frozenset(plain(word) for word in facts()[table][key])


__all__ = [
    "AMBIGUOUS", "Unit", "facts", "is_unknown", "level_of", "likely_units", "missing_codes", "month_of", "other_units",
    "plain", "read_number", "units_of",
]  # fmt: skip
