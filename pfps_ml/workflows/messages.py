"""Check the catalogues of messages and write <language>.json of each: `make messages`.

The sentences stand in pfps_ml/core/messages/<language>.po. Labels and limits of fields and arms stand in the
dictionary; for English they are added from there, so that they have one home. Another language writes them itself,
as `label.<field>`, `limits.<field>` and `arm.<arm>`.
"""

import gettext
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from pfps_ml.core import FactError, write_whole
from pfps_ml.core.messages import DEFAULT_LANGUAGE, HOME, parameters_of
from pfps_ml.domain import ARMS, FIELDS

Texts = dict[str, str | list[str]]


def main() -> None:
    """Write the JSON of every language that has a .po file."""
    for path in sorted(HOME.glob("*.po")):
        write_whole(path.with_suffix(".json"), compiled(path))


def compiled(path: Path) -> bytes:
    """Return the JSON of a language: its texts by code, and the rule of its plural as gettext writes it.

    Raises
    ------
    FactError
        If a code stands twice, a sentence is empty or marked fuzzy, the forms of a plural name other parameters than
        each other, or a sentence names others than the English one.
    """
    texts, plural = _texts(path)
    if path.stem == DEFAULT_LANGUAGE:
        texts |= dictionary_texts()
    elif faults := _unlike(texts, _texts(HOME / f"{DEFAULT_LANGUAGE}.po")[0]):
        raise FactError(f"expected in {path.name} what the English catalogue has, got: {'; '.join(faults)}")
    content = {"language": path.stem, "plural": plural, "texts": texts}
    return (json.dumps(content, ensure_ascii=False, sort_keys=True, indent=0) + "\n").encode()


def dictionary_texts() -> Texts:
    """Return labels and limits of fields, and labels of arms, as the dictionary has them in English."""
    labels: Texts = {f"label.{field.name}": field.label for field in FIELDS}
    limits: Texts = {f"limits.{field.name}": field.limits for field in FIELDS}
    return labels | limits | {f"arm.{arm.name}": arm.label for arm in ARMS}


def _texts(path: Path) -> tuple[Texts, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    codes = [line for line in lines if line.startswith("msgid ")]
    with path.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    faults = [f"{line[6:]} stands twice" for line in sorted({code for code in codes if codes.count(code) > 1})]
    texts: Texts = {}
    for message in catalogue:
        if not message.id:
            continue
        code = message.id if isinstance(message.id, str) else message.id[0]
        texts[code] = message.string if isinstance(message.string, str) else list(message.string or ())
        faults += _faults(code, texts[code], bool(message.fuzzy))
    if faults:
        raise FactError(f"expected whole sentences in {path.name}, got: {'; '.join(faults)}")
    gettext.c2py(catalogue.plural_expr)  # a rule that cannot be read is a fault here
    return texts, str(catalogue.plural_expr)


def _faults(code: str, text: str | list[str], fuzzy: bool) -> list[str]:
    forms = [text] if isinstance(text, str) else text
    faults = [f"{code} has no sentence"] * (not all(forms)) + [f"{code} is fuzzy"] * fuzzy
    if isinstance(text, list) and not any("n" in parameters_of(form) for form in forms):
        faults.append(f"{code} has a plural but names no n")
    return faults


def _unlike(texts: Mapping[str, Any], english: Mapping[str, Any]) -> list[str]:
    faults = [f"{code} is not there" for code in sorted(english.keys() - texts.keys())]
    for code in sorted(english.keys() & texts.keys()):
        if _parameters(texts[code]) != _parameters(english[code]):
            faults.append(f"{code} names {sorted(_parameters(texts[code]))}, not {sorted(_parameters(english[code]))}")
    return faults


def _parameters(text: str | list[str]) -> set[str]:
    forms = [text] if isinstance(text, str) else text
    return set().union(*map(parameters_of, forms))


if __name__ == "__main__":
    main()

__all__ = ["compiled", "dictionary_texts", "main"]
