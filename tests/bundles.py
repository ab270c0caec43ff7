"""What the tests of bundles share: a copy that a test may spoil, and how to spoil it with its hashes kept true."""

import json
import shutil

import pytest

from pfps_ml.model.bundle import digest, dump


@pytest.fixture
def copy(bundle, tmp_path):
    """Return a copy of the small bundle that a test may spoil."""
    return shutil.copytree(bundle.path, tmp_path / bundle.path.name)


def rewrite(path, part, change, rehash=True):
    """Change one part of a bundle, and keep the manifest's hashes true unless asked not to."""
    content = json.loads((path / part).read_bytes())
    change(content)
    (path / part).write_bytes(dump(content))
    if rehash and part != "manifest.json":
        rewrite(path, "manifest.json", lambda m: m["files"].update({part: digest((path / part).read_bytes())}))
