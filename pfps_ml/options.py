"""The option --dask, which may stand alone or with an address, as commands of both kinds read it."""

import re

HERE = "here"  # in place of an address: a cluster on this machine
_ADDRESS = re.compile(r"\w+://.+|[\w.-]+:\d+")


def spelt_out(arguments: list[str]) -> list[str]:
    """Give --dask a value where it has none, because an option of a command takes one always or never."""
    follows = [*arguments[1:], ""]
    return [
        f"--dask={HERE}" if word == "--dask" and not _ADDRESS.fullmatch(after) else word
        for word, after in zip(arguments, follows, strict=True)
    ]


def cluster_of(dask: str | None) -> tuple[str | None] | None:
    """Return None for no cluster, and else its address in a tuple, or None in it for one on this machine."""
    return None if dask is None else (None if dask == HERE else dask,)


__all__ = ["HERE", "cluster_of", "spelt_out"]
