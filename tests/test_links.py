"""Every link of every tracked page leads somewhere; of addresses only the form is looked at: tests have no network."""

from pathlib import Path

import pytest

from tests.links import dead_links

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "data", "models", "benchmarks", "pfps_ml", "pipelines", "serving", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_tracked_page_has_a_dead_link(page):
    assert not dead_links(page)


def test_a_dead_link_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n[a](gone.md) [b](#a-page) [c](#nowhere) [d](page.md) [e](http://x.org) [f](https://x) "
                    "[g](https://x.org/y) `[h](code.md)` ![i](gone.png \"title\")\n")  # fmt: skip
    assert dead_links(page) == ["gone.md", "#nowhere", "http://x.org", "https://x", "gone.png"]
