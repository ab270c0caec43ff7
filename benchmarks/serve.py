"""What the endpoint costs beside empty ones of BentoML and of Starlette, and what it takes: `make bench-serve`.

All services run as `pfps serve` does, in one process each, and are asked in turns by the same client, so that other
work of the machine falls on all of them. Ratios are of one run; figures of different runs are not to be compared.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, repeat
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.wire import Requests, Seen, ask, load, request
from pfps_ml.core.console import say, steps, table
from pfps_ml.model import released_bundle
from serving.requests import EXAMPLES
from serving.roster_routes import assess_rows

TURNS, SECONDS = 6, 4.0
ROWS = 5_000
LOAD = 60.0
BAD = 20  # one request of so many is bad
_SERVE = [str(Path(sys.executable).parent / "pfps"), "serve", "--port"]
_EMPTY = [sys.executable, "-m", "benchmarks.empty"]
_FRAMEWORKS = ("bentoml", "starlette")
_VERDICTS = {True: "holds", False: "FALLS SHORT", None: ""}
Figure = tuple[str, str, str, bool | None]  # what, measured, bar, and whether it holds; None: a figure without a bar
_PATIENT = EXAMPLES["patient"]["runner"]
_BAD = (
    (request("/assess", {"runner": {**_PATIENT, "age_years": 300}}), 422),
    (request("/assess", b'{"runner": '), 400),
    (request("/assess", b"\x80\x04", "application/vnd.bentoml+pickle"), 415),
    (request("/nothing"), 404),
)


def main() -> None:
    """Print the figures of the endpoint with their bars."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with steps("bench-serve", 4) as tell:
        tell("starts")
        rows = [starts()]
        tell("one runner, beside empty endpoints")
        rows += one_runner()
        tell(f"{ROWS:,} runners")
        rows += roster()
        tell("60 s under load")
        rows += under_load(LOAD)
    table("The endpoint", ("what", "seen", "bar", ""), [(*row[:3], _VERDICTS[row[3]]) for row in rows])
    say(f"Load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, of which the client needs one.")


@contextmanager
def served(command: list[str], models: Path | None = None) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Lend a ready service: its port and its process."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    chosen = {"PFPS_MODELS": str(models)} if models else {}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, str(port)], env=os.environ | chosen, **quiet) as process:  # noqa: S603 (our own)
        try:
            asyncio.run(_ready(port))
            yield port, process
        finally:
            process.terminate()


async def _ready(port: int) -> None:
    while True:
        try:
            status, _ = await ask(port, request("/readyz"))
        except OSError:
            status = 0
        if status == 200:
            return
        await asyncio.sleep(0.01)


def starts() -> Figure:
    """Start the service some times and return how long it takes until it is ready."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        with served(_SERVE):
            seconds.append(time.perf_counter() - start)
    told = f"{median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
    return "ready after its start, 5 starts", told, "5 s", median(seconds) <= 5


def one_runner() -> Iterator[Figure]:
    """Ask all services in turns and yield the share of the empty ones' rates, and the tail."""
    with served(_SERVE) as (port, process), ExitStack() as stack:
        empty = [stack.enter_context(served([*_EMPTY, framework]))[0] for framework in _FRAMEWORKS]
        for warmed in (port, *empty):
            _seen(warmed, 1, 1.0)
        for clients in (1, 16):
            turns = [[_seen(asked, clients, SECONDS) for asked in (port, *empty)] for _ in range(TURNS)]
            yield from _shares(clients, turns)
            if clients == 1:
                half, tail = (median(turn[0].quantile(q) for turn in turns) for q in (0.5, 0.99))
                ratio = f"{tail / half:.1f} ({tail * 1e3:.2f} of {half * 1e3:.2f} ms)"
                yield "p99 over p50, 1 client", ratio, "3", tail <= 3 * half
        megabytes = psutil.Process(process.pid).memory_info().rss / 1e6
    yield "memory of the process", f"{megabytes:.0f} MB", "", None


def _shares(clients: int, turns: list[list[Seen]]) -> Iterator[Figure]:
    for at, framework in enumerate(_FRAMEWORKS, start=1):
        share = median(turn[0].rate / turn[at].rate for turn in turns)
        rates = " of ".join(f"{median(turn[side].rate for turn in turns):,.0f}" for side in (0, at))
        # the bar is BentoML's; the other says what the framework costs
        bar, holds = ("60 %", share >= 0.6) if framework == "bentoml" else ("", None)
        yield f"rate, {clients} client(s): of an empty {framework} endpoint's", f"{share:.0%} ({rates}/s)", bar, holds


def _seen(port: int, clients: int, seconds: float) -> Seen:
    def check(status: int, _: bytes) -> None:
        assert status == 200

    sent = request("/assess", EXAMPLES["patient"])
    return asyncio.run(load(port, lambda _: repeat((sent, check)), clients, seconds))


