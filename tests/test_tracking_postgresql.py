"""Tracking on PostgreSQL: a database that a hospital runs anyway holds what SQLite holds, and no value of a frame."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from pfps_ml.workflows.tracking import track
from tests.workflows.test_tracking import records

pytestmark = pytest.mark.slow
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="module")
def postgresql():
    """Return the address of an empty PostgreSQL, which listens to a socket alone and ends with the tests."""
    if not SERVERS:
        pytest.skip("no PostgreSQL on this machine: make system")
    programs = SERVERS[-1].parent
    # the server refuses to run as root; Debian's package brings a user for it, who could not enter pytest's own folders
    user = "postgres" if os.getuid() == 0 else None
    home = Path(tempfile.mkdtemp(prefix="pfps-postgresql-"))
    if user:
        shutil.chown(home, user)

    def run(program, *arguments):
        command = [programs / program, *arguments]
        subprocess.run(command, cwd=home, user=user, check=True, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-D", home / "data", "-A", "trust", "-U", "pfps", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{home}' -c fsync=off"
        run("pg_ctl", "-D", home / "data", "-l", home / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://pfps@/postgres?host={home}"
        finally:
            run("pg_ctl", "-D", home / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def test_runs_metrics_and_the_registered_model_are_in_postgresql_and_no_value_of_a_dataset(
    postgresql, bundle, tmp_path, monkeypatch
):
    import mlflow
    import psycopg

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = track(records(bundle, tmp_path / "out"), "first", uri=postgresql, home=tmp_path / "runs")
    client = mlflow.MlflowClient(postgresql)
    data = client.get_run(run).data
    assert data.metrics == {"auroc": 0.7, "auroc_low": 0.65, "auroc_high": 0.75, "runners": 4000.0}
    assert data.params == {"onset.knots": "5", "onset.penalties": "(0.1, 1.0)"}
    assert client.get_model_version_by_alias("pfps", "champion").run_id == run
    assert {found.path for found in client.list_artifacts(run)} == {"report.md", "evaluation"}
    assert not list((tmp_path / "runs").glob("*.db"))
    with psycopg.connect(postgresql) as connection:
        [held] = connection.execute("select database_to_xml(true, false, '')::text").fetchone()
    assert "sessions" in held  # the columns are there, so the search would find a value
    assert not [value for value in ("canary-of-ward-seven", "31.98", "918273645", "canary-level") if value in held]
