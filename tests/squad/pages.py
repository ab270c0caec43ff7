"""What the tests of the report share: a small squad as text, the report of it, and a reader of pages."""

import re
from html.parser import HTMLParser

from pfps_ml.squad.report import report_page, section
from pfps_ml.squad.report_data import ReportData, ReportOptions
from pfps_ml.squad.screening import screen
from tests.rosters import roster

HEADER = "runner_id,club,age_years,sex,prior_pfps,sessions_per_week,current_knee_pain\n"
SQUAD = HEADER + "".join(
    f"S-{at},Club,{20 + at},{'female' if at % 2 else 'male'},{'yes' if at < 3 else 'no'},{at % 7},no\n"
    for at in range(12)
)


class Reader(HTMLParser):
    """Collects the text of a page, and the tags and attributes that it uses."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.attributes = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def report_data(bundle, folder, text=SQUAD, **options):
    """Return what is said of a roster; each part is only computed when it is asked for."""
    return ReportData(screen(roster(folder, text), bundle), ReportOptions(**options))


def text_of(name, data):
    """Return what one section of the page says."""
    return Reader(section(name, data)).text


def report_of(bundle, folder, text=SQUAD, **options):
    """Return what is said of a roster, and the whole page."""
    data = report_data(bundle, folder, text, **options)
    return data, Reader(report_page(data))
