"""Every link of every tracked page leads somewhere; of addresses only the form is looked at: tests have no network."""

from pathlib import Path

from tests.links import dead_links

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "data", "models", "benchmarks", "pfps_ml", "pipelines", "serving", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])


def test_no_tracked_page_has_a_dead_link():
    dead = {str(page.relative_to(ROOT)): dead_links(page) for page in PAGES}
    assert len(dead) > 10 and not {page: links for page, links in dead.items() if links}


def test_a_dead_link_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n[a](gone.md) [b](#a-page) [c](#nowhere) [d](page.md) [e](http://x.org) [f](https://x) "
                    "[g](https://x.org/y) `[h](code.md)` ![i](gone.png \"title\")\n")  # fmt: skip
    assert dead_links(page) == ["gone.md", "#nowhere", "http://x.org", "https://x", "gone.png"]
