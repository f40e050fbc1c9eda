"""API and console as one ASGI application; what only the API's process has to load."""

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from crossdock import __version__
from crossdock.api import (
    actions,
    audit,
    cases,
    claims,
    context,
    corrections,
    day,
    effects,
    erasures,
    events,
    feed,
    find,
    gaps,
    gates,
    health,
    holds,
    lots,
    master,
    now,
    openings,
    orders,
    problems,
    receive,
    reconcile,
    replays,
    reversals,
    rules,
    stock,
    story,
    systems,
    threads,
    watched,
)
from crossdock.console import routes as console
from crossdock.runtime.hub import Hub


def api_app(hub: Hub) -> Litestar:
    """Every endpoint and page of a hub."""
    return Litestar(
        route_handlers=[
            receive.receive, events.append_one, events.append_batch, events.noop, orders.take_order, actions.retry_case,
            actions.resume_thread, reversals.reverse_goods_issue, *cases.HANDLERS, *watched.HANDLERS, *effects.HANDLERS, threads.list_threads, threads.count_phases, health.live, health.ready, health.startup, health.metrics,
            find.find, audit.read_audit, gates.read_gates, gaps.read_gaps, now.now, day.read_day, feed.read_feed, master.read_master, stock.read_stock, stock.list_entries, stock.read_promise, openings.open_balances, lots.read_lot, lots.read_pieces, lots.recall_lot, lots.lift_recall, reconcile.ask, reconcile.list_runs, reconcile.read_run, reconcile.read_agreement, reconcile.approve, *story.HANDLERS, *claims.HANDLERS, *corrections.HANDLERS, *replays.HANDLERS, *rules.HANDLERS, *holds.HANDLERS, *erasures.HANDLERS, systems.list_systems, console.router(),
        ],
        lifespan=[lambda app: context.opened(app, hub)],
        exception_handlers={
            problems.Problem: problems.on_problem, HTTPException: problems.on_http, Exception: problems.on_fault,
        },
        request_max_body_size=hub.settings.body_bytes_max,
        openapi_config=OpenAPIConfig(
            title="Crossdock", version=__version__, path="/v1/openapi", render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
        debug=False,
    )  # fmt: skip
