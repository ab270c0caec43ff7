"""What the service does when it is attacked: `python -m benchmarks.hostile` (`--quick`: smaller, a minute).

Starts the real service, sends hostile uploads and hostile requests, ends it while it writes, and lets its disk fill.
Ends with exit code 1 where a bar is missed. Memory is what the service and its workers have for themselves, with their
share of what they have in common (PSS).
"""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256, shake_256
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil

from benchmarks.hostile_files import CSV_HEAD, uploads
from benchmarks.serve import _SERVE, served
from benchmarks.wire import request
from pfps_ml.core.console import say, steps, table
from serving.limits import ConnectionLimits
from serving.requests import EXAMPLES

MEGABYTES, SECONDS = 1_000, 5.0
REQUESTS, HALF_OPEN, KILLS = 10_000, 1_100, 20
_ANSWERS = 40  # after which the service is killed
CLIENTS, ROUNDS = 8, 3
_READY, _LIVE = request("/readyz"), request("/livez")
_GOOD = request("/assess", EXAMPLES["runner"])
_ROSTER = CSV_HEAD + b"a,30,male,x\n"
_BOUND = "hostile-9f1c"
_NOISE = shake_256(b"noise").digest(200)


@dataclass
class Seen:
    """What was seen: the slowest answer, answers by status, failures without a deliberate code, and lost readiness."""

    slowest: float = 0.0
    slowest_of: str = ""
    statuses: Counter[int] = field(default_factory=Counter)
    faults: int = 0
    deliberate: int = 0
    unready: int = 0
    unanswered: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def note(self, name: str, status: int, code: str, seconds: float) -> None:
        """Note one answer."""
        self.statuses[status] += 1
        self.deliberate += status == 503 and bool(code)
        self.faults += status >= 500 and not (status == 503 and code)
        if seconds > self.slowest:
            self.slowest, self.slowest_of = seconds, name


