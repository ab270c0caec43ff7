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
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
DEFAULT_LANGUAGE = "en"
# kinds of names whose text is the catalogue's under `<kind>.<name>`, and the name itself where it has none
NAMED_KINDS = ("label", "limits", "arm", "level", "rival", "check", "update")


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

    @cached_property
    def text(self) -> str:
        """The sentence in the default language."""
        return sentence(self.code, self.parameters)

    @cached_property
    def _content(self) -> dict[str, Any]:
        return {"code": str(self.code), "parameters": dict(self.parameters), "text": self.text}

    def as_dict(self) -> dict[str, Any]:
        """Return code, parameters and sentence as JSON values; the parameters are shared and must not be changed."""
        return dict(self._content)


@dataclass(frozen=True)
class Catalogue:
    """The sentences of one language: by code, one text, or one for each form of the plural."""

    texts: Mapping[str, str | list[str]]
    plural_form: Callable[[int], int]
    _parsed: "dict[str, list[tuple[str, str | None, Show]]]" = field(default_factory=dict, init=False, repr=False,
                                                                     compare=False)  # fmt: skip

    def pattern(self, code: str, parameters: Mapping[str, Any]) -> str:
        """Return the text of a code, in the form of the plural that parameter `n` asks for."""
        text = self.texts[code]
        return text if isinstance(text, str) else text[self.plural_form(int(parameters["n"]))]

    def filled(self, code: str, parameters: Mapping[str, Any]) -> str:
        """Return the sentence of a code.

        Patterns are Python's format strings over plain names, with specifications of the product's own: `{names:and}`
        and `{names:or}` join a list; `{field:label}` is the text under `label.<field>`, and so for the other kinds of
        `NAMED_KINDS`; `{part:sentence}` is the sentence of a nested message, `{parts:sentences}` those of several,
        `{parts:sentences_and}` the same with "and", `{parts:sentences_apart}` the same as whole sentences. Any other
        list is joined by commas.
        """
        return "".join([
            literal if name is None else literal + show(parameters[name])
            for literal, name, show in self._parts(self.pattern(code, parameters))
        ])  # fmt: skip

    def _parts(self, pattern: str) -> "list[tuple[str, str | None, Show]]":
        """Return a pattern's parts: the text before each parameter, its name, and how it is shown; parsed once."""
        if pattern not in self._parsed:
            parsed = string.Formatter().parse(pattern)
            self._parsed[pattern] = [(literal, name, self._show(spec or "", conversion or ""))
                                     for literal, name, spec, conversion in parsed]  # fmt: skip
        return self._parsed[pattern]

    def _show(self, spec: str, conversion: str) -> "Show":
        """Return how a parameter with this specification and conversion (`!r`) is shown."""
        if conversion:
            convert = _CONVERSIONS[conversion]
            return lambda value: format(convert(value), spec)
        if spec in _OF_NAMES:
            return lambda names: self._joined(map(str, names), _OF_NAMES[spec])
        if spec in _OF_SENTENCES:
            return lambda parts: self._joined(map(self._nested, parts), _OF_SENTENCES[spec])
        if spec == "sentence":
            return self._nested
        if spec in NAMED_KINDS:
            return partial(self._named, f"{spec}.")
        return lambda value: ", ".join(map(str, value)) if isinstance(value, list | tuple) else format(value, spec)

    def _named(self, kind: str, names: str | Iterable[str]) -> str:
        if isinstance(names, str):
            return str(self.texts.get(kind + names, names))
        return self._joined((str(self.texts.get(kind + name, name)) for name in names), "list_and")

    def _nested(self, part: Mapping[str, Any]) -> str:
        return self.filled(part["code"], part["parameters"])

    def _joined(self, texts: Iterable[str], code: str) -> str:
        *others, last = texts
        separator = _BETWEEN.get(code, ", ")
        return self.pattern(code, {}).format(others=separator.join(others), last=last) if others else last


Show = Callable[[Any], str]
_CONVERSIONS: dict[str, Show] = {"r": repr, "s": str, "a": ascii}
_OF_NAMES = {"and": "list_and", "or": "list_or"}
_OF_SENTENCES = {"sentences": "list_parts", "sentences_and": "list_and", "sentences_apart": "list_apart"}
_BETWEEN = {"list_parts": "; ", "list_apart": " "}


def sentence(code: str, parameters: Mapping[str, Any] | None = None, language: str = DEFAULT_LANGUAGE) -> str:
    """Return the sentence of a code.

    Raises
    ------
    KeyError
        If the catalogue has no such code, or the sentence names a parameter that is not there: a fault of the program.
    """
    return catalogue(language).filled(code, parameters or {})


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


__all__ = [
    "DEFAULT_LANGUAGE",
    "HOME",
    "NAMED_KINDS",
    "Catalogue",
    "Message",
    "catalogue",
    "languages",
    "parameters_of",
    "sentence",
]
