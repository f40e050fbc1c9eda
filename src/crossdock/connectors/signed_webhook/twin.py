"""A CRM or portal as a server of its own: takes signed messages once per id, and can send events to the hub.

GET  /_twin/notifications   [{"id", "type", "timestamp", "data"}], in the order they came
POST /_twin/events          {"events": [{"type", "subject", "data", "id"?, "time"?}]} → {"webhook_id"}
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer

TOLERANCE_SECONDS: Final = 300
SLOW_SECONDS: Final = 2.0
RESIGN_SECONDS: Final = 60
REFERENCES: Final = {
    "customer.notify": ("about", "reference", "shipment"),
    "milestone.record": ("shipment", "reference", "milestone"),
    "warehouse_order.release": ("reference", "release"),
    "warehouse_order.cancel": ("reference", "release"),
}
"""Message type → the fields of the business reference; the first must be there, others may be empty."""
TYPE_PREFIX: Final = "crossdock.logistics."


def build(twin: Twin) -> None:
    path = "/" + (twin.setup.settings.get("path") or "/webhooks").lstrip("/")
    twin.app.add_routes([
        web.post(path, _receiver(twin)),
        web.get("/_twin/notifications", _notifications(twin)),
        web.post("/_twin/events", _sender(twin)),
    ])  # fmt: skip
    twin.every_tick(_resigner(twin))


def _sign(twin: Twin, message_id: str, timestamp: str, body: bytes) -> str:
    """Written apart from the connector's own code, so that one proves the other."""
    key = base64.b64decode(twin.setup.secrets["secret"].split("_", 1)[-1])
    content = message_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _refusal(twin: Twin, request: web.Request, body: bytes) -> str:
    """Why a delivery is not taken, or empty."""
    message_id = request.headers.get("webhook-id", "")
    timestamp = request.headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit():
        return "missing required headers"
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return "message timestamp too old or too new"
    right = _sign(twin, message_id, timestamp, body)
    given = request.headers.get("webhook-signature", "").split(" ")
    return (
        ""
        if any(hmac.compare_digest(one.encode(), right.encode()) for one in given)
        else "no matching signature"
    )


def _receiver(twin: Twin) -> Any:
    async def receive(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if twin.quirks.hits("gone_410"):
            return web.json_response({"message": "endpoint gone"}, status=410)
        if twin.quirks.hits("unavailable"):
            return web.json_response({"message": "down"}, status=503, headers={"Retry-After": "1"})
        if twin.quirks.hits("throttle_429"):
            return web.json_response({"message": "slow down"}, status=429, headers={"Retry-After": "1"})
        if why := _refusal(twin, request, body):
            return web.json_response({"message": why}, status=401)
        try:
            message = json.loads(body)
            reference = "|".join(str(message["data"].get(name, "")) for name in REFERENCES[message["type"]])
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.json_response({"message": "type and data are needed"}, status=422)
        if not message["data"].get(REFERENCES[message["type"]][0]):
            return web.json_response({"message": f"{REFERENCES[message['type']][0]} is missing"}, status=422)
        if message["type"] == "warehouse_order.cancel" and twin.quirks.hits("cancel_refused"):
            return web.json_response({"message": "it is packed"}, status=409)
        document = _take(twin, request.headers["webhook-id"], message, reference)
        if twin.quirks.hits("answer_lost"):
            return await lose_answer(request)
        if twin.quirks.hits("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        return web.json_response({"id": document})

    return receive


def _take(twin: Twin, message_id: str, message: dict[str, Any], reference: str) -> str:
    """Book a message once per id; another id for the same business fact is a double, and is booked."""
    with twin.books.change():
        earlier = twin.books.get("taken", message_id)
        if earlier is not None:
            return str(earlier["document"])
        number = twin.books.next_number("notification")
        document = f"N-{number}"
        twin.books.put("taken", message_id, {"document": document})
        twin.books.put("notification", f"{number:012}", {"id": document, **message})
        twin.books.journal(message["type"], reference, document, {"webhook_id": message_id})
        return document


def _notifications(twin: Twin) -> Any:
    async def show(_: web.Request) -> web.Response:
        return web.json_response([message for _, message in twin.books.all("notification")])

    return show


def _sender(twin: Twin) -> Any:
    async def send(request: web.Request) -> web.Response:
        events = [_cloud_event(twin, wish) for wish in (await request.json())["events"]]
        body = json.dumps(events[0] if len(events) == 1 else events).encode()
        message_id = f"msg_{uuid.uuid4().hex}"
        with twin.books.change():
            twin.books.call_back(
                topic=events[0]["type"],
                reference=events[0]["subject"].partition("/")[2],
                source_id=message_id,
                url=f"{twin.setup.hub_url}/v1/in/{twin.setup.system}/events",
                headers=_headers(twin, message_id, body),
                body=body,
            )
        return web.json_response({"webhook_id": message_id})

    return send


def _cloud_event(twin: Twin, wish: dict[str, Any]) -> dict[str, Any]:
    kind = wish["type"] if wish["type"].startswith(TYPE_PREFIX) else TYPE_PREFIX + wish["type"]
    return {
        "specversion": "1.0",
        "id": wish.get("id") or str(uuid.uuid4()),
        "source": f"/{twin.setup.system}",
        "type": kind,
        "subject": wish["subject"],
        "time": wish.get("time") or datetime.now(UTC).isoformat(),
        "data": wish["data"],
    }


def _headers(twin: Twin, message_id: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": _sign(twin, message_id, timestamp, body),
    }


def _resigner(twin: Twin) -> Any:
    """Deliveries that wait for long are signed anew, because receivers refuse old timestamps."""

    async def resign() -> None:
        waiting = "select id, source_id, headers, body from outbox where status is null and tries > 0"
        for row, message_id, headers, body in twin.books.rows(waiting):
            age = time.time() - int(json.loads(headers)["webhook-timestamp"])
            if age > RESIGN_SECONDS:
                with twin.books.change():
                    renewed = json.dumps(_headers(twin, message_id, body))
                    twin.books.write("update outbox set headers = ? where id = ?", renewed, row)

    return resign
