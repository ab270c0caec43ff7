import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import OutputError
from pfps_ml.domain.dictionary import ACTIVE_ARMS, field
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.evaluation.displays import Section, write_report
from pfps_ml.evaluation.model_displays import effects

VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and fails where tags do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.cells = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def read(path):
    page, reader = path.read_text(encoding="utf-8"), Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return page, reader


def forest():
    table = {"arm": ACTIVE_ARMS, "effect": 0.08, "low": 0.03, "high": 0.13, "n": 2000, "naive": 0.01}
    return effects(pd.DataFrame(table))


def test_a_report_is_one_file_that_opens_by_itself_and_reaches_no_other_host(tmp_path):
    sections = [Section("Figures", "One.\n\nTwo.", pd.DataFrame({"n": [3]})), Section("Effects", figure=forest())]
    path = write_report(tmp_path / "out", "Evaluation", sections)
    assert path == tmp_path / "out" / "report.html" and [file.name for file in path.parent.iterdir()] == ["report.html"]
    page, reader = read(path)
    assert "script" not in reader.tags and "link" not in reader.tags and "://" not in page
    assert reader.links and all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert "prefers-color-scheme: dark" in page and "@media print" in page and "default-src 'none'" in page
    assert reader.tags.count("p") == 4 and reader.tags.count("h2") == 2
    assert reader.tags.count("details") == 1 and reader.tags.count("table") == 2 and reader.tags.count("img") == 1


def test_the_notice_stands_at_the_top_and_at_the_bottom(tmp_path):
    page, _ = read(write_report(tmp_path, "Evaluation", []))
    assert page.count(NOTICE) == 2
    assert page.index(NOTICE) < page.index("<main>") < page.rindex(NOTICE)


def test_text_from_anywhere_is_shown_and_never_read_as_html(tmp_path):
    bad = "<script>alert('x')</script> & \"more\""
    table = pd.DataFrame({bad: [bad], "plain": ["a < b"]})
    page, reader = read(write_report(tmp_path, bad, [Section(bad, bad, table)]))
    assert "<script" not in page and "script" not in reader.tags
    assert reader.cells == [bad, "plain", bad, "a < b"]


def test_numbers_are_shown_with_the_figures_that_matter(tmp_path):
    table = pd.DataFrame(
        {
            "n": [12_345, 7],
            "share": [0.12345, np.nan],
            "small": [-0.00312345, 0.004],
            "whole": [20.0, 1_300.0],
            "empty": [np.nan, np.nan],
            "mixed": [0.123456, "text"],
            "good": [True, False],
            "weekly_distance_km": [31.25, 40.5],
            "n_with": [np.int64(3), None],
        }
    )
    _, reader = read(write_report(tmp_path, "Numbers", [Section("All", table=table)]))
    head, first, second = (reader.cells[start : start + 9] for start in (0, 9, 18))
    assert head[0] == "n" and head[7] == field("weekly_distance_km").label and head[8] == "n with"
    assert first == ["12,345", "0.123", "-0.0031", "20", "n/a", "0.1235", "yes", "31.2", "3"]
    assert second == ["7", "n/a", "0.0040", "1,300", "n/a", "text", "no", "40.5", "n/a"]


def test_a_figure_and_its_limits_have_as_many_decimals(tmp_path):
    table = pd.DataFrame({"value": [0.0123, 1.09], "low": [-4.5, -9.5], "high": [4.5, 9.5], "p": [0.0123, 0.0001]})
    _, reader = read(write_report(tmp_path, "Figures", [Section("All", table=table)]))
    assert reader.cells[4:] == ["0.01", "-4.50", "4.50", "0.0123", "1.09", "-9.50", "9.50", "0.0001"]


def test_numbers_stand_to_the_right_and_words_to_the_left(tmp_path):
    page, _ = read(write_report(tmp_path, "Sides", [Section("A", table=pd.DataFrame({"word": ["a"], "n": [1]}))]))
    assert '<td>a</td><td class="number">1</td>' in page


def test_the_table_behind_a_picture_is_in_the_report(tmp_path):
    page, reader = read(write_report(tmp_path, "Effects", [Section("Effects", figure=forest())]))
    assert [cell for cell in reader.cells if cell in ACTIVE_ARMS] == list(ACTIVE_ARMS)
    assert re.search(r'alt="Effects: a picture', page)


def test_a_picture_that_was_drawn_before_is_not_drawn_again(tmp_path):
    page, _ = read(write_report(tmp_path, "Drawn", [Section("Effects", figure=forest(), drawn=b"as it was")]))
    assert "base64,YXMgaXQgd2Fz" in page


def test_a_report_replaces_the_older_one_and_leaves_nothing_beside_it(tmp_path):
    write_report(tmp_path, "First", [])
    path = write_report(tmp_path, "Second", [])
    assert "<h1>Second</h1>" in path.read_text() and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("spoilt", ["folder is a file", "report is a folder"])
def test_a_report_that_cannot_be_written_is_an_output_error_and_leaves_nothing_half_done(tmp_path, spoilt):
    folder = tmp_path / "out"
    if spoilt == "folder is a file":
        folder.write_text("in the way")
    else:
        (folder / "report.html").mkdir(parents=True)
    with pytest.raises(OutputError, match="can be written for the report"):
        write_report(folder, "Title", [])
    assert not list(tmp_path.rglob(".report*"))
