"""A raw HTTP/1.1 client: keep-alive connections, and nothing that would cost more than the server that it asks."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[int, bytes], None]  # told the status and the body of an answer
Requests = Iterator[tuple[bytes, Check]]


@dataclass
class Seen:
    """What clients saw: seconds of each answer, and how many answers had each status."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    whole: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.whole

    def quantile(self, share: float) -> float:
        """Return the seconds that a share of the answers took at most."""
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def request(path: str, body: Any = None, media: str = "application/json") -> bytes:
    """Return a request as it goes over the wire; a POST if it has a body."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    verb = "GET" if body is None else "POST"
    head = (
        f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def exchange(line: Any, sent: bytes) -> tuple[int, bytes]:
    """Send a request over a connection and return the status and the body of its answer."""
    reader, writer = line
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


async def load(
    port: int,
    requests: Callable[[int], Iterator[tuple[bytes, Callable[[int, bytes], None]]]],
    clients: int,
    until: float,
) -> Seen:
    """Let clients ask one request after the other for some seconds; the check beside a request is told its answer."""
    seen, start = Seen(), time.perf_counter()

    async def client(number: int) -> None:
        line = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
        for sent, check in requests(number):
            before = time.perf_counter()
            if before - start > until:
                break
            status, body = await exchange(line, sent)
            seen.seconds.append(time.perf_counter() - before)
            seen.statuses[status] = seen.statuses.get(status, 0) + 1
            check(status, body)
        line[1].close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    seen.whole = time.perf_counter() - start
    return seen


async def ask(port: int, sent: bytes) -> tuple[int, bytes]:
    """Send one request over a connection of its own."""
    line = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
    try:
        return await exchange(line, sent)
    finally:
        line[1].close()
