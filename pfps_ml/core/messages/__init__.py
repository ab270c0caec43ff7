"""Messages: a code with parameters, and the sentence that the catalogue of a language makes of them.

A fault, a caution, a verdict, a reason or a preference is a `Message` wherever a program handles it. Its sentence is
made at the edge: in a file, an answer, a page or the terminal. Each language is one file beside this one,
`<language>.po` (gettext). `make messages` checks it and writes `<language>.json`, which is read here and by the page.
"""

import gettext
import json
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class Message:
    """What there is to say, before it is a sentence.

    Attributes
    ----------
    code
        The key of the sentence in every catalogue, such as `value_outside_limits`. Programs decide by it.
    parameters
        JSON values that the sentence names. `n`, where there is one, decides between singular and plural.
    """

    code: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence in the default language."""
        return sentence(self.code, self.parameters)

    def as_dict(self) -> dict[str, Any]:
        """Return code, parameters and sentence as JSON values."""
        return {"code": self.code, "parameters": dict(self.parameters), "text": self.text}


@dataclass(frozen=True)
class Catalogue:
    """The sentences of one language: by code, one text, or one for each form of the plural."""

    texts: Mapping[str, str | list[str]]
    plural_form: Callable[[int], int]

    def pattern(self, code: str, parameters: Mapping[str, Any]) -> str:
        """Return the text of a code, in the form of the plural that parameter `n` asks for."""
        text = self.texts[code]
        return text if isinstance(text, str) else text[self.plural_form(int(parameters["n"]))]


class _Formatter(string.Formatter):
    """Python's format language with the product's own specifications.

    `{names:and}` and `{names:or}` join a list; `{field:label}` is the catalogue's text under `label.<field>`, and so
    for `unit` and `limits`; `{part:sentence}` is the sentence of a nested message. All else is Python's own.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def format_field(self, value: Any, spec: str) -> str:
        if spec in ("and", "or"):
            return _joined([str(item) for item in value], self.catalogue.pattern(f"list_{spec}", {}))
        if spec == "sentence":
            return _filled(self.catalogue, value["code"], value["parameters"])
        if spec in _NAMED_TEXTS:
            names = [value] if isinstance(value, str) else list(value)
            return _joined([str(self.catalogue.texts.get(f"{spec}.{name}", name)) for name in names],
                           self.catalogue.pattern("list_and", {}))  # fmt: skip
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value))
        return str(super().format_field(value, spec))


_NAMED_TEXTS = ("label", "limits", "arm")


def sentence(code: str, parameters: Mapping[str, Any] | None = None, language: str = DEFAULT_LANGUAGE) -> str:
    """Return the sentence of a code.

    Raises
    ------
    KeyError
        If the catalogue has no such code, or the sentence names a parameter that is not there: a fault of the program.
    """
    return _filled(catalogue(language), code, parameters or {})


@cache
def catalogue(language: str = DEFAULT_LANGUAGE) -> Catalogue:
    """Read the catalogue of a language."""
    content = json.loads((HOME / f"{language}.json").read_text(encoding="utf-8"))
    return Catalogue(content["texts"], gettext.c2py(content["plural"]))


def languages() -> list[str]:
    """Return the languages that have a catalogue, in alphabetical order."""
    return sorted(path.stem for path in HOME.glob("*.json"))


def parameters_of(pattern: str) -> set[str]:
    """Return the parameters that a text names."""
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(pattern) if name}


def _filled(texts: Catalogue, code: str, parameters: Mapping[str, Any]) -> str:
    return _Formatter(texts).vformat(texts.pattern(code, parameters), (), parameters)


def _joined(items: Iterable[str], pattern: str) -> str:
    *others, last = items
    return pattern.format(others=", ".join(others), last=last) if others else last


__all__ = ["DEFAULT_LANGUAGE", "HOME", "Catalogue", "Message", "catalogue", "languages", "parameters_of", "sentence"]
