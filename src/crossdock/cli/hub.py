"""`init`, `up`, `down`, `status`: a hub's life."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from crossdock.client import read_status

HubOption = Annotated[Path, typer.Option("--hub", help="The landscape directory.", envvar="CROSSDOCK_HUB")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(up)
    app.command()(down)
    app.command()(status)


def note(text: str) -> None:
    """Something for people, on stderr."""
    sys.stderr.write(text + "\n")


def init(
    folder: Annotated[Path, typer.Argument(help="Directory to write.")] = Path("hub"),
    port: Annotated[int, typer.Option(help="Port of API and console.", min=1, max=65000)] = 8400,
) -> None:
    """Write a landscape directory to start from: a shop, an ERP, a warehouse, a carrier, CRM and portal."""
    from crossdock.demo import landscape

    try:
        landscape.write(folder, hub_port=port, system_port=port + 100)
    except FileExistsError as error:
        note(f"crossdock: {error.args[0]} exists already; nothing was changed")
        raise typer.Exit(1) from None
    note(
        f"Wrote {folder}/hub.yaml and {folder}/systems/. Their base_url values point to local twins: set your own."
    )
    note(f"Next: crossdock config lint --hub {folder}; crossdock up --hub {folder}")


def up(
    hub: HubOption = Path(),
    role: Annotated[
        str,
        typer.Option(
            help="all; one of api, worker, delivery; or `api,worker,` (a comma) to supervise just these."
        ),
    ] = "all",
    port: Annotated[int | None, typer.Option(help="Port of API and console.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
) -> None:
    """Run the hub: API, workers, delivery and console in one process group, or one role of it."""
    from crossdock import app as composition
    from crossdock.runtime.children import assigned_documents
    from crossdock.runtime.hub import PRIVATE, load_hub

    flags = {"port": port, "workers": workers}
    loaded = load_hub(hub, assigned_documents(hub / PRIVATE), **flags)
    match role:
        case "api":
            composition.run_api(loaded)
        case "worker":
            composition.run_worker(loaded)
        case "delivery":
            composition.run_delivery(loaded)
        case "all":
            composition.run_roles(loaded, flags)
        case _ if set(several := [name for name in role.split(",") if name]) <= set(composition.ROLES):
            composition.run_roles(loaded, flags, tuple(several))
        case _:
            raise typer.BadParameter("all, api, worker, delivery, or several of them", param_hint="--role")


def down(hub: HubOption = Path()) -> None:
    """Stop the hub: processes first, its PostgreSQL last."""
    found = read_status(hub)
    if found is None:
        note("Not running.")
        return
    pid = found["pids"]["supervisor"]  # type: ignore[index]
    os.kill(pid, signal.SIGTERM)
    for _ in range(300):
        if read_status(hub) is None:
            note("Stopped.")
            return
        time.sleep(0.1)
    note(f"Still stopping after 30 s: see {hub}/.crossdock/log")
    raise typer.Exit(1)


def status(hub: HubOption = Path(), as_json: JsonOption = False) -> None:
    """Which processes run, and whether the hub takes and processes events."""
    import asyncio

    from crossdock.client import Client, Refused, Unreachable

    found = read_status(hub)
    if found is None:
        if as_json:
            sys.stdout.write('{"running": false}\n')
        else:
            note("Not running. Start it with: crossdock up --hub " + str(hub))
        raise typer.Exit(1)

    async def ready() -> tuple[Any, list[Any], list[Any]]:
        async with Client(hub) as client:
            health = await client.get("/health/ready", accept=(200, 503))
            try:
                now = await client.get("/v1/now")
            except (Unreachable, Refused):  # the database is away, say: `health` tells
                now = {"targets": [], "holds": []}
            return health, [t for t in now["targets"] if t["role"] == "Subscriber"], now["holds"]

    health, subscribers, holds = asyncio.run(ready())
    if as_json:
        whole = {
            "running": True,
            **found,
            "health": health,
            "subscriptions": [_subscription(x) for x in subscribers],
            "holds": holds,
        }
        sys.stdout.write(json.dumps(whole) + "\n")
        return
    sys.stdout.write(f"http://{found['bind']}:{found['port']}  {health['status']}\n")
    for reason in health["reasons"]:
        sys.stdout.write(f"  {reason}\n")
    if "paused" in health:
        sys.stdout.write(f"  deliveries are paused: {health['paused']}. Next: crossdock resume --hub {hub}\n")
    for name, pid in sorted(found["pids"].items()):  # type: ignore[attr-defined]
        sys.stdout.write(f"  {name:14} pid {pid}\n")
    for x in holds:
        if x["mode"] != "hold":
            sys.stdout.write(
                f"  {x['name']} is {x['doing']} by {x['who']}: {x['reason']}. Next: crossdock target resume {x['name']}\n"
            )
    if kept := sum(1 for x in holds if x["mode"] == "hold"):
        sys.stdout.write(f"  {kept} hold{'' if kept == 1 else 's'}: crossdock hold list\n")
    for x in subscribers:
        state = f"failing: {x['last_failure']}" if x["failing_since"] else f"took {x['delivered']} messages"
        sys.stdout.write(f"  subscriber {x['called']}: {state}\n")


def _subscription(target: dict[str, Any]) -> dict[str, Any]:
    names = ("delivered", "failing_since", "last_failure", "next_at", "owned")
    return {"name": target["called"]} | {name: target[name] for name in names}
