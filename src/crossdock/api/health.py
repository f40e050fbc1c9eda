"""Health and metrics: live (no database), ready (database, schema, lag, disk), startup, Prometheus text."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from crossdock.api.context import context
from crossdock.store.pool import LOST


@get("/health/live", summary="The process runs")
async def live() -> dict[str, str]:
    return {"status": "live"}


@get("/health/startup", summary="The process has opened its pool")
async def startup(request: Request[Any, Any, Any]) -> dict[str, str]:
    context(request)
    return {"status": "started"}


@get("/health/ready", summary="The hub takes and processes events")
async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    reasons = []
    paused = None
    if hub.admission.shedding:
        reasons.append(hub.admission.shedding)
    try:
        owned = await hub.reader.fetchval(
            "select count(*) from partition where lease_until > clock_timestamp()"
        )
        if owned < 64:
            reasons.append(f"{64 - owned} of 64 partitions have no worker")
        paused = await hub.reader.fetchval("select paused_reason from hub")
    except LOST:
        reasons.append("the database is away")
    body: dict[str, Any] = {"status": "ready" if not reasons else "not ready", "reasons": reasons}
    if paused is not None:  # no reason to turn senders away: what they send is taken and processed
        body["paused"] = paused
    return Response(
        msgspec.json.encode(body), status_code=200 if not reasons else 503, media_type="application/json"
    )


_QUERIES = {
    "crossdock_events_total": ("Events in the log, by estimate of its sequence", "select coalesce(last_value, 0) from pg_sequences where sequencename = 'event_id_seq'"),
    "crossdock_events_processed_total": ("Events processed", "select sum(position) from partition"),
    "crossdock_threads_open": ("Threads that are not done", "select count(*) from thread_state where not done"),
    "crossdock_threads_parked": ("Threads parked", "select count(*) from thread_state where parked is not null"),
    "crossdock_effects_open": ("Effects delivery has work with", "select count(*) from effect where state < 5"),
    "crossdock_effects_parked": ("Effects that wait for a person", "select count(*) from effect where state in (5, 6)"),
    "crossdock_cases_open": ("Open cases", "select count(*) from cases where state = 'open'"),
}  # fmt: skip


@get("/metrics", summary="Prometheus metrics; needs the operator token", media_type="text/plain")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "metrics")
    registry = CollectorRegistry()
    async with hub.reader.acquire() as connection:
        for name, (describe, sql) in _QUERIES.items():
            Gauge(name, describe, registry=registry).set(await connection.fetchval(sql) or 0)
        failing = Gauge(
            "crossdock_account_failing", "1 while calls to the account fail", ["account"], registry=registry
        )
        for row in await connection.fetch("select name, failing_since is not null as failing from account"):
            failing.labels(row["name"]).set(int(row["failing"]))
        found = Gauge(
            "crossdock_backfill_found_total", "Changes heard of only by asking", ["system"], registry=registry
        )
        for row in await connection.fetch("select system, sum(found) as found from backfill group by system"):
            found.labels(row["system"]).set(row["found"])
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")
