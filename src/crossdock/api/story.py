"""The story of a thread, its timeline page by page, and the lineage of anything in it, as JSON."""

from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.runtime.hub import Hub
from crossdock.store import access
from crossdock.store.keys import Keyring
from crossdock.views import lineage, story
from crossdock.views.names import Names, compile_names
from crossdock.views.story_sentence import spoken

REASON_MAX = 500
SHOWN = ("Shop", "ERP", "Warehouse", "Carrier", "Customer", "")
ROLE_BY_EFFECT = {
    "fulfilment.create": "Shop", "goods_issue.post": "ERP", "warehouse_order.release": "Warehouse", "label.create": "Carrier",
    "load.tender": "Carrier", "customer.notify": "Customer",
}  # fmt: skip
_encode = msgspec.json.Encoder(decimal_format="string").encode


def names_of(hub: Hub) -> Names:
    """What people call the systems, in the order a story shows them: shop, ERP, warehouse, carrier, customer."""
    roles, landscape = hub.landscape.roles, hub.landscape
    told: dict[str, str] = {}
    for name in roles.channels:
        told.setdefault(name, "Shop")
    for name, role in ((roles.erp, "ERP"), (roles.warehouse, "Warehouse"), (roles.carrier, "Carrier")):
        told.setdefault(name, role)
    for name in (*roles.notify, *roles.follow):
        told.setdefault(name, "Customer")
    told |= {name: _does(hub, name) for name in landscape.systems if name not in told}
    told = dict(sorted(told.items(), key=lambda item: SHOWN.index(item[1])))
    systems = {name: (landscape.systems[name].connector, hub.manifest(name).title) for name in told}
    return compile_names(systems, told)


def _does(hub: Hub, name: str) -> str:
    """What a system that no role names can be asked for: another company's ERP, say."""
    effects = hub.manifest(name).effects
    return next((role for effect, role in ROLE_BY_EFFECT.items() if effect in effects), "")


def answer(body: Any, **headers: str) -> Response[bytes]:
    return Response(_encode(body), media_type="application/json", headers=headers)


@get(
    "/v1/threads/story/{thread:path}",
    summary="The story of one thread: where it stands, what it waits on, what happened",
)
async def thread_story(
    request: Request[Any, Any, Any], thread: str, before: str = "", limit: int = story.PAGE
) -> Response[bytes]:  # fmt: skip
    """With `before` (a story's `next`): only the timeline's next page."""
    hub = context(request)
    hub.identify(request, "read")
    key, names = thread.strip("/"), names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        if before:
            page = await story.read_earlier(
                connection, key, names, hub.hub.policy, before=before, limit=limit
            )
            if page is not None:
                return answer({"timeline": page[0], "next": page[1]})
        else:
            found = await story.read_story(connection, key, names, hub.hub.policy, limit=limit)
            if found is not None:
                body = msgspec.to_builtins(found, builtin_types=(bytes,))
                body["sentence"] = spoken(found.sentence, found.as_of)
                return answer(body)
    raise Problem(
        404, "no-such-thread", f"nobody has heard of {key}; `GET /v1/find?q=…` looks it up by any number"
    )


@get("/v1/lineage/{ref:str}", summary="Raw → canonical → sent → answered, of an event or an effect")
async def thread_lineage(
    request: Request[Any, Any, Any], ref: str, reveal: bool = False, reason: str = ""
) -> Response[bytes]:  # fmt: skip
    """Personal data is masked; `reveal=true` needs the scope operator and a reason, which is recorded."""
    hub = context(request)
    who = hub.identify(request, "operator" if reveal else "read")
    if reveal and not reason.strip():
        raise Problem(400, "reason-missing", "personal data is revealed for a reason: add &reason=…")
    found = await read_chain(hub, ref, reveal_as=who.name if reveal else "", reason=reason)
    if found is None:
        raise Problem(
            404,
            "no-such-thing",
            f"{ref} is neither an event's reference nor an effect's id that is still kept",
        )
    return answer(found, **{"Cache-Control": "no-store"})


async def read_chain(
    hub: Context, ref: str, *, reveal_as: str = "", reason: str = ""
) -> lineage.Chain | None:
    """Revealing is recorded before anything is read: no record, no look."""
    keyring = Keyring(hub.hub.key)
    async with hub.reader.acquire() as connection:
        if reveal_as:
            await access.note_action(
                connection, reveal_as, "reveal", ref[:200], reason.strip()[:REASON_MAX], id=uuid4().hex
            )
        return await lineage.read_lineage(
            connection, ref, names_of(hub.hub), hub.hub.policy, keyring=keyring, reveal=bool(reveal_as)
        )


HANDLERS: list[HTTPRouteHandler] = [thread_story, thread_lineage]
