"""Is anything stuck, and where, as JSON."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.story import answer, names_of
from crossdock.views import now as view
from crossdock.views.story_sentence import spoken


@get("/v1/now", summary="Is anything stuck, and where: flows, targets, cases, what is waited for, what flows")
async def now(request: Request[Any, Any, Any]) -> Response[bytes]:
    """`sentence` is plain text that can be read out."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await view.read_now(connection, names_of(hub.hub))
    body = msgspec.to_builtins(found, builtin_types=(bytes,))
    body["sentence"] = spoken(found.sentence, found.as_of)
    return answer(body)
