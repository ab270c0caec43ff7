"""The pictures of the example squad's report that the README and the physio's guide show: `make screenshots`."""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pfps_ml.bundle import released_bundle
from pfps_ml.squad.report import write_squad
from pipelines.browser import browsing
from pipelines.console import command, say

HOUSE = Path(__file__).parents[1]
OUT, ROSTER = HOUSE / "docs", HOUSE / "data" / "examples" / "squad.csv"
_WIDE = {"width": 1000, "height": 800}
_ROWS = 6  # of the runners and of the heat map: more say nothing more in a picture


def main() -> None:
    """Write the pictures: the coach's page, and the beginnings of what stands behind it."""
    with tempfile.TemporaryDirectory(prefix="pfps-") as folder, browsing() as browser:
        source = Path(folder) / "squad.html"
        write_squad(ROSTER, source, released_bundle())
        page = browser.new_context(viewport=_WIDE).new_page()
        page.goto(source.as_uri())
        _save(page, "", ".front")
        page.add_style_tag(content=f"tbody tr:nth-child(n+{_ROWS + 1}) {{ display: none }}")
        _save(page, "-runners", "section:has(table.all) .scroll")
        _save(page, "-drivers", "section:has(table.heat) .scroll")
    for path in sorted(OUT.glob("squad*.png")):
        say(f"{path.relative_to(HOUSE)}: {path.stat().st_size / 1000:.0f} kB")


def _save(page: Any, name: str, part: str) -> None:
    box = page.locator(part).bounding_box()
    top = 0 if part == ".front" else box["y"] - 8  # the coach's page has the heading and the notice above it
    clip = {"x": 0, "y": top, "width": _WIDE["width"], "height": box["y"] + box["height"] + 16 - top}
    picture = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")
    # flat colours: a palette holds them all, in a third of the bytes
    picture.quantize(256, dither=Image.Dither.NONE).save(OUT / f"squad{name}.png", optimize=True)


if __name__ == "__main__":
    command(main)

__all__ = ["OUT", "ROSTER", "main"]
