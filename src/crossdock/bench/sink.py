"""An HTTP target that accepts everything at once: `python -m crossdock.bench.sink PORT`.

With `count` behind the port it tells its calls by the second; with `judge` it refuses what is poisoned, until it is told that the poison is gone, and watches the order
in which each key's milestones come.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from time import time
from typing import cast

import uvloop

from crossdock.bench.lanes import CURED, POISON, TOLD, WAY

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
_REFUSED = b'HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 24\r\nContent-Type: application/json\r\n\r\n{"message":"poisoned  "}'


class _Sink(asyncio.Protocol):
    def __init__(self, reply: Callable[[bytes, bytes], bytes]) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at > 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(self._reply(head, body))


class _Judge:
    """Of one target: what it took of each key last, and how often that was earlier than what it had taken."""

    def __init__(self) -> None:
        self._cured = False
        self._last: dict[str, int] = {}
        self._inversions = 0

    def reply(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1].decode()
        if path == CURED:
            self._cured = True
            return _OK
        if path == TOLD:
            return _json({"inversions": self._inversions, "keys": len(self._last)})
        if not self._cured and POISON.encode() in body:
            return _REFUSED
        said = json.loads(body)["data"]
        place = WAY.index((int(said["shipment"].rpartition("-")[2]), said["milestone"]))
        self._inversions += place < self._last.get(said["reference"], -1)
        self._last[said["reference"]] = place
        return _OK


class _Counter:
    def __init__(self) -> None:
        self._calls: dict[int, int] = {}

    def reply(self, head: bytes, _body: bytes) -> bytes:
        if head.split(b" ", 2)[1].decode() == TOLD:
            return _json({"calls": list(self._calls.values())})
        second = int(time())
        self._calls[second] = self._calls.get(second, 0) + 1
        return _OK


def _json(document: object) -> bytes:
    body = json.dumps(document).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n"
    return head % len(body) + body


_REPLIES: dict[str, Callable[[], Callable[[bytes, bytes], bytes]]] = {
    "": lambda: lambda _head, _body: _OK, "judge": lambda: _Judge().reply, "count": lambda: _Counter().reply,
}  # fmt: skip


async def _serve(port: int, reply: Callable[[bytes, bytes], bytes]) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Sink(reply), "127.0.0.1", port, backlog=512
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), _REPLIES["".join(sys.argv[2:])]()))