def roster() -> Iterator[Figure]:
    """Assess many runners over HTTP and in this process, in turns."""
    bundle, rows = released_bundle(), roster_of(ROWS)
    sent, here, there = request("/assess_roster", {"runners": rows, "reasons": 3}), [], []
    with served(_SERVE) as (port, _):
        for _ in range(5):
            start = time.perf_counter()
            found = assess_rows(bundle, rows, 3)
            here.append(time.perf_counter() - start)
            start = time.perf_counter()
            status, body = asyncio.run(ask(port, sent))
            there.append(time.perf_counter() - start)
            assert status == 200 and json.loads(body) == json.loads(json.dumps(found))
    ours, theirs = median(there), median(here)
    yield f"{ROWS:,} runners, 3 reasons each", f"{ours:.2f} s", "1.5 s", ours <= 1.5
    yield "of the time in process", f"{ours / theirs:.1f} ({theirs:.2f} s)", "3", ours <= 3 * theirs


def roster_of(rows: int) -> list[dict[str, Any]]:
    """Return runners of different ages; every third a patient."""
    screened = EXAMPLES["runner"]["runner"]
    return [
        {**(_PATIENT if at % 3 == 0 else screened), "runner_id": f"R-{at}", "age_years": 14 + at % 50}
        for at in range(rows)
    ]


def under_load(seconds: float) -> Iterator[Figure]:
    """Ask with 16 clients, some of it bad, while the bundle is swapped, and yield what was lost and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        models = two_releases(Path(folder))
        with served(_SERVE, models) as (port, process):
            seen, told, memory = asyncio.run(_loaded(port, process.pid, models, seconds))
    faults = {status: n for status, n in seen.statuses.items() if status >= 500}
    asked = (
        f"{len(seen.seconds):,} requests, {sum(seen.statuses.get(s, 0) for s in (400, 404, 415, 422)):,} of them bad"
    )
    yield f"{seconds:.0f} s, 16 clients: {asked}: 5xx", str(sum(faults.values())), "0", not faults
    yield "rows lost, or answers that are not the expected", str(told["wrong"]), "0", not told["wrong"]
    yield (
        "answers by the bundle before, and after",
        f"{told['first']:,}, {told['second']:,}",
        "both",
        told["second"] > 0,
    )
    first, last = memory
    yield (
        "memory after the first quarter, and at the end",
        f"{first:.0f}, {last:.0f} MB",
        "5 % more",
        last <= 1.05 * first,
    )


def two_releases(folder: Path) -> Path:
    """Return a folder with the released bundle under two names; the first is the current one."""
    path = released_bundle().path
    for name in ("first", "second"):
        shutil.copytree(path, folder / name)
    manifest = json.loads((folder / "second" / "manifest.json").read_text(encoding="utf-8"))
    (folder / "second" / "manifest.json").write_text(json.dumps(manifest | {"version": "second"}), encoding="utf-8")
    (folder / "CURRENT").write_text("first\n", encoding="utf-8")
    return folder


async def _loaded(port: int, pid: int, models: Path, seconds: float) -> tuple[Seen, Counter[str], tuple[float, float]]:
    told, process, memory = Counter[str](), psutil.Process(pid), list[float]()

    async def meanwhile() -> None:
        await asyncio.sleep(seconds / 4)
        memory.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(seconds / 4)
        (models / "CURRENT").write_text("second\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        await asyncio.sleep(seconds * 0.45)
        memory.append(process.memory_info().rss / 1e6)

    seen, _ = await asyncio.gather(load(port, lambda client: mixed(client, told), 16, seconds), meanwhile())
    return seen, told, (memory[0], memory[1])


def mixed(client: int, told: Counter[str]) -> Requests:
    """Yield requests without end: most for one runner, some rosters, some bad; with what their answers must be."""
    for number in count(client * 7):
        if number % BAD == 0:
            sent, expected = _BAD[number // BAD % len(_BAD)]
            yield sent, lambda status, _, wanted=expected: told.update(wrong=int(status != wanted))
        elif number % 50 == 7:
            yield request("/assess_roster", {"runners": roster_of(20)}), lambda *seen: told.update(whole_roster(*seen))
        else:
            yield request("/assess", EXAMPLES["patient"]), lambda *seen: told.update(assessed(*seen))


def assessed(status: int, body: bytes) -> dict[str, int]:
    """Return which bundle answered, or that the answer is wrong."""
    if status != 200:
        return {"wrong": 1}
    found = json.loads(body)
    return {found["bundle"]: 1, "wrong": int(not found["risk"] or len(found["pathways"]) != 4)}


def whole_roster(status: int, body: bytes) -> dict[str, int]:
    """Return whether every row came back, in order."""
    rows = json.loads(body).get("rows", ()) if status == 200 else ()
    return {"wrong": int([row["runner_id"] for row in rows if row["assessment"]] != [f"R-{at}" for at in range(20)])}


if __name__ == "__main__":
    main()
