"""Reconciliations over HTTP: ask for one, look at what it found, settle what a person must decide."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post

from crossdock.api.actions import _reason
from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.processes.settling import books
from crossdock.runtime.wake import LOG
from crossdock.store import access
from crossdock.store import reconcile as table
from crossdock.store.evidence import came
from crossdock.views import reconcile as view


class Asked(msgspec.Struct):
    """Whose stock is compared with the ledger."""

    system: str


@post("/v1/reconciliations", status_code=202, summary="Compare a system's stock with the ledger")
async def ask(request: Request[Any, Any, Any]) -> Response[bytes]:
    """202 with the run's number; it is read and compared in the background."""
    hub = context(request)
    who = hub.identify(request, "reconcile")
    try:
        system = read(Asked, await request.body()).system
    except (Malformed, Rejected):
        raise Problem(400, "bad-query", 'send {"system": "NAME"}') from None
    if hub.hub.system(system) is None:
        raise Problem(404, "not-found", f"no system named {system} in systems/")
    if hub.hub.connector(system).stock is None:
        raise Problem(409, "no-snapshot", f"the connector of {system} reads no stock")
    async with hub.pool.acquire() as connection:
        run = await table.ask(connection, system, who.name)
    if run is None:
        raise Problem(409, "already-running", f"a reconciliation of {system} is under way: wait for it")
    headers = {"Location": f"/v1/reconciliations/{run}"}
    return Response(
        msgspec.json.encode({"run": run}), status_code=202, media_type="application/json", headers=headers
    )


@get("/v1/reconciliations", summary="Reconciliations, newest first")
async def list_runs(request: Request[Any, Any, Any], system: str = "", limit: int = 20) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        runs = await view.list_runs(connection, system=system, limit=limit)
    return Response(msgspec.json.encode({"runs": runs}), media_type="application/json")


@get("/v1/reconciliations/agreement", summary="How far each system's stock and the ledger agreed, day by day")
async def read_agreement(
    request: Request[Any, Any, Any], system: str = "", days: int = 14
) -> Response[bytes]:
    """By the last comparison of each day (UTC), newest first."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await view.read_agreement(connection, system, days)
    return Response(msgspec.json.encode({"days": found}), media_type="application/json")


@get("/v1/reconciliations/{run:int}", summary="What a reconciliation found, difference by difference")
async def read_run(
    request: Request[Any, Any, Any], run: int, after: int = 0, limit: int = 100
) -> Response[bytes]:
    """`next` of the answer is the `after` of the next page."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await view.list_runs(connection, run=run)
        differences = await view.list_differences(connection, run, after, limit)
    if not found:
        raise Problem(404, "no-such-run", f"there is no reconciliation {run}")
    whole = len(differences) < max(1, min(limit, view.PAGE_MAX))
    body = {"run": found[0], "differences": differences, "next": None if whole else differences[-1].id}
    return Response(msgspec.json.encode(body), media_type="application/json")


@post(
    "/v1/reconciliations/differences/{number:int}/approve",
    status_code=202,
    summary="Settle an open difference: the ledger follows the other side, or it is noted as accepted",
)
async def approve(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "reconcile")
    reason = await _reason(request)
    async with hub.pool.acquire() as connection:
        row = await table.read_difference(connection, number)
        if row is None:
            raise Problem(404, "no-such-difference", f"there is no difference {number}")
        booked = books(row["cause"], row["good"], row["held"], row["system"], row["location"], hub.hub.policy)
        missed = dict(zip(row["missing"], row["missed_since"], strict=True))
        late = await came(connection, row["system"], missed) if row["state"] == "open" else ()
        if late:
            detail = (
                f"{len(late)} of {row['system']}'s events that were missing have come since: compare again"
            )
            raise Problem(409, "compared-too-early", detail)
        now = datetime.now(UTC)
        if not await table.decide(connection, row, booked, who.name, reason, now):
            raise Problem(
                409, "already-decided", f"difference {number} is {row['state']}: nothing was booked"
            )
        await access.note_action(
            connection, who.name, "reconcile", f"difference {number}", reason, booked=booked
        )
    hub.waker.ring(LOG)
    body = {"difference": number, "state": "settled" if booked else "accepted"}
    return Response(msgspec.json.encode(body), status_code=202, media_type="application/json")
