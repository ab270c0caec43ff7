"""Text is not data: no program decides by a sentence, and sentences stand in the catalogue alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pfps_ml.core import errors
from pfps_ml.core.messages import catalogue, parameters_of
from pfps_ml.domain.rules import clinical_rules
from tests.architecture.test_house import HOUSE, PRODUCT, paths, tree_of

# attributes and names that hold a sentence for a person
SENTENCES = {"message", "text", "line", "problems"}
TESTS_OF_TEXT = {"startswith", "endswith", "search", "match", "fullmatch", "findall", "split", "rsplit", "partition",
                 "rpartition", "removeprefix", "removesuffix", "replace", "sub", "index", "find", "count"}  # fmt: skip
# words that are a sentence in an error or a fault; three or fewer are a name or a level
LONGEST_NAME = 3
# modules whose sentences do not stand in the catalogue, and why; of all others they do
LEFT = {
    "pfps_ml.core.config": "faults of a configuration are put together key by key, for a developer",
    "pfps_ml.workflows.messages": "speaks of faults of the catalogue itself",
}
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
ERRORS |= {node.name for path in PRODUCT.values() for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)
           and {*map(ast.unparse, node.bases)} & ERRORS}  # those of the service  # fmt: skip


def holds_a_sentence(node: ast.expr) -> bool:
    """Return whether an expression is a sentence for a person: fault.text, str(error), row["problems"]."""
    if isinstance(node, ast.Attribute):
        return node.attr in SENTENCES or (node.attr == "str" and holds_a_sentence(node.value))
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in SENTENCES
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return [*map(ast.unparse, node.args)] in (["error"], ["fault"])
    return isinstance(node, ast.Name) and node.id == "problems"


def spells_words(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) > LONGEST_NAME


def is_white(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or not str(node.value).strip())


def decisions(tree: ast.Module) -> Iterator[int]:
    """Yield the lines that compare or search a sentence.

    Whether there is any text, and where its paragraphs end, is layout: no word of it is read.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            looked_for = [node.left] if isinstance(node.ops[0], ast.In | ast.NotIn) else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TESTS_OF_TEXT:
            operands = [node.func.value, *node.args]
            looked_for = node.args if node.func.attr in ("startswith", "endswith") else []
        else:
            continue
        if any(map(spells_words, looked_for)) or (
            any(map(holds_a_sentence, operands)) and not any(map(is_white, operands))
        ):
            yield node.lineno


def constants_of(tree: ast.Module) -> dict[str, ast.expr]:
    """Return what the names of a module are bound to at its top."""
    return {node.targets[0].id: node.value for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip


def words_in(node: ast.expr, constants: dict[str, ast.expr]) -> int:
    """Return how many words an argument spells out; a name stands for what the module binds it to."""
    if isinstance(node, ast.Name) and node.id in constants:
        return words_in(constants[node.id], {})
    if isinstance(node, ast.JoinedStr):
        return len(ast.unparse(node).split())
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return max((len(text.split()) for text in texts), default=0)


def sentences_outside(tree: ast.Module) -> Iterator[int]:
    """Yield the lines that pass a sentence of their own to an error, a fault or a message."""
    constants, kinds = constants_of(tree), {*ERRORS, "Fault", "Message"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(words_in(value, constants) > LONGEST_NAME for value in values if not isinstance(value, ast.Call)):
                yield node.lineno


def literal_uses(tree: ast.Module) -> Iterator[tuple[int, str, set[str] | None]]:
    """Yield line, code and parameters of the messages and faults that spell out both; parameters None if computed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Message", "Fault"):
            code, *others = node.args[0 if node.func.id == "Message" else 2 :] or [None]
            if isinstance(code, ast.Constant):
                yield node.lineno, code.value, keys_of(others[0] if others else ast.Dict([], []))


def keys_of(node: ast.expr) -> set[str] | None:
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {key.value for key in node.keys}
    return None


def product() -> dict[Path, ast.Module]:
    return {path: tree_of(path) for path in paths("pfps_ml", "serving", "pipelines")}


def test_no_program_decides_by_a_sentence():
    faults = [f"{path.relative_to(HOUSE)}:{line}" for path, tree in product().items() for line in decisions(tree)]
    assert not faults, "decide by a code instead: " + ", ".join(faults)


@pytest.mark.parametrize("line", [
    'if fault.text.endswith("got text"): pass', 'x = "another row" in fault.line', 'error.message == "gone"',
    're.match(P, row["problems"])', 'problems.str.startswith("expected")', 'str(error).split(":")',
    'where.removesuffix(".") in fault.message', 'SHAPE.search(error.message)',
    'any("another row has too" in fault for fault in faults)',
])  # fmt: skip
def test_a_decision_by_a_sentence_would_be_seen(line):
    assert [*decisions(ast.parse(line))] == [1]


@pytest.mark.parametrize("line", [
    'x = f"{fault.field}: {fault.text}"', 'parts = section.text.split("\\n\\n")', 'problems != ""',
    'fault.code == "shared_id"', 'codes.str.split(", ")', 'row.grade == "derived from cited rows"',
])  # fmt: skip
def test_showing_a_sentence_and_deciding_by_a_code_are_allowed(line):
    assert not [*decisions(ast.parse(line))]


def test_no_module_has_a_sentence_of_its_own():
    lines = {module: [*sentences_outside(tree_of(path))] for module, path in PRODUCT.items()}
    faults = [f"{module}:{line}" for module, found in lines.items() if module not in LEFT for line in found]
    assert not faults, "move the sentences into the catalogue: " + ", ".join(faults)
    assert all(lines[module] for module in LEFT), "a module of the list has none any more: take it off"


@pytest.mark.parametrize("line", [
    'raise InputError(f"expected a file at {path}, got none.")', 'Fault(None, (), "expected one more row here")',
    'T = "expected a row of cells"\nraise InputError(T)', 'Message("a code with several words")',
    'Message("code", {"why": "a reason in plain words"})',
])  # fmt: skip
def test_a_sentence_outside_the_catalogue_would_be_seen(line):
    assert [*sentences_outside(ast.parse(line))]


def test_every_code_that_is_spelled_out_is_in_the_catalogue_with_the_parameters_of_its_sentence():
    faults, texts = [], catalogue().texts
    for path, tree in product().items():
        for line, code, keys in literal_uses(tree):
            text = texts.get(code)
            forms = [text] if isinstance(text, str) else text or []
            named = set().union(*map(parameters_of, forms))
            plural = {"n"} if isinstance(text, list) else set()
            if text is None or (keys is not None and not named | plural <= keys):
                faults.append(f"{path.relative_to(HOUSE)}:{line} {code} {sorted(named)}")
    assert not faults, "\n".join(faults)


def test_every_sentence_of_the_catalogue_is_used():
    strings = {part.value for tree in product().values() for part in ast.walk(tree)
               if isinstance(part, ast.Constant) and isinstance(part.value, str)}  # fmt: skip
    # a code such as check.C01 may be put together from what stands before its last point and a name
    used = strings | {rule.code for rule in clinical_rules()}
    used |= {code for code in catalogue().texts if f"{code.rpartition('.')[0]}." in strings - {"."}}
    derived = tuple(f"{kind}." for kind in ("label", "limits", "arm"))
    unused = [code for code in catalogue().texts if not code.startswith(derived) and code not in used]
    assert set(unused) <= {"list_and", "list_or"}, unused
