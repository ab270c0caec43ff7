"""The house of design.md: which room may reach which, how large a room may grow, and the one door for randomness."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

HOUSE = Path(__file__).parents[2]
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
FLOOR = {"errors", "config", "numbers", "randomness", "core"}
SCIENCE = {"cohort", "learning", "evaluation"}
# what each room may reach; `product` is every module directly in pfps_ml/ that is not named here
COHORT = {"intake", "checks", "validation", "recalibration"}  # the rooms of a real cohort
_FACTS = {"core", "domain", "floor", "knowledge", "model", "product"}
REACH = {
    "core": {"core"},
    "domain": {"floor", "core", "domain"},
    "floor": {"floor", "core"},
    "knowledge": {"floor", "core", "domain", "knowledge"},
    "model": {*_FACTS, "learning"},
    **{room: {"floor", "core", "domain", "knowledge", room} for room in SCIENCE},
    "files": {*_FACTS, "files"},
    "runs": {*_FACTS, "files", "runs"},
    "product": {*_FACTS, "files", "runs", *SCIENCE},
    "squad": {*_FACTS, "files", "runs", "squad", "learning"},
    "intake": {*_FACTS, "files", "intake"},
    "checks": {*_FACTS, "intake", "checks", "learning", "evaluation"},
    "validation": {*_FACTS, "intake", "checks", "validation", "learning", "evaluation"},
    "recalibration": {*_FACTS, *COHORT, "learning", "evaluation"},
    "surface": {"floor", "product"},  # pfps_ml/__init__.py: for type checkers; it loads none of them, as a test says
    "cli": {*_FACTS, "files", "runs", "squad", "tracking", "serving", "surface", "cli", *COHORT},
    "tracking": {*_FACTS, "runs", "surface"},
    "serving": {*_FACTS, "files", "serving", "surface"},
    "pipelines": {*_FACTS, "files", "runs", "squad", "tracking", "pipelines", "surface", *SCIENCE, *COHORT},
}


@dataclass(frozen=True)
class Import:
    """One import of a module, and whether it is made when the importing module is loaded."""

    module: str
    on_loading: bool


def paths(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (HOUSE / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PRODUCT = {name_of(path): path for path in paths("pfps_ml", "serving", "pipelines")}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    parts = module.split(".")
    if parts[0] != "pfps_ml":
        return parts[0]
    if len(parts) == 1:
        return "surface"
    if parts[1] in FLOOR:
        return "floor"
    if parts[1].startswith("cli_"):  # some commands stand in files of their own
        return "cli"
    return parts[1] if parts[1] in REACH else "product"


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Return every import of a module, wherever in the file it stands; types-only imports are not made on loading."""
    return tuple(_imports(module))


