"""`effects`: what was sent and never answered for sure, and what people decide about it."""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from crossdock.cli.cases import POLICY, age
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

EffectArgument = Annotated[str, typer.Argument(metavar="EFFECT", help="Its id, as the list shows it.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the story.")]
PAGES_MAX = 1000


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Effects that nobody knows the outcome of.", no_args_is_help=True)
    for name, command in (
        ("unknown", unknown), ("look-up", look_up), ("mark-posted", mark_posted), ("post-now", post_now),
        ("give-up", give_up),
    ):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="effects")


def unknown(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """What may or may not have been done, the oldest first, with what each look-up said."""

    async def all_of() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with Client(hub) as client:
            for _ in range(PAGES_MAX):
                after = str(found[-1]["place"] if found else 0)
                page = (await client.get("/v1/effects", outcome="unknown", after=after))["effects"]
                found += page
                if len(page) < 100:
                    break
        return found

    found = _asking(all_of())
    if as_json:
        sys.stdout.write(json.dumps({"effects": found}) + "\n")
        return
    for one in found:
        sys.stdout.write("\n".join(told(one, datetime.now(UTC))) + "\n")
    if not found:
        note("Every outcome is known.")


def look_up(effect: EffectArgument, hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Ask the target now whether it happened."""
    _decide(hub, effect, "look-up", {}, as_json)


def mark_posted(
    effect: EffectArgument,
    hub: HubOption = Path(),
    *,
    document: Annotated[str, typer.Option(help="The number that the target gave.")],
    reason: ReasonOption,
    receipt: Annotated[
        str, typer.Option(help="JSON with what else the thread must hear, an amount, say.")
    ] = "{}",
    as_json: JsonOption = False,
) -> None:
    """It was done: everything that waits for it goes on, as if the target had answered."""
    try:
        more = json.loads(receipt)
    except ValueError:
        note("error: --receipt is no JSON")
        raise typer.Exit(2) from None
    _decide(hub, effect, "mark-posted", {"document": document, "reason": reason, "receipt": more}, as_json)


def post_now(
    effect: EffectArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Send it again though nobody can tell; what moves value needs a second person to say the same."""
    _decide(hub, effect, "post-now", {"reason": reason}, as_json)


def give_up(
    effect: EffectArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Ask for it no more; only where no thread waits for it."""
    _decide(hub, effect, "give-up", {"reason": reason}, as_json)


def told(one: dict[str, Any], now: datetime) -> Iterator[str]:
    """One effect as text."""
    worth = f", order worth {one['worth']['currency']} {one['worth']['amount']}" if one["worth"] else ""
    yield f"{one['effect']}  {one['called']}: {one['wish']}, {one['object']} ({one['title']}{worth})"
    state = "the hub is looking by itself" if one["looking"] else "nobody can tell: look there yourself"
    case = f", C-{one['case']}" if one["case"] else ""
    yield f"    since {age(one['since'], now)}, sent {one['attempts']} times, {state}{case}. {one['reason']}".rstrip()
    for x in one["tries"][-5:]:
        at = f"{datetime.fromisoformat(x['at']).astimezone(UTC):%m-%d %H:%M:%S}"
        yield f"    {at} {'sent' if x['purpose'] == 'send' else 'looked up'}: {x['outcome']} {x['reason']}".rstrip()
    if one["asked_by"]:
        yield f"    {one['asked_by']} asked to post it now ({one['asked_because']}); another person must confirm"


def _decide(hub: Path, effect: str, what: str, body: dict[str, Any], as_json: bool) -> None:
    async def done() -> Any:
        async with Client(hub) as client:
            return await client.post(f"/v1/effects/{effect}/{what}", body)

    said = _asking(done())
    waits = " and waits for a second person" if said["state"] == "asked" else ""
    sys.stdout.write((json.dumps(said) if as_json else f"{effect}: {said['state']}{waits}") + "\n")


def _asking(question: Any) -> Any:
    try:
        return asyncio.run(question)
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(4 if error.status in POLICY else 1) from None
