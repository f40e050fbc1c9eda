"""A mail server that keeps what it takes: SMTP at the account's address, the control surface on a port of its own.

GET  /_twin/messages   [{"id", "from", "to", "subject", "text", "date", "reference"}], in the order they were taken
"""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.email.twin_smtp import serve


def build(twin: Twin) -> None:
    async def messages(_: web.Request) -> web.Response:
        return web.json_response([message for _, message in twin.books.all("message")])

    async def listen(_: web.Application) -> AsyncIterator[None]:
        server = await serve(twin, lambda envelope, raw: _take(twin, envelope, raw))
        yield
        server.close()

    twin.app.add_routes([web.get("/_twin/messages", messages)])
    twin.app.cleanup_ctx.append(listen)


def _take(twin: Twin, envelope: tuple[str, str], raw: bytes) -> str:
    """Book one message, whatever was booked before: mail servers know no repetition. Returns a refusal, or ""."""
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    if why := _refusal(message):
        return why
    told = _shown(message)
    with twin.books.change():
        number = twin.books.next_number("message")
        twin.books.put("message", f"{number:012}", {**told, "envelope": list(envelope)})
        kind = "case.tell" if told["reference"].startswith("case|") else "customer.notify"
        twin.books.journal(kind, told["reference"], told["id"], {"to": envelope[1]})
    return ""


def _refusal(message: EmailMessage) -> str:
    """What a strict server asks of a message (RFC 5322 §3.6)."""
    for name in ("From", "Date", "Message-ID"):
        if len(message.get_all(name, [])) != 1:
            return f"554 5.6.0 exactly one {name} is needed"
    return ""


def _shown(message: EmailMessage) -> dict[str, Any]:
    body = message.get_body(("plain",))
    return {
        "id": str(message["Message-ID"]).strip("<> "),
        "from": str(message["From"]),
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "text": body.get_content() if body is not None else "",
        "date": str(message["Date"]),
        "reference": str(message["Crossdock-Reference"] or message["Message-ID"]),
    }