def _imports(module: str) -> Iterator[Import]:
    tree = tree_of(PRODUCT[module])
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, FUNCTION) for n in ast.walk(f)}
    lazy |= {id(n) for c in ast.walk(tree) if isinstance(c, ast.If) and "TYPE_CHECKING" in ast.dump(c.test)
             for n in ast.walk(c)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, id(node) not in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; write the whole name, so that a search finds it"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (Import(n if n in PRODUCT else str(node.module), id(node) not in lazy) for n in whole)


def ours(module: str) -> set[str]:
    return {made.module for made in imports(module) if made.module in PRODUCT}


def test_the_surface_loads_nothing_of_the_product_before_it_is_asked_for():
    assert not [made.module for made in imports("pfps_ml") if made.on_loading and made.module in PRODUCT]


def importers(library: str) -> set[str]:
    return {module for module in PRODUCT for made in imports(module) if made.module.split(".")[0] == library}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level names of all modules that a fresh interpreter holds after one statement."""
    shown = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sorted(sys.modules))"],
        cwd=HOUSE,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.split(".")[0] for name in shown.stdout.split()}


def test_a_room_reaches_only_the_rooms_that_the_plan_lets_it_reach():
    faults = []
    for module in sorted(PRODUCT):
        room, beyond = room_of(module), {name for name in ours(module) if room_of(name) not in REACH[room_of(module)]}
        faults += [f"{module} ({room}) may reach {sorted(REACH[room])}, not {sorted(beyond)}"] * bool(beyond)
    assert not faults, "\n".join(faults)


def test_the_science_rooms_never_import_each_other():
    for room in SCIENCE:
        reached = {room_of(name) for module in PRODUCT if room_of(module) == room for name in ours(module)}
        assert not reached & (SCIENCE - {room})


def test_the_floor_imports_nothing_of_ours_but_the_floor():
    for module in PRODUCT:
        if room_of(module) == "floor":
            assert {room_of(name) for name in ours(module)} <= {"floor"}


def test_no_two_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter({module: ours(module) for module in PRODUCT}).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_only_tracking_imports_mlflow():
    assert importers("mlflow") <= {"pfps_ml.workflows.tracking"}


def test_only_serving_imports_bentoml():
    assert {room_of(module) for module in importers("bentoml")} <= {"serving"}


def test_nothing_installed_imports_the_pipelines():
    assert {room_of(module) for module in importers("pipelines")} <= {"pipelines"}


def test_tracking_is_reached_by_pipelines_and_lazily_by_the_command_line():
    for module in PRODUCT:
        for made in imports(module):
            if made.module == "pfps_ml.workflows.tracking":
                assert room_of(module) == "pipelines" or (room_of(module) == "cli" and not made.on_loading), module


HEAVY = {"sklearn", "lightgbm", "shap", "mlflow", "bentoml", "scipy", "matplotlib"}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_by("import pfps_ml") & (HEAVY | {"numpy", "pandas", "pyarrow", "pydantic", "pandera"})


def test_importing_the_command_line_loads_no_library_of_training_tracking_or_serving():
    assert not loaded_by("import pfps_ml.cli.main") & HEAVY


def test_every_public_name_of_the_package_is_there_when_asked_for():
    package = import_module("pfps_ml")
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert not isinstance(getattr(package, name), ModuleType), "a name that is also a file's changes its meaning"
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


def names_of(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return None


def defined_in(tree: ast.Module) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, FUNCTION | ast.ClassDef)}
    bound = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return names | {node.id for node in bound}


def constants_classes_functions(name: str) -> tuple[int, str]:
    """Return ruff's order: CONSTANTS, then Classes, then functions, each by name."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def faults_of_all(module: str) -> Iterator[str]:
    """Yield what is wrong with the `__all__` of a module."""
    names, defined = names_of(tree_of(PRODUCT[module])), defined_in(tree_of(PRODUCT[module]))
    if names is None:
        if PRODUCT[module].name not in ("__init__.py", "__main__.py") and any(not n.startswith("_") for n in defined):
            yield f"{module} has public names and no __all__"
        return
    if names != sorted(set(names), key=constants_classes_functions):
        yield f"{module}: __all__ is not in ruff's order, or says a name twice"
    if module != "pfps_ml" and not set(names) <= defined:
        yield f"{module} offers what it does not define: {sorted(set(names) - defined)}"


def test_every_module_says_in_order_what_it_offers():
    faults = [fault for module in sorted(PRODUCT) for fault in faults_of_all(module)]
    assert not faults, "\n".join(faults)


def doors_of_randomness(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            opened = {ast.unparse(node).replace("np.", "numpy.")}
        elif isinstance(node, ast.Import):
            opened = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            opened = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        else:
            continue
        if opened & {"random", "secrets", "numpy.random"}:
            yield node.lineno


def test_there_is_one_door_for_randomness():
    found = {name_of(path): [*doors_of_randomness(tree_of(path))]
             for path in paths("pfps_ml", "serving", "pipelines", "benchmarks")}  # fmt: skip
    assert {module for module, lines in found.items() if lines} == {"pfps_ml.core.randomness"}, found


def test_another_door_for_randomness_would_be_seen():
    lines = ["import random", "import numpy.random as r", "from numpy import random", "from random import choice",
             "from numpy.random import default_rng", "x = np.random.default_rng(1)",
             "def f() -> 'int': numpy.random"]  # fmt: skip
    assert not [line for line in lines if [*doors_of_randomness(ast.parse(line))] != [1]]


def test_no_file_is_longer_than_600_lines():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines())
               for path in paths("pfps_ml", "serving", "pipelines", "benchmarks", "tests")}  # fmt: skip
    faults = [f"{path.relative_to(HOUSE)}: {length} lines" for path, length in lengths.items() if length > 600]
    assert lengths and not faults, "\n".join(faults)


def test_no_function_is_longer_than_30_lines_or_takes_more_than_6_arguments():
    faults = []
    for path in paths("pfps_ml", "serving", "pipelines", "benchmarks"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, FUNCTION):
                where = f"{path.relative_to(HOUSE)}:{node.lineno} {node.name}"
                faults += [f"{where}: {lines_of(node)} lines"] * (lines_of(node) > 30)
                # the arguments of a command, and of a pipeline's main, are the options that a person types
                command = any(ast.unparse(each).startswith("app.command") for each in node.decorator_list)
                options = command or (path.parent.name == "pipelines" and node.name == "main")
                faults += [f"{where}: {arguments_of(node)} arguments"] * (arguments_of(node) > 6 and not options)
    assert not faults, "\n".join(faults)


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines from `def` to the end, without the docstring."""
    first = node.body[0]
    said = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0
    return node.end_lineno - node.lineno + 1 - said


def arguments_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    a = node.args
    return len([x for x in (*a.posonlyargs, *a.args, *a.kwonlyargs) if x.arg not in ("self", "cls")])


def test_no_document_or_code_names_a_folder_of_the_machine_it_was_written_on():
    kept = [
        path for pattern in ("*.py", "*.md", "*.toml", "*.lock", "Makefile", ".ci/*") for path in HOUSE.glob(pattern)
    ]
    for path in (*kept, *paths("pfps_ml", "serving", "pipelines", "benchmarks")):
        assert not re.search(r"(?<![\w.])/(home|work|Users|root)/", path.read_text(encoding="utf-8")), path
