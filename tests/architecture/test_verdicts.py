"""Codes and sentences: every code has a sentence with its parameters, every sentence a code, and nothing reads one."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from pfps_ml.core.messages import HOME, NAMED_KINDS, Message, catalogue, parameters_of
from pfps_ml.domain.dictionary import ARMS
from pfps_ml.domain.rules import clinical_rules
from pfps_ml.evaluation.check_catalogue import TOPICS, CheckVerdict
from pfps_ml.evaluation.verdict import FIGURES, FigureVerdict
from pfps_ml.model.preference import Reason, Rival
from pfps_ml.model.wording import Caution
from pfps_ml.training.update_basis import LEVELS
from pfps_ml.workflows.release_gate import Figure

HOUSE = Path(__file__).parents[2]
TEXTS = catalogue().texts
# enumerations whose members are keys of the catalogue
CODES = (Caution, Reason, FigureVerdict, Figure)
# what holds a sentence, by the name of the attribute or of the key; and what would read it
SENTENCES = {"text", "why", "sentence"}
READS = {"startswith", "endswith", "partition", "rpartition", "split", "removeprefix", "removesuffix", "find", "index"}


def sources() -> list[Path]:
    return sorted(path for room in ("pfps_ml", "serving", "pipelines") for path in (HOUSE / room).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of a kind, and where it stands."""
    yield from ((place, node) for place, node in all_nodes() if isinstance(node, kind))


@cache
def all_nodes() -> tuple[tuple[str, ast.AST], ...]:
    places = {path: path.relative_to(HOUSE) for path in sources()}
    return tuple((f"{place}:{getattr(node, 'lineno', 0)}", node)
                 for path, place in places.items() for node in ast.walk(tree_of(path)))  # fmt: skip


@cache
def constants() -> set[str]:
    """Return every string constant of the product's code, and every word of the page's scripts."""
    words = {node.value for _, node in nodes(ast.Constant) if isinstance(node.value, str)}
    for script in (HOUSE / "serving").rglob("*.js"):
        words.update(part.strip("\"'`") for part in script.read_text(encoding="utf-8").split())
    return words


@cache
def codes_of_catalogue() -> set[str]:
    """Return the codes that the English source has; labels and limits of fields come from the dictionary."""
    with (HOME / "en.po").open("rb") as file:
        return {m.id if isinstance(m.id, str) else m.id[0] for m in read_po(file) if m.id}


def made() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call that makes a message or a sentence."""
    for place, call in nodes(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in ("Message", "sentence") and call.args:
            yield place, call


def literal_codes(expression: ast.expr) -> list[str]:
    """Return the codes that an expression names outright: one, or both of a choice between two."""
    if isinstance(expression, ast.IfExp):
        return [*literal_codes(expression.body), *literal_codes(expression.orelse)]
    return [expression.value] if isinstance(expression, ast.Constant) else []


def named(code: str) -> set[str]:
    text = TEXTS[code]
    return set().union(*map(parameters_of, [text] if isinstance(text, str) else text))


def test_every_code_that_is_named_has_a_sentence():
    unknown = [f"{place}: {code}" for place, call in made() for code in literal_codes(call.args[0])
               if code not in TEXTS]  # fmt: skip
    unknown += [f"{kind.__name__}: {code}" for kind in CODES for code in kind if code not in TEXTS]
    assert not unknown


def test_every_sentence_has_the_parameters_that_it_names():
    lacking = []
    for place, call in made():
        display = call.args[1] if len(call.args) > 1 else ast.Dict([], [])
        if not isinstance(display, ast.Dict) or None in display.keys:
            continue  # made elsewhere; a parameter that is not there is an error when the sentence is made
        keys = {key.value for key in display.keys if isinstance(key, ast.Constant)}
        lacking += [f"{place}: {code} names {sorted(named(code) - keys)}" for code in literal_codes(call.args[0])
                    if named(code) - keys]  # fmt: skip
    assert not lacking


def test_every_sentence_of_the_catalogue_is_said_somewhere():
    prefixes = tuple(f"{kind}." for kind in NAMED_KINDS)
    said = constants() | {rule.code for rule in clinical_rules()}
    dead = [code for code in codes_of_catalogue() if not code.startswith(prefixes) and code not in said]
    assert not sorted(dead)


def test_names_of_a_kind_are_those_of_the_product_and_every_kind_is_used():
    kinds = {
        "rival": set(Rival), "check": set(TOPICS), "update": set(LEVELS) | {"none"},
        "label": set(), "limits": set(), "arm": set(), "level": set(),
    }  # fmt: skip
    assert set(kinds) == set(NAMED_KINDS)
    for kind, names in kinds.items():
        assert {code.partition(".")[2] for code in codes_of_catalogue() if code.startswith(f"{kind}.")} == names
        assert any(f":{kind}}}" in text for text in map(json.dumps, TEXTS.values()))


def test_no_code_is_the_sentence_of_another_language_by_chance():
    """A code is a word of a program: no blank in it, and no text that a person would read."""
    assert not [
        code for code in codes_of_catalogue() if " " in code or (code == TEXTS[code] and code != "discriminates")
    ]


def test_every_figure_that_a_verdict_names_has_a_name():
    assert all(TEXTS[code] for code in FIGURES.values())
    assert {arm.why_not.code for arm in ARMS if arm.why_not} <= codes_of_catalogue()
    assert [str(verdict) for verdict in CheckVerdict] == ["pass", "warn", "fail", "not applicable"]


def holds_sentence(expression: ast.expr) -> bool:
    if isinstance(expression, ast.Attribute):
        return expression.attr in SENTENCES
    if isinstance(expression, ast.Subscript):
        key = expression.slice
        return isinstance(key, ast.Constant) and key.value in SENTENCES
    return (
        isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "sentence"
    )


def reading(node: ast.AST) -> bool:
    """Return whether an expression asks what a sentence says: by its beginning, a part of it, or as a whole."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS:
        paragraphs = [getattr(argument, "value", None) for argument in node.args] == ["\n\n"]
        return holds_sentence(node.func.value) and not paragraphs  # a page's text is set in paragraphs
    if isinstance(node, ast.Compare):
        texts = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
        sides = [node.left, *node.comparators]
        return any(isinstance(op, texts) for op in node.ops) and any(map(holds_sentence, sides))
    return False


def test_no_program_reads_a_sentence():
    found = [place for kind in (ast.Call, ast.Compare) for place, node in nodes(kind) if reading(node)]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "if caution.text.startswith('Only'): pass",
        "if 'overlap' in answer['text']: pass",
        "check.why == 'none'",
        "sentence('notice').split('.')",
    ],
)
def test_reading_a_sentence_is_found(line):
    assert any(map(reading, ast.walk(ast.parse(line))))


def test_reading_a_code_is_not():
    assert not any(map(reading, ast.walk(ast.parse("if caution.code == 'knee_pain_now': verdict['code'].split('.')"))))


@pytest.mark.parametrize(("kind", "arm"), [*product(("arm_hardly_given", "arm_preferred"), ARMS)])
def test_a_sentence_names_the_arm_by_its_label(kind, arm):
    assert Message(kind, {"arm": arm.name}).text.startswith(f"{arm.label}: ")
