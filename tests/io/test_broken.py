"""Broken rosters: each is read, row for row, or refused with what to do, without a traceback or a lost row."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError
from tests.io.broken import BROKEN
from tests.rosters import cells
from tests.streams import left

ROOT = Path(__file__).resolve().parents[2]
WATCHED = r"""
import json, re, sys, time
from pathlib import Path
from pfps_ml.core.errors import InputError
from pfps_ml.io.roster import read_roster
begun = time.process_time()
try:
    read_roster(Path(sys.argv[1]))
except InputError:
    pass
most = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]  # ru_maxrss would be the parent's
print(json.dumps([time.process_time() - begun, int(most) / 1e3]))
"""


def test_there_are_forty_and_more():
    assert len({each.name for each in BROKEN}) == len(BROKEN) >= 40


@pytest.mark.parametrize(
    "broken", [pytest.param(each, id=each.name, marks=[pytest.mark.slow] * each.slow) for each in BROKEN]
)
def test_a_broken_roster_comes_back_row_for_row_or_is_refused_with_what_to_do(tmp_path, bundle, broken):
    source, out = tmp_path / broken.name, tmp_path / "out.csv"
    source.write_bytes(broken.write())
    if isinstance(broken.outcome, str):
        with pytest.raises(InputError, match=r"^expected ") as caught:
            score_roster(source, out, bundle)
        assert broken.outcome in caught.value.message
        assert left(tmp_path) == [broken.name]
        return
    summary = score_roster(source, out, bundle)
    assert (summary.rows, summary.rejected) == broken.outcome
    assert [row["status"] for row in cells(out)].count("rejected") == summary.rejected
    assert len(cells(out)) == summary.rows


@pytest.mark.slow
@pytest.mark.parametrize("broken", [pytest.param(each, id=each.name) for each in BROKEN if each.slow])
def test_what_could_harm_costs_less_than_ten_seconds_and_a_gigabyte(tmp_path, broken):
    source = tmp_path / broken.name
    source.write_bytes(broken.write())
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(source)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    seconds, megabytes = json.loads(done.stdout)
    assert seconds < 10
    assert megabytes < 1_000
