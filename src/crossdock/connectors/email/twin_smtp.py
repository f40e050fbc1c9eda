"""The server's side of SMTP (RFC 5321), written apart from the client so that one proves the other.

With `smtps://` or `starttls: yes` it makes itself a certificate beside its books, which clients must be told to trust.
"""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from crossdock.connect.twin import Twin
from crossdock.connectors.email.twin_certificate import certificate

SLOW_SECONDS: Final = 2.0
LINE_BYTES_MAX: Final = 1000
MESSAGE_BYTES_MAX: Final = 1024 * 1024
COMMANDS_MAX: Final = 200
Take = Callable[[tuple[str, str], bytes], str]
"""Books a message of (sender, recipient); returns a refusal, or nothing."""


class _Gone(Exception):
    """The conversation is over."""


async def serve(twin: Twin, take: Take) -> asyncio.Server:
    """Listen at the account's address."""
    place = urlsplit(twin.setup.base_url)
    encrypted = place.scheme == "smtps"
    context = (
        certificate(twin.setup.books) if encrypted or twin.setup.settings.get("starttls") == "yes" else None
    )

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(twin, take, reader, writer, None if encrypted else context)
        try:
            await session.run()
        except (_Gone, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    return await asyncio.start_server(
        converse, place.hostname, place.port, limit=MESSAGE_BYTES_MAX, ssl=context if encrypted else None
    )


class _Session:
    """One connection."""

    def __init__(
        self, twin: Twin, take: Take, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        context: ssl.SSLContext | None,
    ) -> None:  # fmt: skip
        self._twin, self._take, self._reader, self._writer = twin, take, reader, writer
        self._starttls = context
        self._signed_in = not twin.setup.secrets.get("user")
        self._sender = self._recipient = ""

    async def run(self) -> None:
        if self._twin.quirks.hits("unavailable"):
            raise _Gone
        await self._say("220 twin ESMTP")
        for _ in range(COMMANDS_MAX):
            line = (await self._line()).decode("ascii", "replace").rstrip("\r\n")
            verb, _, rest = line.partition(" ")
            await self._answer(verb.upper(), rest)

    async def _answer(self, verb: str, rest: str) -> None:
        match verb:
            case "EHLO":
                await self._hello()
            case "STARTTLS" if self._starttls is not None:
                await self._say("220 go ahead")
                await self._writer.start_tls(self._starttls)
                self._starttls = None
            case "AUTH":
                await self._sign_in(rest)
            case "MAIL" if not self._signed_in:
                await self._say("530 5.7.0 sign in first")
            case "MAIL" if self._starttls is not None:
                await self._say("530 5.7.0 STARTTLS first")
            case "MAIL":
                self._sender, self._recipient = _path(rest), ""
                await self._say("250 2.1.0 ok")
            case "RCPT" if self._sender:
                await self._recipients(_path(rest))
            case "DATA" if self._recipient:
                await self._data()
            case "NOOP" | "RSET":
                await self._say("250 2.0.0 ok")
            case "QUIT":
                await self._say("221 2.0.0 bye")
                raise _Gone
            case _:
                await self._say("503 5.5.1 not now")

    async def _hello(self) -> None:
        offers = ["twin", "8BITMIME", f"SIZE {MESSAGE_BYTES_MAX}"]
        if self._starttls is not None:
            offers.append("STARTTLS")
        elif not self._signed_in:
            offers.append("AUTH PLAIN")
        for offer in offers[:-1]:
            await self._say(f"250-{offer}")
        await self._say(f"250 {offers[-1]}")

    async def _sign_in(self, rest: str) -> None:
        """`AUTH PLAIN` with its initial response (RFC 4616)."""
        secrets = self._twin.setup.secrets
        right = f"\0{secrets.get('user')}\0{secrets.get('password')}".encode()
        self._signed_in = rest == f"PLAIN {base64.b64encode(right).decode()}"
        await self._say("235 2.7.0 welcome" if self._signed_in else "535 5.7.8 wrong user or password")

    async def _recipients(self, recipient: str) -> None:
        quirks = self._twin.quirks
        if quirks.hits("throttled"):
            await self._say("421 4.7.0 too many messages, closing")
            raise _Gone
        if quirks.hits("unknown_mailbox"):
            await self._say(f"550 5.1.1 <{recipient}> no such mailbox")
        elif quirks.hits("mailbox_full"):
            await self._say(f"552 5.2.2 {recipient} is full")
        elif quirks.hits("greylisting") and self._is_new(recipient):
            await self._say("451 4.7.1 greylisted, come back later")
        else:
            self._recipient = recipient
            await self._say("250 2.1.5 ok")

    def _is_new(self, recipient: str) -> bool:
        if self._twin.books.get("greylist", recipient) is not None:
            return False
        with self._twin.books.change():
            self._twin.books.put("greylist", recipient, True)
        return True

    async def _data(self) -> None:
        await self._say("354 end with a dot")
        lines = []
        while (line := await self._line()) != b".\r\n":
            if not line.endswith(b"\r\n") or len(line) > LINE_BYTES_MAX:
                await self._say("554 5.6.0 bare line feed or overlong line")
                raise _Gone
            lines.append(line[1:] if line.startswith(b".") else line)
        refusal = self._take((self._sender, self._recipient), b"".join(lines))
        self._sender = self._recipient = ""
        if self._twin.quirks.hits("answer_lost"):
            raise _Gone
        if self._twin.quirks.hits("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        await self._say(refusal or "250 2.0.0 taken")

    async def _line(self) -> bytes:
        line = await self._reader.readline()
        if not line:
            raise _Gone
        return line

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()


def _path(rest: str) -> str:
    """The address of `FROM:<a@b>` or `TO:<a@b>`."""
    return rest.partition("<")[2].partition(">")[0]
