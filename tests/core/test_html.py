"""HTML from templates: text is never read as HTML, a missing value is an error, and no page is without the notice."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError, meta

from pfps_ml.core.markup import templates_of

ROOT = Path(__file__).resolve().parents[2] / "pfps_ml"
ROOMS = ["pfps_ml.evaluation", "pfps_ml.squad"]
BAD = "<script>alert(1)</script>\"'&"
SAFE = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;"


def reports():
    """Return the room and the source of every template that is a page of its own: it extends the shared one."""
    return {room: (ROOT / room.rpartition(".")[2] / "templates" / "report.html").read_text() for room in ROOMS}


def test_every_text_is_escaped_whatever_a_template_is_called():
    templates = templates_of("pfps_ml.squad")
    assert templates.from_string("<b>{{ name }}</b>").render(name=BAD) == f"<b>{SAFE}</b>"
    page = templates.get_template("page.html").render(title=BAD, notice=BAD)
    assert "<script" not in page
    assert page.count(SAFE) == 4


def test_what_nobody_gives_is_an_error_and_not_an_empty_text():
    with pytest.raises(UndefinedError, match="title"):
        templates_of("pfps_ml.squad").get_template("page.html").render(notice="Notice.")


@pytest.mark.parametrize("room", ROOMS)
def test_no_page_can_be_made_without_the_notice(room):
    template = templates_of(room).get_template("report.html")
    values = {"title": "T", "about": "", "sections": [], "front": [], "back": []}
    with pytest.raises(UndefinedError, match="notice"):
        template.render(values)
    page = template.render(values, notice="The notice.")
    assert page.index("The notice.") < page.index("<main>") < page.rindex("The notice.")


def test_the_notice_stands_in_the_shared_page_outside_every_block_that_a_room_fills():
    shared = (ROOT / "core" / "templates" / "page.html").read_text()
    blocks = [part.split("{% endblock %}")[0] for part in shared.split("{% block ")[1:]]
    assert blocks
    assert not any("notice" in block for block in blocks)
    for source in reports().values():
        assert '{% extends "page.html" %}' in source
        assert "notice" not in source


def test_every_page_starts_from_the_shared_one_and_no_template_makes_a_page_of_its_own():
    for path in ROOT.glob("*/templates/*.html"):
        assert ("<!DOCTYPE" in path.read_text()) == (path.name == "page.html"), path


@pytest.mark.parametrize("room", ROOMS)
def test_no_template_turns_escaping_off(room):
    templates = templates_of(room)
    for name in templates.list_templates():
        source = templates.loader.get_source(templates, name)[0]
        assert "autoescape" not in source and "|safe" not in source.replace(" ", ""), name
        assert set(meta.find_referenced_templates(templates.parse(source))) <= set(templates.list_templates()), name


def test_the_browser_is_told_to_load_nothing_and_pictures_only_from_the_file_itself():
    policies = {room: templates_of(room).get_template("report.html").render(
        title="", about="", notice="", sections=[], front=[], back=[]) for room in ROOMS}  # fmt: skip
    common = "content=\"default-src 'none'; style-src 'unsafe-inline'"
    assert f'{common}"' in policies["pfps_ml.squad"]
    assert f'{common}; img-src data:"' in policies["pfps_ml.evaluation"]