def main(arguments: list[str]) -> int:
    """Print the table; return 1 if a bar is missed."""
    os.environ["OMP_NUM_THREADS"], quick = "1", "--quick" in arguments
    uploaded, together, asked, peak = Seen(), Seen(), Seen(), [0.0]
    with steps("hostile", 5) as tell:
        with served(_SERVE) as (port, process), watched(process.pid, peak):
            tell("uploads")
            send_uploads(port, 0.02 if quick else 1.0, uploaded)
            tell("large uploads at once")
            asyncio.run(send_at_once(port, 0.02 if quick else 1.0, together))
            tell("requests")
            asyncio.run(send_requests(port, REQUESTS // 20 if quick else REQUESTS, asked))
            half = asyncio.run(half_open(port, HALF_OPEN // 10 if quick else HALF_OPEN))
        tell("kills while it writes")
        lost, torn = kills(2 if quick else KILLS)
        tell("a disk that fills twice")
        full = fills()
    table("Uploads", ("upload", "sent", "answer", "seconds"), uploaded.rows)
    bars = [
        ("worst memory of the service and its workers", f"{peak[0]:.0f} MB", f"{MEGABYTES:,} MB", peak[0] < MEGABYTES),
        *_bars("uploads", uploaded),
        *_bars(f"other routes beside {CLIENTS} large uploads at once", together), *_bars("requests", asked),
        (f"/livez beside {half[2]:,} half-open connections", f"{half[0]:.2f} s", f"{SECONDS:g} s", half[0] < SECONDS),
        ("of these, open after the deadline", str(half[1]), "0", half[1] == 0),
        ("audit lines lost across the kills", str(lost), "0", lost == 0),
        ("audit lines torn across the kills", str(torn), "0", torn == 0),
        *full,
    ]  # fmt: skip
    table("The bars", ("what", "seen", "bar", ""), [(*bar[:3], "holds" if bar[3] else "MISSED") for bar in bars])
    _say_counts(uploaded, together, asked)
    return int(not all(bar[3] for bar in bars))


def _say_counts(uploaded: Seen, together: Seen, asked: Seen) -> None:
    say(f"Answers to uploads: {_counts(uploaded)}. To requests: {_counts(asked)}.")
    say(f"To large uploads at once: {', '.join(row[0] for row in together.rows)}.")
    say(f"Load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")


def _bars(what: str, seen: Seen) -> Iterator[tuple[str, str, str, bool]]:
    slow = f"{seen.slowest:.1f} s ({seen.slowest_of})"
    yield f"{what} ({seen.statuses.total():,}): slowest answer", slow, f"{SECONDS:g} s", seen.slowest < SECONDS
    yield f"{what}: 5xx (deliberate 503: {seen.deliberate})", str(seen.faults), "0", not seen.faults
    yield f"{what}: without an answer", "; ".join(seen.unanswered[:3]) or "0", "0", not seen.unanswered
    yield f"{what}: not ready after one", str(seen.unready), "0", not seen.unready


def _counts(seen: Seen) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(seen.statuses.items()))


@contextmanager
def watched(pid: int, peak: list[float]) -> Iterator[None]:
    """Note the most memory that a process and those that it started use together."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.05):
            with suppress(psutil.Error):
                service = psutil.Process(pid)
                peak[0] = max(peak[0], sum(map(_memory_of, [service, *service.children(recursive=True)])) / 1e6)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _memory_of(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def send_uploads(port: int, scale: float, seen: Seen) -> None:
    """Send every upload, and ask after each whether the service is ready and scores the next roster."""
    for name, (file, made) in uploads(scale).items():
        content = made()
        sent = form("r.csv", _ROSTER, content) if file == "map" else form("r.csv" if file == "form" else file, content)
        status, code, seconds = asyncio.run(timed(port, sent))
        seen.note(name, status, code, seconds)
        seen.rows.append((name, f"{len(content):,}", f"{status} {code}", f"{seconds:.2f}"))
        ready, _, _ = asyncio.run(timed(port, _READY))
        after, _, later = asyncio.run(timed(port, form("r.csv", _ROSTER)))
        seen.unready += ready != 200 or after != 200
        seen.unanswered += [name] if not status else []
        if later > seen.slowest:
            seen.slowest, seen.slowest_of = later, f"the roster after: {name}"


async def send_at_once(port: int, scale: float, seen: Seen) -> None:
    """Send large uploads at once, round after round, and ask other routes meanwhile; note how these are answered."""
    made = large_rosters(scale)
    ended = asyncio.Event()

    async def client(at: int) -> None:
        for round_ in range(ROUNDS):
            status, code, seconds = await timed(port, made[(at + round_) % len(made)])
            seen.rows.append((f"{status} {code} {seconds:.1f} s",))
            seen.unanswered += [f"upload {at}"] if not status else []
            seen.faults += status >= 500 and not (status == 503 and code)

    async def meanwhile() -> None:
        while not ended.is_set():
            for name, sent in (("/readyz", _READY), ("/livez", _LIVE), ("/assess", _GOOD)):
                status, code, seconds = await timed(port, sent)
                seen.note(name, status, code, seconds)
                seen.unready += name == "/readyz" and status != 200
                seen.unanswered += [name] if status != 200 else []
            await asyncio.sleep(0.05)

    beside = asyncio.create_task(meanwhile())
    await asyncio.gather(*(client(at) for at in range(CLIENTS)))
    ended.set()
    await beside


def large_rosters(scale: float) -> list[bytes]:
    """Return requests with rosters of 19 MB: honest ones, and some that ask for more memory than there is."""
    rows = max(int(90_000 * scale), 1)
    honest = CSV_HEAD + b"".join(b"R-%d,30,male,%s\n" % (at, b"x" * 190) for at in range(rows))
    hostile = uploads(scale)
    names = ("a shared text of 900 kB in 100,000 cells", "a quote inside a cell of each of 20,000 rows")
    return [form("r.csv", honest), *(form(hostile[name][0], hostile[name][1]()) for name in names)]


def form(file: str, content: bytes, mapping: bytes | None = None) -> bytes:
    """Return a request that uploads a roster."""
    parts = [("roster", file, content)] + ([("map", "m.toml", mapping)] if mapping is not None else [])
    body = b"".join(
        f'--{_BOUND}\r\nContent-Disposition: form-data; name="{name}"; filename="{called}"\r\n\r\n'.encode()
        + part + b"\r\n" for name, called, part in parts
    )  # fmt: skip
    return request("/score_roster", body + f"--{_BOUND}--\r\n".encode(), f"multipart/form-data; boundary={_BOUND}")


async def timed(port: int, sent: bytes, limit: float = 120.0) -> tuple[int, str, float]:
    """Send a request over a connection of its own; return the status (0: no answer), the code and the seconds."""
    start = time.perf_counter()
    head = b""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
            with suppress(OSError):
                writer.write(sent)
                head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
    status = int(head[9:12]) if head.startswith(b"HTTP/1.") else 0
    code = head.lower().partition(b"x-error-code: ")[2].partition(b"\r\n")[0].decode()
    return status, code, time.perf_counter() - start


async def send_requests(port: int, number: int, seen: Seen) -> None:
    """Send hostile requests of every kind with some clients at once, and ask now and then whether all is well."""
    kinds = hostile_requests()
    queue = iter([next(kinds) for _ in range(number)])

    async def client() -> None:
        for at, (name, sent) in enumerate(queue):
            status, code, seconds = await timed(port, sent, 30)
            seen.note(name, status, code, seconds)
            seen.unanswered += [name] if not status else []
            if at % 50 == 0:
                seen.unready += (await timed(port, _READY))[0] != 200

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def hostile_requests() -> Iterator[tuple[str, bytes]]:
    """Yield requests without end, of one kind after the other."""
    runner = EXAMPLES["runner"]["runner"]
    deep = 30_000
    values: Mapping[str, Any] = {
        "not JSON": b'{"runner": ' + _NOISE[:20], "nested lists": b"[" * deep,
        "nested objects": b'{"runner":' * deep, "a key twice": b'{"runner": {"age_years": 1, "age_years": 2}}',
        "a huge number": b'{"runner": {"age_years": 1' + b"0" * deep + b', "sex": "male"}}',
        "an exponent": b'{"runner": {"age_years": 1e999999, "sex": "male"}}', "NaN": b'{"runner": {"age_years": NaN}}',
        "a list for a number": {"runner": {**runner, "age_years": [1]}}, "null": b"null", "nothing": b" ",
        "an unknown key": {"runner": {**runner, "x" * 1000: 1}}, "text for a number": {"runner": {"age_years": "30"}},
        "10,000 keys": {"runner": {f"k{at}": at for at in range(10_000)}}, "half a surrogate": b'{"runner": "\\ud800"}',
        "no UTF-8": b'{"runner": "\xff\xfe"}', "a NUL": b'{"runner": "\x00"}', "60,000 lists": b"[" + b"[]," * 60_000,
    }  # fmt: skip
    roster: Mapping[str, Any] = {
        "5,001 rows": {"runners": [{}] * 5_001}, "rows that are numbers": {"runners": [1] * 5_000},
        "no rows": {"runners": []}, "reasons of 10**9": {"runners": [runner], "reasons": 10**9},
        "the same id 500 times": {"runners": [runner] * 500},
    }  # fmt: skip
    plain = [(name, request("/assess", body)) for name, body in values.items()]
    plain += [(name, request("/assess_roster", body)) for name, body in roster.items()]
    plain += _unusual()
    while True:
        yield from plain


def _unusual() -> list[tuple[str, bytes]]:
    """Return requests that are wrong as HTTP, or ask for what is not there."""
    good, length = json.dumps(EXAMPLES["runner"]).encode(), b"Content-Length: "
    head = b"POST /assess HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    lines: Mapping[str, bytes] = {
        "oversized, by its own word": head + length + b"999999999999\r\n\r\n",
        "compressed": head + b"Content-Encoding: gzip\r\n" + length + b"3\r\n\r\nabc",
        "two lengths": head + length + b"3\r\n" + length + b"4\r\n\r\n{}",
        "a length that is none": head + length + b"-1\r\n\r\n", "bad chunks": head + b"Transfer-Encoding: chunked"
        b"\r\n\r\nZZ\r\n",
        "a length and chunks": head + b"Transfer-Encoding: chunked\r\n" + length + b"3\r\n\r\nZZZ\r\n",
        "no HTTP": _NOISE + b"\r\n\r\n", "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "no Host": b"GET /about HTTP/1.1\r\n\r\n", "another Host": b"GET /about HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "a header of 100 kB": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        "3,000 headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 3_000 + b"\r\n",
        "a path of 3 kB": b"GET /" + b"../" * 1_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "a method of its own": b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "a wrong method": b"DELETE /assess HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "an upgrade": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "forwarded": b"GET /about HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: unknown\r\n\r\n",
    }  # fmt: skip
    media = [("a media type of its own", request("/assess", good, f"application/{kind}")) for kind in ("xml", "x" * 99)]
    routes = [("an unknown route", request(path)) for path in ("/admin", "/page/../../etc/passwd", "/assess/", "/%00")]
    form_media = "multipart/form-data; boundary=x"
    forms = [
        ("a form that ends early", request("/score_roster", b"--x\r\nbroken", form_media)),
        ("a form of 5,000 parts", request("/score_roster", _parts(5_000), form_media)),
    ]
    large = [("oversized", request("/assess", b" " * 2_000_001)), ("a good one", request("/assess", good))]
    return [*lines.items(), *media, *routes, *forms, *large]


def _parts(number: int) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n' * number + b"--x--\r\n"


async def half_open(port: int, number: int) -> tuple[float, int, int]:
    """Open connections that never end their headers; return how slow /livez is beside them, and how many stay open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    lines = []
    for _ in range(number):
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            lines.append((reader, writer))
    slowest = 0.0
    for _ in range(5):
        status, _, seconds = await timed(port, _LIVE, 30)
        slowest = max(slowest, seconds if status == 200 else 30.0)
    await asyncio.sleep(ConnectionLimits.headers + 2)
    stay = 0
    for reader, writer in lines:
        try:
            async with asyncio.timeout(0.05):
                await reader.read()
        except TimeoutError:
            stay += 1
        except OSError:
            pass  # it was closed while an answer to it was unread
        writer.close()
    return slowest, stay, len(lines)


def kills(number: int) -> tuple[int, int]:
    """Kill the service while it answers; return the answers without a line of the audit, and the torn lines.

    No two bodies are the same, and a line has the SHA-256 of its body: each answer is looked for by itself.
    """
    bodies, answered = unique_bodies(), set[str]()
    with tempfile.TemporaryDirectory() as folder:
        audit = Path(folder) / "audit"
        for _ in range(number):
            with _audited(audit) as (port, process):
                answered |= asyncio.run(_until_killed(port, process, bodies))
        with _audited(audit):
            pass  # the last torn line is mended at the start
        digests, torn = _recorded(audit)
        return len(answered - digests), torn


def unique_bodies() -> Iterator[bytes]:
    """Yield bodies of `/assess` without end, each for another runner."""
    runner = EXAMPLES["runner"]["runner"]
    for at in count():
        yield json.dumps({"runner": {**runner, "runner_id": f"R-{at}"}}).encode()


def _recorded(audit: Path) -> tuple[set[str], int]:
    """Return the digests of the bodies that an audit has on record, and how many of its lines are torn."""
    lines = audit.read_bytes().splitlines(keepends=True)
    return {json.loads(line)["input"] for line in lines if _whole(line)}, sum(not _whole(line) for line in lines)


@contextmanager
def _audited(audit: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    os.environ["PFPS_AUDIT"] = str(audit)
    try:
        with served(_SERVE) as (port, process):
            yield port, process
    finally:
        del os.environ["PFPS_AUDIT"]


def _whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


async def _until_killed(port: int, process: subprocess.Popen[bytes], bodies: Iterator[bytes]) -> set[str]:
    answered = set[str]()

    async def client() -> None:
        while True:
            body = next(bodies)
            status, _, _ = await timed(port, request("/assess", body))
            if status != 200:
                return
            answered.add(sha256(body).hexdigest())
            if len(answered) == _ANSWERS:
                process.send_signal(signal.SIGKILL)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return answered


def fills() -> list[tuple[str, str, str, bool]]:
    """Let the file of the audit have no more room, twice, within a line; then make room."""
    refused, unready, back, answered = 0, 0, 0, list[str]()
    bodies = unique_bodies()

    def ask() -> tuple[int, str]:
        body = next(bodies)
        status, code, _ = asyncio.run(timed(port, request("/assess", body)))
        answered.extend([sha256(body).hexdigest()] * (status == 200))
        return status, code

    with tempfile.TemporaryDirectory() as folder:
        audit = Path(folder) / "audit"
        with _audited(audit) as (port, process):
            for _ in range(2):
                ask()
                _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (audit.stat().st_size + 100, most))
                refused += ask() == (503, "record_unwritable")
                unready += asyncio.run(timed(port, _READY))[0] == 503
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
                back += asyncio.run(timed(port, _READY))[0] == 200
                ask()
        digests, torn = _recorded(audit)
    return _of_the_disk((refused, unready, back), answered, digests, torn)


def _of_the_disk(
    counts: tuple[int, int, int], answered: list[str], digests: set[str], torn: int
) -> list[tuple[str, str, str, bool]]:
    refused, unready, back = counts
    seen = f"refused {refused}, not ready {unready}, ready again {back}, answered {len(answered)}"
    return [
        (
            "a disk that fills twice",
            seen,
            "refused 2, not ready 2, ready again 2, answered 4",
            (refused, unready, back, len(answered)) == (2, 2, 2, 4),
        ),
        (
            "audit lines lost or torn by it",
            f"{len(set(answered) - digests)}, {torn}",
            "0, 0",
            set(answered) <= digests and not torn,
        ),
        ("lines of answers that were refused", str(len(digests - set(answered))), "0", digests == set(answered)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
