"""A load generator of wrk's class: raw protocol objects on uvloop, requests built beforehand, in a process of its own.

Run as `python -m crossdock.bench.load` with a JSON plan on standard input; prints one JSON object.
"""

import asyncio
import json
import sys
from base64 import b64decode
from time import perf_counter
from typing import Any, cast

import uvloop

HEAD_END = b"\r\n\r\n"


def request(
    path: str, body: bytes, *, token: str = "", method: str = "POST", content_type: str = "application/json"
) -> bytes:
    """One HTTP/1.1 request, ready to be written to a socket."""
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Length: {len(body)}",
        f"Content-Type: {content_type}",
    ]
    if token:
        head.append(f"Authorization: Bearer {token}")
    return "\r\n".join(head).encode() + HEAD_END + body


class _Connection(asyncio.Protocol):
    """One request at a time; the next goes out as soon as the answer is whole."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._buffer = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses
        self.next()

    def next(self) -> None:
        body = self._run.take(self)
        if body is None:
            return
        self._began = perf_counter()
        self._transport.write(body)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = (
            int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
            if at > 0
            else 0
        )
        if len(self._buffer) < end + 4 + length:
            return
        status = int(head[9:12])
        self._buffer = b""
        self._run.answered(status, perf_counter() - self._began)
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._run.dropped(self)


class _Run:
    """Hands out requests until they are used up or time is; `rate` 0 is as fast as answers come."""

    def __init__(self, requests: list[bytes], *, seconds: float, rate: float, repeat: bool) -> None:
        self._requests = requests
        self._next = 0
        self._repeat = repeat
        self._rate = rate
        self._until = perf_counter() + seconds
        self._began = perf_counter()
        self._idle: list[_Connection] = []
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.done = asyncio.get_running_loop().create_future()
        self.in_flight = 0

    def take(self, connection: _Connection) -> bytes | None:
        now = perf_counter()
        if now >= self._until or (not self._repeat and self._next >= len(self._requests)):
            self._maybe_done()
            return None
        if self._rate and self._next >= (now - self._began) * self._rate:
            self._idle.append(connection)
            asyncio.get_running_loop().call_later(0.001, self._wake)
            return None
        body = self._requests[self._next % len(self._requests)]
        self._next += 1
        self.in_flight += 1
        return body

    def _wake(self) -> None:
        if self._idle:
            self._idle.pop().next()

    def answered(self, status: int, seconds: float) -> None:
        self.in_flight -= 1
        self.latencies.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self._maybe_done()

    def dropped(self, connection: _Connection) -> None:
        """The server ends connections that idle for long: those are not missed. Any other lost its answer."""
        if connection in self._idle:
            self._idle.remove(connection)
            return
        self.statuses[0] = self.statuses.get(0, 0) + 1

    def give_up(self) -> None:
        """Time is well over: whatever is still missing counts as unanswered."""
        if not self.done.done():
            self.done.set_result(None)

    def _maybe_done(self) -> None:
        over = perf_counter() >= self._until or (not self._repeat and self._next >= len(self._requests))
        if over and self.in_flight <= 0 and not self.done.done():
            self.done.set_result(None)


async def drive(
    port: int,
    requests: list[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float = 0.0,
    repeat: bool = True,
) -> dict[str, Any]:
    """Send for `seconds` (or until the requests are used up) and tell what came back."""
    run = _Run(requests, seconds=seconds, rate=rate, repeat=repeat)
    began = perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
    loop.call_later(seconds + 5, run.give_up)
    await run.done
    elapsed = perf_counter() - began
    ordered = sorted(run.latencies) or [0.0]

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    good = sum(count for status, count in run.statuses.items() if 200 <= status < 300)
    return {
        "requests": len(run.latencies), "good": good, "seconds": elapsed, "per_second": good / elapsed,
        "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99), "statuses": {str(k): v for k, v in run.statuses.items()},
    }  # fmt: skip


def main() -> None:
    plan = json.load(sys.stdin)
    requests = [b64decode(text) for text in plan.pop("requests")]
    sys.stdout.write(json.dumps(uvloop.run(drive(plan.pop("port"), requests, **plan))))


if __name__ == "__main__":
    main()
