"""How people write what the dictionary names: levels, numbers, units and columns, in six languages (spellings.toml).

What is certain is read as it is. What is only likely is proposed by `pfps map`, and read only once the user has
confirmed it.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from pfps_ml.domain.dictionary import YES_NO, Field

_FILE = Path(__file__).parent / "spellings.toml"
_NUMBER = re.compile(r"([+-]?)([0-9][0-9.,' \u00a0\u202f]*)((?:[eE][+-]?[0-9]+)?)")
_GROUPED = {",": re.compile(r"\d{1,3}(,\d{3})+"), ".": re.compile(r"\d{1,3}(\.\d{3})+")}
_SPACED = re.compile(r"\d{1,3}([ '\u00a0\u202f]\d{3})*([.,]\d*)?")
_FEET = re.compile(r"""(\d)\s*(?:'|ft\.?|foot|feet)\s*(?:(\d{1,2}(?:\.\d+)?)\s*(?:"|''|ins?\.?|inch|inches)?)?""")
_STONES = re.compile(r"(\d{1,2})\s*(?:st\.?|stones?)\s*(?:(\d{1,2}(?:\.\d+)?)\s*(?:lbs?\.?|pounds?)?)?")
_TWO_NUMBERS = re.compile(r"(\d{1,2})\s*[ :-]\s*(\d{1,2}(?:\.\d+)?)")
# the field's unit: how it is written, the larger unit in it, how many of the smaller are one more, and what is usual
_OLD_UNITS = {"cm": (_FEET, 30.48, 12, range(4, 8)), "kg": (_STONES, 6.35029318, 14, range(5, 26))}
_MARKS = str.maketrans({**dict.fromkeys("\u2019\u2018\u2032\u00b4`", "'"), **dict.fromkeys("\u201d\u201c\u2033", '"')})
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75"}
_WITH_UNIT = re.compile(r"(.*[\d.,])\s*([^\d\s.,]\D*)")
_VAGUE = {("km", "m")}  # 5 m of a week are miles rather than metres
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


@cache
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
        Such as `1.234,5`, `1,234.5`, `61,5`, `12 %` and `1,65 m` (with a unit), `5'11"` (a height in cm), `12st 4`.
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
    if unit in _OLD_UNITS and (old := _old_units(text, unit)) is not None:
        return old
    if unit and (match := _WITH_UNIT.fullmatch(text)) and (unit, plain(match[2])) not in _VAGUE:
        factor = _factors(unit).get(plain(match[2]))
        number = read_number(match[1], "", decimal) if factor else None
        return None if number is None or factor is None else number if factor == 1 else round(number * factor, 6)
    if unit and text.casefold().endswith(unit.casefold()):
        text = text[: -len(unit)].rstrip()
    match = _NUMBER.fullmatch(text)
    digits = _undotted(match[2].strip(), decimal) if match else None
    return float(f"{match[1]}{digits}{match[3]}") if match and digits else None


def _old_units(text: str, unit: str) -> float | None:
    """Return a height in feet and inches in cm, or a weight in stones and pounds in kg; None if it is none."""
    written, large, parts, usual = _OLD_UNITS[unit]
    text = text.translate(_MARKS).casefold()
    for sign, tenths in _FRACTIONS.items():
        text = re.sub(rf"(?<=\d)\s?{sign}", tenths, text)
    match = written.fullmatch(text)
    if match is None and (match := _TWO_NUMBERS.fullmatch(text)) and int(match[1]) not in usual:
        return None
    small = float(match[2] or 0) if match else parts
    return round((int(match[1]) + small / parts) * large, 2) if match and small < parts else None


@cache
def _factors(unit: str) -> dict[str, float]:
    return {plain(name): factor for name, factor in facts()["units"].get(unit, {}).items()}


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


Sense = tuple[frozenset[str], bool]  # the ideas of a name, and whether every word of it is known

_SHORTEST = 3  # letters of a part of a compound
_READINGS = 64  # of a name whose words mean several things; more are not tried
_LINKS = ("", "s", "n", "en", "e", "es")  # between the parts of a compound
OTHER = "other"  # the idea of a word that makes a name something else


@lru_cache(4096)
def senses(words: tuple[str, ...]) -> tuple[Sense, ...]:
    """Return what the words of a name can mean: each reading, with whether every word is known.

    Parameters
    ----------
    words
        Plain words, without sides and units.
    """
    ideas, known = list[tuple[str, ...]](), True
    for meanings in _parts(words):
        ideas += meanings
        known = known and bool(meanings)
    readings = [frozenset(reading) - {"filler"} for _, reading in zip(range(_READINGS), product(*ideas), strict=False)]
    return tuple(dict.fromkeys((reading, known) for reading in readings))


def words_of(name: str) -> tuple[str, ...]:
    """Return the plain words of a column's name: `KneePain_now (L)` is knee, pain, now, l."""
    name = re.sub(r"\b(?:[dlDL]|[Dd]ell|[Aa]ll|[Nn]ell)['\u2019]", " ", name)  # of French and Italian: l'anca is anca
    words = tuple(plain(re.sub(r"(?<=[a-zäöüß])(?=[A-Z])", " ", name)).split())
    return words[1:] if len(words) > 2 and words[0].isdigit() and words[1] not in ("months", "monate") else words


def side_in(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the side that a name is about (left, right, both, or blank), and the name's other words.

    A word that means other things, too, such as `d` or `der`, counts at the end or the start of a name alone.
    """
    sides = _sides()
    for at, (one, two) in enumerate(pairwise(words)):
        if {sides.get(one, ("", ""))[0], sides.get(two, ("", ""))[0]} == {"left", "right"}:
            return "both", words[:at] + words[at + 2 :]
    for at, word in enumerate(words):
        side, certain = sides.get(word, ("", ""))
        if side and len(words) > 1 and (certain or at in (0, len(words) - 1)):
            return side, words[:at] + words[at + 1 :]
    return "", words


def is_vague_side(word: str) -> bool:
    """Return whether a word names a side only where another column names the other one: `d`, `g`, `der`."""
    return word in _sides() and word not in {"l", "r", "li", "re", "lt", "rt", "lft", "rgt"} and not _sides()[word][1]


def is_summary(text: str) -> bool:
    """Return whether a text names a row of a table that sums the others up: Average, Summe, Moyenne."""
    return plain(text) in _plain_set("summaries", "words")


def month_of(word: str) -> int | None:
    """Return the month of a year that a word names, whole or cut, in one of six languages: März, mrt, avril."""
    return _months().get(plain(word))


@cache
def _months() -> dict[str, int]:
    return {plain(name): at for at, names in enumerate(facts()["months"]["names"], start=1) for name in names}


@cache
def meanings_of(field: str) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """Return the groups of ideas of which one makes a name this field's, and the ideas it may have besides."""
    groups = tuple(frozenset(group.split()) for group in facts()["meanings"].get(field, []))
    return groups, frozenset(facts()["allowed"].get(field, []))


def _parts(words: tuple[str, ...]) -> Iterator[list[tuple[str, ...]]]:
    """Yield the meanings of each phrase of a name, the longest phrase first; nothing for a word that is not known."""
    lexicon, at = _lexicon(), 0
    while at < len(words):
        length = next((size for size in range(min(6, len(words) - at), 0, -1) if words[at : at + size] in lexicon), 0)
        if length:
            yield [lexicon[words[at : at + length]]]
        else:
            yield _compound(words[at])
        at += length or 1


@lru_cache(4096)
def _compound(word: str) -> list[tuple[str, ...]]:
    """Return the meanings of the parts of a compound; nothing if it is none."""
    lexicon = _lexicon()
    for end in range(len(word) - _SHORTEST, _SHORTEST - 1, -1):
        head = lexicon.get((word[:end],))
        for link in _LINKS if head and head != ("filler",) else ():
            rest = word[end:].removeprefix(link) if word[end:].startswith(link) else ""
            tail = (
                [lexicon[rest,]] if (rest,) in lexicon and len(rest) >= _SHORTEST else _compound(rest) if rest else []
            )
            if head and tail and ("filler",) not in tail:
                return [head, *tail]
    return []


@cache
def _lexicon() -> dict[tuple[str, ...], tuple[str, ...]]:
    words: dict[tuple[str, ...], tuple[str, ...]] = {}
    for idea, texts in facts()["words"].items():
        for text in texts:
            key = tuple(plain(text).split())
            words[key] = tuple(dict.fromkeys((*words.get(key, ()), idea)))
    return words


@cache
def _sides() -> dict[str, tuple[str, str]]:
    """Return the words for a side: the side, and "certain" for those that mean nothing else."""
    known = facts()["sides"]
    certain = {plain(word): (side, "certain") for side in ("left", "right") for word in known[side]}
    return certain | {plain(word): (side, "") for side in ("left", "right") for word in known[f"open_{side}"]}


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
    "AMBIGUOUS", "OTHER", "Unit", "facts", "is_summary", "is_unknown", "is_vague_side", "level_of", "likely_units",
    "meanings_of", "missing_codes", "month_of", "other_units", "plain", "read_number", "senses", "side_in", "units_of",
    "words_of",
]  # fmt: skip
