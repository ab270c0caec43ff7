"""The house of design.md: which room may reach which, how large a room may grow, and the one door for randomness."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.house import (
    BEGIN,
    FLOORS,
    HOME,
    LIMITS,
    README,
    SURFACE,
    imports,
    measures,
    modules,
    name_of,
    reached,
    room_of,
    tree_of,
    with_picture,
)

HOUSE = HOME
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
SCIENCE = {"simulation", "training", "evaluation"}
PRODUCT = modules()


def paths(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (HOUSE / folder).rglob("*.py"))


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


def test_every_room_of_the_house_is_there_and_nothing_stands_beside_the_rooms():
    rooms = {room_of(module) for module in PRODUCT} - {SURFACE}
    assert rooms == set(FLOORS)
    loose = [module for module in PRODUCT if room_of(module) == SURFACE and module != "pfps_ml"]
    assert len(loose) <= LIMITS["loose modules"], loose


def test_a_room_imports_rooms_on_lower_floors_only():
    faults = []
    for module in sorted(PRODUCT):
        room = room_of(module)
        others = {name for name in reached(module) if room_of(name) not in (room, SURFACE)}
        beyond = {name for name in others if room != SURFACE and FLOORS[room_of(name)] >= FLOORS[room]}
        faults += [f"{module} (floor {FLOORS[room]}) imports {name}" for name in sorted(beyond)]
    assert not faults, "\n".join(faults)


def test_the_science_rooms_never_import_each_other():
    for room in SCIENCE:
        others = {room_of(name) for module in PRODUCT if room_of(module) == room for name in reached(module)}
        assert not others & (SCIENCE - {room})


def test_the_pipelines_import_workflows_and_what_a_terminal_shows():
    for module in PRODUCT:
        if room_of(module) == "pipelines":
            assert {room_of(name) for name in reached(module)} <= {"workflows", "core"}, module


def test_no_import_is_relative_so_that_a_search_finds_it():
    relative = [
        f"{name}:{node.lineno}" for name, path in PRODUCT.items() for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]  # fmt: skip
    assert not relative


def test_the_house_keeps_its_measures():
    beyond = [f"{name}: {value:.1f}, at most {LIMITS[name]}" for name, value in measures().items()
              if name in LIMITS and value > LIMITS[name]]  # fmt: skip
    assert not beyond, "\n".join(beyond)


def test_the_picture_of_the_house_in_the_readme_is_todays():
    readme = README.read_text(encoding="utf-8")
    assert BEGIN in readme and readme == with_picture(readme), "run `make house`"


def test_no_two_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter({module: reached(module) for module in PRODUCT}).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_only_tracking_imports_mlflow():
    assert importers("mlflow") <= {"pfps_ml.workflows.tracking"}


def test_only_serving_imports_bentoml():
    assert {room_of(module) for module in importers("bentoml")} <= {"serving"}


def test_nothing_installed_imports_the_pipelines():
    assert {room_of(module) for module in importers("pipelines")} <= {"pipelines"}


def test_tracking_is_reached_by_workflows_and_lazily_by_the_command_line():
    for module in PRODUCT:
        for made in imports(module):
            if made.module == "pfps_ml.workflows.tracking":
                assert room_of(module) == "workflows" or (room_of(module) == "cli" and not made.on_loading), module


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
    # doors offer what other modules define: that of the package, and those of its lower rooms
    if module not in ("pfps_ml", "pfps_ml.core", "pfps_ml.domain", "pfps_ml.model") and not set(names) <= defined:
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
    assert {module for module, lines in found.items() if lines} == {"pfps_ml.core.numbers"}, found


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
                # the arguments of a command, and of a workflow's main, are the options that a person types
                command = any(ast.unparse(each).startswith("app.command") for each in node.decorator_list)
                options = command or (path.parent.name == "workflows" and node.name == "main")
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
