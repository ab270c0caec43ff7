"""README.md: every command of it runs in a fresh copy of the checkout, in its order, without `make demo` before."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pfps_ml.workflows.simulate import simulate
from tests.cohorts import written

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [block.strip() for block in re.findall(r"```bash\n(.*?)```", README, re.S)]

# Lines that are not run as they stand, and why. Every other line of every block is run.
NOT_RUN = {
    "make demo": "takes minutes; tests/workflows/test_run_all.py runs what it starts, which is asked for below",
    "make test": "would run the tests inside a test; what it starts is asked for below",
    'pip install "pfps-ml[scale]"': "needs an index with this package on it; the extra is in .venv",
    "make ui": "never ends; it is started by what it starts, on another port, and asked below",
}


def lines(block):
    """Return the commands of a block, without what is said of them."""
    joined = block if "'{" in block else re.sub(r"\s+#\s.*", "", block)
    return [joined] if "'{" in block else [line for line in joined.splitlines() if line.strip()]


def block_of(start):
    """Return the commands of the one block that has a line that starts so, less those that are not run."""
    [block] = [block for block in BLOCKS if any(line.startswith(start) for line in block.splitlines())]
    return [line for line in lines(block) if line not in NOT_RUN]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Return a copy of what git tracks, as a clone has it, with the .venv of these tests."""
    home = tmp_path_factory.mktemp("fresh") / "pfps-ml"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes((ROOT / name).read_bytes())
    (home / ".venv").symlink_to(sys.prefix)
    return home


def environment(home):
    """Return the environment of somebody who has this checkout alone."""
    clean = {name: value for name, value in os.environ.items() if not re.match("(PFPS|MLFLOW|PYTHON)", name)}
    # the .venv is bound to another checkout; this one's code comes first
    return clean | {"PYTHONPATH": str(home), "PATH": f"{home}/.venv/bin:{clean['PATH']}", "OMP_NUM_THREADS": "1"}


def typed(home, commands):
    """Run lines as they are pasted into a shell, and return what they print; the first that fails is the last."""
    script = "\n".join(["set -e", *commands])
    done = subprocess.run(
        ["bash", "-c", script], cwd=home, env=environment(home), capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def started(home, path, *command) -> Iterator[str]:
    """Start a command that serves, with a free port as its last word; lend its address once it answers, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([*command, str(port)], cwd=home, env=environment(home), start_new_session=True)
    try:
        while not is_ready(address + path):
            assert server.poll() is None, "it ended before it answered"
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def is_ready(address):
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status == 200
    except OSError:  # nobody listens yet, or the answer is a refusal
        return False


def test_every_block_of_the_readme_is_run_by_a_test_here():
    starts = ["make demo", "pfps template", "pfps map", "pip install", "curl", "pfps simulate", "pfps audit COHORT"]
    assert [next(start for start in starts if start in block) for block in BLOCKS] == starts
    assert set(NOT_RUN) <= {line for block in BLOCKS for line in lines(block)}


def test_what_a_make_target_of_the_readme_starts_is_there(checkout):
    for target, start in (("demo", "pipelines.run_all"), ("test", "pytest --cov"), ("ui", "mlflow ui")):
        command = ["make", "-n", target]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
        assert start in done.stdout


@pytest.mark.slow
def test_the_first_steps_of_a_physio_need_no_demo(checkout):
    assert block_of("make demo") == []
    assert not (checkout / "out").exists()
    said = typed(checkout, block_of("pfps template"))
    assert "simulated data" in said
    scored = pd.read_csv(checkout / "out/scored.csv")
    assert len(scored) == len(pd.read_csv(checkout / "data/examples/roster.csv"))


@pytest.mark.slow
def test_a_workbook_and_logs_become_a_scored_roster_and_a_squad_report(checkout):
    typed(checkout, block_of("pfps map"))
    made = {path.name for path in (checkout / "out").iterdir()}
    assert {"loaded.xlsx", "scored.xlsx", "mend.csv", "squad.html"} <= made


@pytest.mark.slow
def test_a_folder_is_scored_here_and_on_a_cluster_alike(checkout):
    distributed = pytest.importorskip("distributed")
    roster = pd.read_csv(checkout / "data/examples/roster.csv")
    (checkout / "cohort").mkdir()
    for number in range(3):
        rows = roster.assign(runner_id=[f"{number}-{at}" for at in range(len(roster))])
        rows.to_parquet(checkout / f"cohort/part-{number}.parquet")
    here, there = block_of("pip install")
    typed(checkout, [here])
    (checkout / "scored").rename(checkout / "here")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        typed(checkout, [there.replace("tcp://HOST:8786", cluster.scheduler_address)])
    for part in (checkout / "cohort").iterdir():
        assert (checkout / "scored" / part.name).read_bytes() == (checkout / "here" / part.name).read_bytes()


@pytest.mark.slow
def test_the_request_of_the_readme_is_answered_by_what_make_serve_starts(checkout):
    [block] = block_of("curl")
    address, kind, body = re.search(r"(http://\S+) -H '(.*?)' -d '(.*?)'", block, re.S).groups()
    with started(checkout, "/readyz", "pfps", "serve", "--port") as place:
        here = address.replace("http://127.0.0.1:3000", place)
        # a machine without curl sends the same request
        request = urllib.request.Request(here, body.encode(), dict([kind.split(": ")]))
        with urllib.request.urlopen(request) as answer:
            reply = json.load(answer)
        if shutil.which("curl"):
            assert json.loads(typed(checkout, [block.replace(address, here)])) == reply
    assert 0 < reply["risk"]["probability"] < 1


@pytest.mark.slow
def test_a_researcher_simulates_trains_evaluates_releases_and_compares(checkout):
    shorter = {"-n 5000 --repeats 5": "-n 1000 --repeats 1"}  # the comparison alone takes half an hour as it stands
    commands = block_of("pfps simulate")
    for long, short in shorter.items():
        assert any(long in line for line in commands)
        commands = [line.replace(long, short) for line in commands]
    said = typed(checkout, commands)
    assert (checkout / "out/evaluation/report.html").is_file()
    assert (checkout / "models" / (checkout / "models/CURRENT").read_text().strip() / "manifest.json").is_file()
    assert "log loss" in said
    store = f"sqlite:///{checkout}/mlruns/mlflow.db"
    command = ["mlflow", "ui", "--backend-store-uri", store, "--host", "127.0.0.1", "--port"]
    with started(checkout, "/", *command) as place, urllib.request.urlopen(place) as page:
        assert b"MLflow" in page.read()


@pytest.mark.slow
def test_a_researcher_with_a_cohort_audits_updates_validates_and_releases(checkout, frames, config):
    next_season = simulate(replace(config.cohort, seed=7))
    cohorts = {
        "NEXT_PATIENTS": next_season.treatment,
        "PATIENTS": frames.treatment,
        "COHORT": frames.onset,
        "NEXT": next_season.onset,
    }
    files = {
        name: written(checkout, rows.drop(columns="draw"), f"{name.lower()}.csv") for name, rows in cohorts.items()
    }
    name = re.compile(rf"\b({'|'.join(files)})\b")
    typed(checkout, [name.sub(lambda found: str(files[found[1]]), line) for line in block_of("pfps audit COHORT")])
    assert (checkout / "models/CURRENT").read_text().strip() == "pfps-own"
