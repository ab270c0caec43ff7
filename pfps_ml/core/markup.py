"""Documents: HTML from templates, and Markdown.

In HTML every text is escaped, and a page cannot be made without the notice. A page is one file: style, pictures and
tables are in it, it runs no script, and the browser is told to load nothing from anywhere. Rooms keep their templates
in a folder `templates` and share `page.html` and `parts.html` of this room.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True)
class MarkdownSection:
    """A part of a document under a heading of its own.

    Attributes
    ----------
    heading
        One line.
    blocks
        Paragraphs, lists and tables, in order; an empty one is left out.
    """

    heading: str
    blocks: tuple[str, ...]


def markdown_page(title: str, introduction: Iterable[str], sections: Iterable[MarkdownSection]) -> str:
    """Return a document: a title, some blocks below it, and sections; an empty line between all blocks."""
    blocks = [f"# {title}", *introduction]
    for section in sections:
        blocks += [f"## {section.heading}", *section.blocks]
    return "\n\n".join(block for block in blocks if block) + "\n"


def markdown_list(items: Iterable[str], mark: str = "-") -> str:
    """Return items as a list, each a line that begins with a mark: - or *."""
    return "\n".join(f"{mark} {item}" for item in items)


def markdown_table(header: Sequence[str], rows: Iterable[Iterable[Any]], spaced_rule: bool = False) -> str:
    r"""Return a table in Markdown, without a line break at its end.

    A cell is one line: a line break in it becomes a space, and `|` becomes `\|`, so that no text of a cell begins
    another cell or row. Other marks of Markdown, such as bold, are kept.

    Parameters
    ----------
    header
        The names of the columns.
    rows
        Their cells, as many in each row as there are columns.
    spaced_rule
        Whether the line below the header has spaces (`| --- |`) or none (`|---|`); both are shown alike.

    Raises
    ------
    ValueError
        If a row has more or fewer cells than the header has names.
    """
    rule = "| " + " | ".join("---" for _ in header) + " |" if spaced_rule else "|" + "---|" * len(header)
    return "\n".join([_row(header, len(header)), rule, *(_row(row, len(header)) for row in rows)])


def _row(cells: Iterable[Any], count: int) -> str:
    texts = [" ".join(str(cell).replace("|", "\\|").splitlines()) for cell in cells]
    if len(texts) != count:
        raise ValueError(f"expected {count} cells in a row of the table, got {len(texts)}: {texts}")
    return f"| {' | '.join(texts)} |"


@cache
def templates_of(package: str) -> Environment:
    """Return the templates of a package and those that all rooms share.

    A name that a template reads and nobody gives is an error. Every value is escaped, whatever the template's file is
    called; only what a template or `markupsafe.Markup` made is not.

    Parameters
    ----------
    package
        Such as `pfps_ml.squad`; its folder `templates` is read.
    """
    loaders = [PackageLoader(package), PackageLoader("pfps_ml.core")]
    return Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


__all__ = ["MarkdownSection", "markdown_list", "markdown_page", "markdown_table", "templates_of"]
