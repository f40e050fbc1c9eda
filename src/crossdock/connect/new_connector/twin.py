"""The partner as a server of its own: it books milestones once per key, and tells the hub of stopped orders.

POST /_twin/orders/stop   {"order", "reason"} → {"id"}
GET  /_twin/milestones    [{"id", "shipment", "order", "state", "at"}]
"""

import asyncio
import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer

SLOW_SECONDS: Final = 2.0


# todo: Refuse what the partner refuses, in its words; give each documented oddity a quirk of its own.
def build(twin: Twin) -> None:
    async def take(request: web.Request) -> web.StreamResponse:
        if twin.quirks.hits("unavailable"):
            return web.json_response({"message": "down"}, status=503, headers={"Retry-After": "1"})
        if not _is_known(twin, request):
            return web.json_response({"message": "unknown key"}, status=401)
        booked = _book(twin, request.headers.get("idempotency-key", ""), await request.json())
        if twin.quirks.hits("answer_lost"):
            return await lose_answer(request)
        if twin.quirks.hits("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        return web.json_response({"id": booked}, status=201)

    async def account(request: web.Request) -> web.Response:
        return web.json_response({"name": twin.setup.system}, status=200 if _is_known(twin, request) else 401)

    async def milestones(_: web.Request) -> web.Response:
        return web.json_response([milestone for _, milestone in twin.books.all("milestone")])

    async def stop(request: web.Request) -> web.Response:
        return web.json_response({"id": _tell_stopped(twin, await request.json())})

    twin.app.add_routes(
        [
            web.post("/milestones", take),
            web.get("/account", account),
            web.get("/_twin/milestones", milestones),
            web.post("/_twin/orders/stop", stop),
        ]
    )


def _is_known(twin: Twin, request: web.Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {twin.setup.secrets['secret']}"


def _book(twin: Twin, key: str, scan: dict[str, Any]) -> str:
    """Once per key, in one transaction with the journal."""
    with twin.books.change():
        earlier = twin.books.get("key", key) if key else None
        if earlier is not None:
            return str(earlier)
        document = f"M-{twin.books.next_number('milestone')}"
        twin.books.put("key", key, document)
        twin.books.put("milestone", document, {"id": document, **scan})
        reference = f"{scan['shipment']}|{scan['order']}|{scan['state']}"
        twin.books.journal("milestone.record", reference, document, {"key": key})
    return document


def _tell_stopped(twin: Twin, wish: dict[str, Any]) -> str:
    message = {
        "id": uuid.uuid4().hex, "type": "order.stopped", "order": wish["order"],
        "at": datetime.now(UTC).isoformat(), "reason": wish.get("reason", ""),
    }  # fmt: skip
    body = json.dumps(message).encode()
    proof = hmac.new(twin.setup.secrets["secret"].encode(), body, hashlib.sha256).hexdigest()
    with twin.books.change():
        twin.books.call_back(
            topic="order.stopped", reference=wish["order"], source_id=message["id"],
            url=f"{twin.setup.hub_url}/v1/in/{twin.setup.system}/events",
            headers={"content-type": "application/json", "x-signature": proof}, body=body,
        )  # fmt: skip
    return str(message["id"])
