"""Master data look-up: `GET /v1/master/{kind}/{code}`, by our code or by what another system calls it."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.model.master import KINDS
from crossdock.processes.master import ANYBODY
from crossdock.views import master as view


@get(
    "/v1/master/{kind:str}/{code:str}",
    summary="A master data record: item, customer, location, carrier, code list",
)
async def read_master(
    request: Request[Any, Any, Any], kind: str, code: str, system: str = "", version: int = 0
) -> Response[bytes]:  # fmt: skip
    """`system`: `code` is that system's. `version`: that version of a code list."""
    hub = context(request)
    hub.identify(request, "read")
    if kind not in KINDS:
        raise Problem(404, "unknown-kind", f"kinds of master data are {', '.join(KINDS)}")
    async with hub.reader.acquire() as connection:
        ours = await view.code_of(connection, kind, system, code) if system else code
        record = await view.read_record(connection, kind, ours) if ours else None
        if record is None and not system and (ours := await view.code_of(connection, kind, ANYBODY, code)):
            record = await view.read_record(connection, kind, ours)  # it was renamed to this
        listed = await view.read_list(connection, code, version) if version and kind == "codelist" else None
    if record is None or (version and listed is None):
        of = f" of {system}" if system else ""
        which = f" version {version}" if version else ""
        raise Problem(404, "no-such-record", f"nobody defined {kind} {code}{of}{which}")
    if listed is not None:
        record = msgspec.structs.replace(
            record, version=version, record=msgspec.Raw(msgspec.json.encode(listed))
        )
    return Response(msgspec.json.encode(record), media_type="application/json")
