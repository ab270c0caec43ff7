"""Where releases stand: one is written whole under a free name and never changes, and CURRENT is moved by itself."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pfps_ml.bundle import dump, load_bundle, manifest_of, save_bundle
from pfps_ml.errors import BundleError, InputError, OutputError
from pfps_ml.numbers import same

MODELS = Path("models")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
Made = Callable[[str], tuple[dict[str, bytes], dict[str, Any]]]


def place(models: Path, number: str, made: Made) -> Path:
    """Write a release into the folder of bundles and return its own; CURRENT is not moved.

    Parameters
    ----------
    models, number
        The folder of bundles, and the version to release as.
    made
        What makes the files and the facts of a bundle of a given name.

    Raises
    ------
    InputError
        If the version cannot be part of a folder's name.
    OutputError
        If the folder of bundles cannot be written.
    """
    if not _VERSION.fullmatch(number):
        raise InputError(
            "expected a version of at most 64 letters, digits, dots, hyphens and underscores that begins with a letter "
            "or digit, got another; give one with --version, such as 1.2.0"
        )
    try:
        for name in _names(number):
            whole, facts = made(name)
            manifest, folder = manifest_of(name, whole, facts), models / name
            if not folder.exists():
                save_bundle(folder, whole, manifest)
            elif not same_release(folder, whole, manifest):
                continue
            return folder
    except OSError as error:
        raise OutputError(f"expected to write into {models}, but cannot ({error.strerror}); nothing moved") from error
    raise AssertionError("names do not run out")


def point(models: Path, name: str) -> None:
    """Let models/CURRENT name a release.

    Raises
    ------
    OutputError
        If it cannot be written; it names the one before.
    """
    draft = models / f".CURRENT.{os.getpid()}.draft"
    try:
        draft.write_text(f"{name}\n", encoding="utf-8")
        draft.replace(models / "CURRENT")
    except OSError as error:
        with suppress(OSError):  # it may not have been made
            draft.unlink()
        raise OutputError(f"expected to write {models / 'CURRENT'}, but cannot ({error.strerror})") from error


def same_release(folder: Path, parts: Mapping[str, bytes], manifest: Mapping[str, Any]) -> bool:
    """Return whether a release says what would be released: all but the time, and numbers but for their last bits.

    Parameters
    ----------
    folder
        The release; one that cannot be loaded is the same as nothing.
    parts, manifest
        The files and the manifest of what would be released.
    """
    try:
        there = load_bundle(folder).manifest
    except BundleError:
        return False
    released = {part: (folder / part).read_bytes() for part in there["files"]}
    return same(_content(there, released), _content(json.loads(dump(manifest)), parts))


def _content(manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what a bundle holds, without digests: they are those of bytes, and the bytes follow from the rest."""
    facts = {key: value for key, value in manifest.items() if key not in ("created", "files")}
    files = {part: json.loads(text) if part.endswith(".json") else text.decode() for part, text in parts.items()}
    return {"manifest": facts, **files}


def _names(number: str) -> Iterator[str]:
    yield f"pfps-{number}"
    again = 2
    while True:
        yield f"pfps-{number}-{again}"
        again += 1


__all__ = ["MODELS", "Made", "place", "point", "same_release"]
