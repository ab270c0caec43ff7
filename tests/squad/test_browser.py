"""The report in a real browser: it asks no other host, fits every width, and prints with its tables."""

import pytest
from PIL import Image

from pfps_ml.squad.report import browser, print_pdf, report_page, write_squad
from pfps_ml.squad.report_data import ReportOptions
from pfps_ml.workflows import pictures
from pfps_ml.workflows.pictures import browsing
from tests.rosters import roster
from tests.squad.pages import HEADER, SQUAD, report_data
from tests.waiting import patient

pytestmark = [pytest.mark.slow, pytest.mark.skipif(browser() is None, reason="no Chromium")]
PAIN = ("no", "no", "yes", "no", "no", "no", "no", "no")
LONG = HEADER + "".join(f"{'Y' * 300}{at},C,{30 + at},female,yes,{at},{pain}\n" for at, pain in enumerate(PAIN))


@pytest.fixture(scope="module")
def chromium():
    with browsing() as found:
        yield patient(found)


def opened(chromium, folder, page, **settings):
    """Open a page, and return it with the addresses that it asked for."""
    source = folder / "squad.html"
    source.write_text(page, encoding="utf-8")
    shown, asked = chromium.new_context(**settings).new_page(), []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(source.as_uri())
    return shown, asked


@pytest.mark.parametrize("text", [SQUAD, LONG], ids=["ids", "long ids"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen_and_nobody_else_is_asked(chromium, released, tmp_path, text, width):
    page = report_page(report_data(released, tmp_path, text))
    shown, asked = opened(chromium, tmp_path, page, viewport={"width": width, "height": 740})
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert asked == [(tmp_path / "squad.html").as_uri()]


def test_on_paper_the_tables_behind_the_later_pictures_are_there(chromium, released, tmp_path):
    shown, _ = opened(chromium, tmp_path, report_page(report_data(released, tmp_path)))
    table = shown.locator(".back figure details table")
    assert not table.is_visible()
    shown.emulate_media(media="print")
    assert table.bounding_box()["height"] > 0


def test_the_coachs_page_is_one_page_of_paper(chromium, released, tmp_path):
    write_squad(pictures.ROSTER, tmp_path / "squad.html", released, ReportOptions())
    text = (tmp_path / "squad.html").read_text(encoding="utf-8")
    shown, _ = opened(chromium, tmp_path, text, viewport={"width": 694, "height": 1010})
    shown.emulate_media(media="print")
    front = shown.locator(".front").bounding_box()
    assert front["y"] + front["height"] < 269 / 25.4 * 96  # A4 without its margins, in pixels


def test_a_pdf_is_written_where_there_is_a_chromium(released, tmp_path):
    source = roster(tmp_path, SQUAD)
    write_squad(source, tmp_path / "squad.pdf", released)
    assert (tmp_path / "squad.pdf").read_bytes().startswith(b"%PDF")
    assert print_pdf("<p>page</p>").startswith(b"%PDF")


def test_the_pictures_of_the_readme_and_the_guide_are_made_from_the_example(chromium, released, tmp_path):
    pictures.pictures(chromium, released, tmp_path)
    sizes = {}
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.name] = picture.size
    assert set(sizes) == {"squad.png", "squad-runners.png", "squad-drivers.png"}
    assert {width for width, _ in sizes.values()} == {1000}
    assert sizes["squad.png"][1] > 900
