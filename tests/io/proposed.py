"""What the tests of proposals share: a roster of any names, what is proposed for it, and what that reads."""

import datetime as dt
import tomllib

from pfps_ml.io.mapping_dialogue import map_text
from pfps_ml.io.mapping_suggestions import propose
from pfps_ml.io.readers import open_source
from pfps_ml.io.roster import NAMES, read_roster
from tests.rosters import roster

TODAY = dt.date(2026, 9, 1)


def proposal(folder, text, name="roster.csv", sheet=None):
    return propose(open_source(roster(folder, text, name), NAMES, sheet=sheet), sheet, TODAY)


def column(folder, name, *cells):
    """Return what is proposed for one column."""
    lines = "".join(f'R-{row};"{cell}"\n' for row, cell in enumerate(cells))
    return proposal(folder, f"runner_id;{name}\n{lines}").columns[1]


def read_by_proposal(folder, text, change=lambda told: told, name="roster.csv"):
    """Return a roster read by the map that is proposed for it, which somebody may have changed."""
    told = change(map_text(proposal(folder, text, name)))
    tomllib.loads(told)
    return read_roster(folder / name, roster(folder, told, "map.toml"))
