"""The house: its rooms and floors, which room imports which, and its measures: `make house`.

The picture in the README is drawn from here, and tests/architecture holds the rooms to their floors.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

from pfps_ml.cli.main import app

HOME = Path(__file__).parents[1]
README = HOME / "README.md"
BEGIN, END = "<!-- house: written by `make house` -->", "<!-- end of the house -->"
PACKAGES = ("pfps_ml", "serving", "pipelines")
FLOORS = {
    "core": 1,
    "domain": 2,
    "io": 3, "model": 3, "simulation": 3,
    "training": 4, "evaluation": 4, "batch": 4, "squad": 4,
    "workflows": 5, "serving": 5,
    "cli": 6, "pipelines": 6,
}  # fmt: skip
LIMITS = {"files": 160, "imports a thousand lines": 50, "loose modules": 3, "riddle names a thousand lines": 2}
_RIDDLES = re.compile(r"\b(?:found|told|said|own|each|few|many|given|kept|held)\b *(?:=[^=]|,[^=\n]*=[^=])")
SURFACE = "surface"  # pfps_ml/__init__.py, and modules that stand in no room


@dataclass(frozen=True)
class Import:
    """One import: the module that is imported, and whether that happens when the importing module is loaded."""

    module: str
    on_loading: bool


@cache
def modules() -> dict[str, Path]:
    """Return every module of the product with its file, by its dotted name."""
    paths = [path for package in PACKAGES for path in sorted((HOME / package).rglob("*.py"))]
    return {name_of(path): path for path in paths}


def name_of(path: Path) -> str:
    """Return the dotted name of a module's file."""
    parts = path.relative_to(HOME).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the room that a module stands in."""
    first, *rest = module.split(".")
    if first != "pfps_ml":
        return first
    return rest[0] if rest and rest[0] in FLOORS else SURFACE


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file as its syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Return every import of a module, wherever it stands; those for types alone are not made on loading."""
    return tuple(_imports(tree_of(modules()[module])))


def _imports(tree: ast.Module) -> Iterator[Import]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    lazy = {id(inner) for node in (*functions, *typing) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, id(node) not in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (Import(name if name in modules() else str(node.module), id(node) not in lazy) for name in names)


def reached(module: str) -> set[str]:
    """Return the modules of the product that a module imports."""
    return {made.module for made in imports(module) if made.module in modules()}


def rooms_reached() -> dict[str, list[str]]:
    """Return for every room the other rooms that it imports, from the highest floor down."""
    reach: dict[str, set[str]] = {room: set() for room in FLOORS}
    for module in modules():
        if room_of(module) in reach:
            reach[room_of(module)] |= {room_of(name) for name in reached(module)} & FLOORS.keys()
    return {room: sorted(names - {room}, key=lambda name: (-FLOORS[name], name)) for room, names in reach.items()}


def picture() -> str:
    """Return the picture of the house in Markdown: its floors, and for each room what is in it and what it imports."""
    highest = max(FLOORS.values())
    floors = [f"  {floor}  " + "   ".join(room + "/" for room in FLOORS if FLOORS[room] == floor)
              for floor in range(highest, 0, -1)]  # fmt: skip
    reach, counts = rooms_reached(), Counter(room_of(module) for module in modules())
    rows = [f"| `{room}/` | {counts[room]} | {_subject(room)} | {', '.join(reach[room]) or 'nothing'} |"
            for room in sorted(FLOORS, key=lambda room: -FLOORS[room])]  # fmt: skip
    head = ["| room | files | what is in it | imports |", "|---|---|---|---|"]
    return "\n".join(["```", *floors, "```", "", "A room imports rooms on lower floors only.", "", *head, *rows])


def _subject(room: str) -> str:
    name = room if room in PACKAGES else f"pfps_ml.{room}"
    return (ast.get_docstring(tree_of(modules()[name])) or "").partition("\n")[0]


def measures() -> dict[str, float]:
    """Return the measures of the house by name, from its files alone."""
    texts = {module: path.read_text(encoding="utf-8") for module, path in modules().items()}
    lines = sum(text.count("\n") for text in texts.values())
    statements = sum(isinstance(node, ast.Import | ast.ImportFrom) for path in modules().values()
                     for node in ast.walk(tree_of(path)))  # fmt: skip
    riddles = sum(len(_RIDDLES.findall(text)) for text in texts.values())
    loose = [module for module in modules() if room_of(module) == SURFACE and module != "pfps_ml"]
    return {
        "files": len(texts),
        "lines": lines,
        "rooms": len(FLOORS),
        "floors": len(set(FLOORS.values())),
        "loose modules": len(loose),
        "imports a thousand lines": 1000 * statements / lines,
        "riddle names a thousand lines": 1000 * riddles / lines,
    }


def way_of_a_roster() -> dict[str, float]:
    """Return how many rooms a roster enters while it is scored, and by how many calls it climbs to a higher floor."""
    entered, climbs = set[str](), set[tuple[str, str]]()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        place = _place(frame)
        if event != "call" or place is None:
            return
        entered.add(place[0])
        above = frame.f_back
        while above is not None and _place(above) is None:
            above = above.f_back
        if above is not None and (caller := _place(above)) and FLOORS[place[0]] > FLOORS[caller[0]]:
            climbs.add((caller[1], place[1]))

    with TemporaryDirectory() as folder:
        arguments = ["score", str(HOME / "data/examples/roster.csv"), "-o", f"{folder}/scored.csv", "--workers", "1"]
        sys.setprofile(watch)
        try:
            app(arguments, standalone_mode=False)
        finally:
            sys.setprofile(None)
    return {"rooms that a scored roster enters": len(entered), "climbs of a scored roster": len(climbs)}


def _place(frame: FrameType) -> tuple[str, str] | None:
    """Return room and function of a frame of ours that is no comprehension or lambda; None of any other."""
    code = frame.f_code
    path = Path(code.co_filename)
    if code.co_name.startswith("<") or HOME not in path.parents or ".venv" in path.parts:
        return None
    room = room_of(name_of(path))
    return (room, f"{name_of(path)}.{code.co_qualname}") if room in FLOORS else None


def with_picture(readme: str) -> str:
    """Return the README with today's picture between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{picture()}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Print the measures, and write the picture into the README."""
    table = Table("measure", "now", "at most", title="The house", title_justify="left")
    for name, value in {**measures(), **way_of_a_roster()}.items():
        table.add_row(name, f"{value:,.1f}".removesuffix(".0"), str(LIMITS.get(name, "")))
    Console().print(table)
    README.write_text(with_picture(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
