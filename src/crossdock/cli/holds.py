"""`hold` and `target`: keep effects from being sent, pause, drain and resume a system, and see what is held."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in every story that it touches.")]
UntilOption = Annotated[
    str, typer.Option(help="It ends by itself at this instant, as 2026-11-26T18:00:00+01:00.")
]
ForOption = Annotated[str, typer.Option("--for", help="It ends by itself after this time, as 90m, 2h, 3d.")]
OwnerOption = Annotated[
    str, typer.Option(help="Who answers for it; left out, the holder of the token.", show_default=False)
]


def register(app: typer.Typer) -> None:
    holds = typer.Typer(help="Hold effects by key, system, item or cause.", no_args_is_help=True)
    holds.command("list")(list_)
    holds.command("place")(place)
    holds.command("lift")(lift)
    app.add_typer(holds, name="hold")
    target = typer.Typer(help="Pause, drain and resume what is sent to one system.", no_args_is_help=True)
    target.command("list")(list_targets)
    for command in (pause, drain, resume):
        target.command()(command)
    app.add_typer(target, name="target")


def list_(
    hub: HubOption = Path(),
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over, newest first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is held, since when, by whom and why, and what waits under it."""
    query = {"ended": "true"} if ended else {}
    found = _asking(hub, "GET", "/v1/holds", None, query)
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    if not found["holds"]:
        note("No hold has ended yet." if ended else "Nothing is held.")
    for one in found["holds"]:
        sys.stdout.write("\n".join(lines(one)) + "\n")


