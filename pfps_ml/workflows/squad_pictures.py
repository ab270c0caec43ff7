"""The pictures of the example squad's report that the README and the physio's guide show: `make screenshots`."""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pfps_ml.core.console import command, say
from pfps_ml.model.bundle import Bundle, released_bundle
from pfps_ml.squad.report import write_squad
from pfps_ml.workflows.page_pictures import browsing

HOUSE = Path(__file__).parents[2]
OUT, ROSTER = HOUSE / "docs", HOUSE / "data" / "examples" / "squad.csv"
_WIDE = {"width": 1000, "height": 800}
_ROWS = 6  # of the runners and of the heat map: more say nothing more in a picture


def main() -> None:
    """Write the pictures into docs/."""
    with browsing() as browser:
        pictures(browser, released_bundle(), OUT)
    for path in sorted(OUT.glob("squad*.png")):
        say(f"{path.relative_to(HOUSE)}: {path.stat().st_size / 1000:.0f} kB")


def pictures(browser: Any, bundle: Bundle, out: Path) -> None:
    """Write the pictures: the coach's page, and the beginnings of what stands behind it."""
    with tempfile.TemporaryDirectory(prefix="pfps-") as folder:
        source = Path(folder) / "squad.html"
        write_squad(ROSTER, source, bundle)
        page = browser.new_context(viewport=_WIDE).new_page()
        page.goto(source.as_uri())
        _save(page, out / "squad.png", ".front")
        page.add_style_tag(content=f"tbody tr:nth-child(n+{_ROWS + 1}) {{ display: none }}")
        _save(page, out / "squad-runners.png", "section:has(table.all) .scroll")
        _save(page, out / "squad-drivers.png", "section:has(table.heat) .scroll")


def _save(page: Any, path: Path, part: str) -> None:
    box = page.locator(part).bounding_box()
    top = 0 if part == ".front" else box["y"] - 8  # the coach's page has the heading and the notice above it
    clip = {"x": 0, "y": top, "width": _WIDE["width"], "height": box["y"] + box["height"] + 8 - top}
    picture = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")
    # flat colours: a palette holds them all, in a third of the bytes
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    command(main)

__all__ = ["OUT", "ROSTER", "main", "pictures"]
