"""A manifest that somebody changed, or a folder that is not what it was: what is whole is kept, the rest made again."""

import json
import shutil
from dataclasses import replace

import pytest

from pfps_ml.batch import rosters
from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import OutputError, PartlyDone
from pfps_ml.io.mapping import Mapping
from pfps_ml.io.readers import Size
from tests.batch.test_datasets import dataset, manifest, names
from tests.streams import digest, run_options


@pytest.fixture(scope="module")
def done(bundle, tmp_path_factory):
    """Return a data set, what it was scored into, and the bytes of that."""
    home = tmp_path_factory.mktemp("done")
    dataset(home / "in", 200, 2)
    score_roster(home / "in", home / "out", bundle, options=run_options())
    return home / "in", home / "out", bytes_of(home / "out")


def bytes_of(out):
    return {name: digest(out / name) for name in names(out)}


@pytest.fixture
def copied(done, tmp_path):
    """Return a data set, and a copy of what it was scored into, which a test may spoil."""
    return done[0], shutil.copytree(done[1], tmp_path / "out"), done[2]


def each_account(change):
    return lambda told: {**told, "partitions": [change(dict(account)) for account in told["partitions"]]}


def without(key):
    return each_account(lambda account: {name: value for name, value in account.items() if name != key})


def with_(**values):
    return each_account(lambda account: account | values)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {**told, "partitions": None},
        lambda told: {**told, "partitions": [1, {}, []]},
        with_(name=["p0.parquet"]),
        with_(rows="many"),
        with_(rows=7, scored=7, rejected=0),
        with_(scored=7),
        with_(problems=None),
        with_(problems={"age_years": "two"}),
        with_(digest="0"),
        without("digest"),
        without("problems"),
    ],
)
def test_accounts_that_were_changed_by_hand_are_none(copied, bundle, change):
    source, out, before = copied
    (out / "manifest.json").write_text(json.dumps(change(manifest(out))))
    score_roster(source, out, bundle, options=run_options())
    assert bytes_of(out) == before


@pytest.mark.parametrize("content", ["[1]", "5", '"x"', '{"run"', "", "[" * 100_000])
def test_a_manifest_that_is_none_makes_the_folder_a_strangers(copied, bundle, content):
    source, out, before = copied
    (out / "manifest.json").write_text(content)
    with pytest.raises(OutputError, match="empty folder"):
        score_roster(source, out, bundle, options=run_options())
    assert bytes_of(out) == before | {"manifest.json": digest(out / "manifest.json")}


def test_a_partition_whose_bytes_are_no_longer_what_they_were_is_scored_again(copied, bundle):
    source, out, before = copied
    (out / "p0.parquet").write_bytes(bytes((out / "p0.parquet").stat().st_size))
    score_roster(source, out, bundle, options=run_options())
    assert bytes_of(out) == before


def test_a_run_with_a_broken_partition_may_be_repeated_with_the_same_end(tmp_path, bundle):
    dataset(tmp_path / "in", 200, 2)
    (tmp_path / "in" / "p7.parquet").write_bytes(b"PAR1 broken PAR1")
    told = []
    for _ in range(2):
        with pytest.raises(PartlyDone, match="got 1 that cannot"):
            score_roster(tmp_path / "in", tmp_path / "out", bundle, options=run_options())
        told.append(bytes_of(tmp_path / "out"))
    assert told[0] == told[1]


@pytest.mark.parametrize("what", ["map", "version", "size"])
def test_what_another_run_made_is_not_gone_on_with(copied, bundle, monkeypatch, what):
    source, out, before = copied
    mapping = Mapping(leave=frozenset(["club"])) if what == "map" else None
    if what == "version":
        monkeypatch.setattr("pfps_ml.batch.stream.version", lambda _: "99")
    how = run_options(size=Size(rows=50)) if what == "size" else run_options()
    with pytest.raises(OutputError, match="another run's manifest"):
        score_roster(source, out, bundle, mapping, how)
    assert bytes_of(out) == before


def test_what_another_bundle_made_is_not_gone_on_with(copied, bundle):
    source, out, before = copied
    other = replace(bundle, manifest={**bundle.manifest, "created": "another day"})
    with pytest.raises(OutputError, match="another run's manifest"):
        score_roster(source, out, other, options=run_options())
    assert bytes_of(out) == before


def test_an_account_of_no_file_is_none(tmp_path):
    assert rosters.finished(tmp_path, "p0.parquet", 5) is None
