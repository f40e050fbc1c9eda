"""The systems of the landscape as JSON: how each stands, what waits for it, what it allows, what is held there."""

from typing import Any

from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.story import answer, names_of
from crossdock.runtime.hub import Hub
from crossdock.store.pool import Connection
from crossdock.views import systems as view


@get(
    "/v1/systems",
    summary="Every system: how it stands, what waits for it, what it allows, what is held there",
)
async def list_systems(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Worst first."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        return answer(await read(connection, hub.hub))


async def read(connection: Connection, hub: Hub) -> view.Systems:
    """With what the landscape says of their budgets."""
    systems = hub.landscape.systems
    known = {name: (system.connector, _allowed(hub, name)) for name, system in systems.items()}
    return await view.read_systems(connection, names_of(hub), known)


def _allowed(hub: Hub, name: str) -> view.Allowed | None:
    system, manifest = hub.landscape.systems[name], hub.manifest(name)
    if not manifest.effects:
        return None
    limits = manifest.limits
    rate = limits.rate_per_second if system.rate_per_second is None else system.rate_per_second
    return view.Allowed(system.concurrency or limits.concurrency, rate)
