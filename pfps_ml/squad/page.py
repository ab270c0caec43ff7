"""One self-contained HTML page: nothing is loaded from anywhere, and nothing that a roster says is read as HTML."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

# the browser is told to load nothing from anywhere: only what is written in this file
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def paragraphs(*texts: str, kind: str = "") -> str:
    """Return plain texts as paragraphs; empty ones are left out."""
    return "".join(f"<p{_class(kind)}>{escape(text)}</p>" for text in texts if text)


def chips(names: Iterable[str]) -> str:
    """Return ids as a line of labels."""
    return '<p class="ids">' + " ".join(f"<span>{escape(name)}</span>" for name in names) + "</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", caption: str = "") -> str:
    """Return a table of plain texts; a header that ends in `#` is that of numbers."""
    sides = [' class="number"' if name.endswith("#") else "" for name in header]
    cells = [[f"<td{side}>{escape(cell)}</td>" for cell, side in zip(row, sides, strict=True)] for row in rows]
    return built_table(header, ["".join(row) for row in cells], kind, caption)


def built_table(header: Sequence[str], rows: Iterable[str], kind: str = "", caption: str = "") -> str:
    """Return a table whose rows are HTML already: the `td` elements of each."""
    head = "".join(f'<th scope="col"{" class=number" if name.endswith("#") else ""}>{escape(name.rstrip("#"))}</th>'
                   for name in header)  # fmt: skip
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table{_class(kind)}>{said}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(picture: str, behind: str, about: str = "The numbers behind this picture") -> str:
    """Return a picture with its table behind it."""
    return f"<figure>{picture}<details><summary>{escape(about)}</summary>{behind}</details></figure>"


def section(heading: str, *parts: str, kind: str = "") -> str:
    """Return a part of the page under its heading."""
    body = "\n".join(part for part in parts if part)
    return f"<section{_class(kind)}>\n<h2>{escape(heading)}</h2>\n{body}\n</section>"


def page(title: str, about: str, said: str, front: Sequence[str], back: Sequence[str]) -> str:
    """Return the whole page.

    Parameters
    ----------
    title, about
        What it is, in a word and in a line.
    said
        What the bundle has to say of itself.
    front, back
        Sections of the first page, which is the coach's, and of the others.
    """
    style = files("pfps_ml.squad").joinpath("style.css").read_text(encoding="utf-8")
    notice = f'<p class="notice" role="note">{escape(said)}</p>'
    return f"""<!DOCTYPE html><html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="about">{escape(about)}</p>
{notice}
</header>
<main>
<div class="front">
{_joined(front)}
</div>
<div class="back">
<h2 class="part">Behind these answers, for the physio</h2>
{_joined(back)}
</div>
</main>
<footer>{notice}</footer>
</body>
</html>
"""


def _joined(sections: Sequence[str]) -> str:
    return "\n".join(part for part in sections if part)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


__all__ = ["built_table", "chips", "figure", "page", "paragraphs", "section", "table"]