def place(
    hub: HubOption = Path(),
    *,
    key: Annotated[
        str, typer.Option(help="Hold a thread, as order/shopify-eu/1042, or a lane, as shopify-eu/1042.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="Hold effects to this system; with --kind, those of one kind.")
    ] = "",
    system: Annotated[
        str, typer.Option(help="Hold what follows from this system's own objects, as a shop's orders.")
    ] = "",
    item: Annotated[str, typer.Option(help="Hold the release of orders that have this item.")] = "",
    cause: Annotated[str, typer.Option(help="Hold retries of what was stopped by cases of this cause.")] = "",
    kind: Annotated[str, typer.Option(help="Only effects of this kind, as goods_issue.post.")] = "",
    reason: ReasonOption,
    owner: OwnerOption = "",
    until: UntilOption = "",
    for_: ForOption = "",
    as_json: JsonOption = False,
) -> None:
    """Hold effects: they wait in order until the hold is lifted or its time is up."""
    given = {"key": key, "target": target, "system": system, "item": item, "cause": cause}
    named = {scope: name for scope, name in given.items() if name}
    if len(named) != 1:
        raise typer.BadParameter("name one of --key, --target, --system, --item, --cause")
    [(scope, name)] = named.items()
    body = (
        {"scope": scope, "name": name, "kind": kind}
        | _until(until, for_)
        | {"reason": reason, "owner": owner}
    )
    _tell(_asking(hub, "POST", "/v1/holds", body), as_json)


def list_targets(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Every system: how it stands, what waits for it, what it allows; the worst first."""
    found = _asking(hub, "GET", "/v1/systems", None)
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for one in found["systems"]:
        sys.stdout.write("\n".join(system_lines(one)) + "\n")


def system_lines(one: dict[str, Any]) -> Iterator[str]:
    """A system as text."""
    more = "+" if one["capped"] else ""
    oldest = f", the oldest since {_clock(one['oldest'])}" if one["oldest"] else ""
    waits = f"{one['waiting']}{more} waiting{oldest}" if one["allowed"] else "nothing is sent to it"
    people = f", {one['parked']} need a person" if one["parked"] else ""
    since = f" since {_clock(one['since'])}" if one["since"] else ""
    yield f"{one['name']:16} {one['stands']}{since}; {waits}{people}"
    if one["failure"]:
        yield f"{'':16} {one['failure']}"
    for hold in (one["stopped"], *one["holds"]):
        if hold:
            yield f"{'':16} hold {hold['id']} by {hold['who']}: {hold['reason']}"


def lift(
    number: Annotated[int, typer.Argument(metavar="HOLD", min=1)],
    hub: HubOption = Path(),
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Lift a hold: what waited under it goes on, oldest first."""
    _tell(_asking(hub, "DELETE", f"/v1/holds/{number}", {"reason": reason}), as_json)


Name = Annotated[str, typer.Argument(metavar="NAME", help="A system of the landscape.")]


def pause(
    name: Name, hub: HubOption = Path(), *, reason: ReasonOption, owner: OwnerOption = "", until: UntilOption = "",
    for_: ForOption = "", as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Send nothing new to a system; calls that have begun end."""
    body = {"reason": reason, "owner": owner} | _until(until, for_)
    _tell(_asking(hub, "POST", f"/v1/systems/{name}/pause", body), as_json)


def drain(
    name: Name, hub: HubOption = Path(), *, reason: ReasonOption, owner: OwnerOption = "", until: UntilOption = "",
    for_: ForOption = "", as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Send a system what is wanted of it by now, and nothing new."""
    body = {"reason": reason, "owner": owner} | _until(until, for_)
    _tell(_asking(hub, "POST", f"/v1/systems/{name}/drain", body), as_json)


def resume(name: Name, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False) -> None:
    """End a system's pause or drain: what waited goes on, oldest first."""
    _tell(_asking(hub, "POST", f"/v1/systems/{name}/resume", {"reason": reason}), as_json)


def _until(until: str, for_: str) -> dict[str, object]:
    if until and for_:
        raise typer.BadParameter("give --until or --for, not both")
    if for_:
        return {"for_seconds": seconds(for_)}
    if not until:
        return {}
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"{until} is no instant with an offset, as 2026-11-26T18:00:00+01:00", param_hint="--until"
        )
    return {"until": moment.isoformat()}


def seconds(text: str) -> int:
    """`90m` → 5400."""
    found = re.fullmatch(r"(\d{1,6})\s*(s|m|min|h|d)", text.strip())
    if found is None:
        raise typer.BadParameter(f"{text} is no time, as 90m, 2h or 3d", param_hint="--for")
    return int(found[1]) * SECONDS[found[2]]


def _asking(
    hub: Path, method: str, path: str, body: dict[str, object] | None, query: dict[str, str] | None = None
) -> Any:
    async def ask() -> Any:
        async with Client(hub) as client:
            sent = None if body is None else json.dumps(body).encode()
            return await client.request(method, path, accept=(200, 201), body=sent, query=query)

    try:
        return asyncio.run(ask())
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(1) from None


def _tell(said: Any, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")
        return
    if isinstance(said["hold"], dict):
        sys.stdout.write("\n".join(lines(said["hold"])) + "\n")
    note(said["says"][0].upper() + said["says"][1:] + ".")


def lines(one: dict[str, Any]) -> Iterator[str]:
    """A hold as text: what, how it stands, by whom and why, until when."""
    word = {"hold": "held", "pause": "paused", "drain": "drained"}[one["mode"]]
    if "ended_at" in one:
        ended = (
            f"{_clock(one['ended_at'])} by {one['ended_by']}" if one["ended_by"] else _clock(one["ended_at"])
        )
        yield f"{one['id']:>5}  {word}: {one['over']}, {_clock(one['placed_at'])} to {ended}: {one['ended_because']}"
    else:
        more = " or more" if one["capped"] else ""
        oldest = f", the oldest since {_clock(one['oldest'])}" if one["oldest"] else ""
        doing = "draining" if one["doing"] == "draining" else word
        yield f"{one['id']:>5}  {doing}: {one['over']}; {one['waiting']}{more} waiting{oldest}"
        if one["under_way"]:
            yield f"       {one['under_way']} calls that began before it are under way"
        if one["doing"] == "draining":
            yield f"       {one['still_to_go']} wanted before it still to go"
    until = f"until {_clock(one['ends_at'])}" if one.get("ends_at") else "until it is lifted"
    owner = "" if one["owner"] == one["who"] else f", for {one['owner']}"
    ends = "" if "ended_at" in one else f", {until}"
    yield f"       by {one['who']}{owner}, since {_clock(one['placed_at'])}{ends}: {one['reason']}"


def _clock(text: str) -> str:
    at = datetime.fromisoformat(text)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
