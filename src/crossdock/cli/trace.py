"""`trace`: the story of one object, once or for as long as it goes on."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli import telling
from crossdock.cli.find import IdArgument, look_up, unknown
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused, Unreachable, read_story

Json = dict[str, Any]
PAGE: Final = 200
PAGES_MAX: Final = 25
LOOK_SECONDS: Final = 1.0


def register(app: typer.Typer) -> None:
    app.command()(trace)


def trace(
    identifier: IdArgument,
    hub: HubOption = Path(),
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on telling until it is done, or Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell the story: where it stands, what it waits on, what every system acknowledged, what happened."""
    try:
        known = asyncio.run(_trace(hub, identifier, follow, as_json))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not known:
        note(unknown(identifier))
        raise typer.Exit(1)


async def _trace(hub: Path, identifier: str, follow: bool, as_json: bool) -> bool:
    """False where nobody has heard of it."""
    async with Client(hub) as client:
        story = await _story_of(client, identifier)
        if story is None:
            return False
        happened = await _all_happenings(client, story)
        if not as_json:
            _print("\n".join(telling.whole(story, [x for x in happened if not x["technical"]])))
        else:
            whole = story | {"timeline": happened[::-1], "next": ""}
            _print(json.dumps({"story": whole} if follow else whole))
        if follow:
            await _follow(client, story, happened, as_json)
    return True


async def _story_of(client: Client, identifier: str) -> Json | None:
    """A thread key goes straight to its story; anything else is found first, and several hits are named."""
    story: Json | None = None
    if "/" in identifier:
        story = await read_story(client, identifier.strip("/"), limit=PAGE)
    if story is None and (hits := await look_up(client, identifier)):
        others = ", ".join(hit["found"]["thread"] for hit in hits[1:])
        if others:
            note(f"{identifier} is also found at: {others}")
        story = await read_story(client, hits[0]["found"]["thread"], limit=PAGE)
    return story


async def _all_happenings(client: Client, story: Json) -> list[Json]:
    """The timeline, oldest first."""
    found, cursor = list(story["timeline"]), story["next"]
    for _ in range(PAGES_MAX):
        if not cursor:
            break
        page = await read_story(client, story["thread"], before=cursor, limit=PAGE)
        found += page["timeline"]
        cursor = page["next"]
    if cursor:
        note("What happened before is in the console.")
    return found[::-1]


async def _follow(client: Client, story: Json, happened: list[Json], as_json: bool) -> None:
    """Tell what is new: happenings, and the sentence whenever the object stands elsewhere."""
    told, stands = {_mark(x) for x in happened}, _stands(story)
    async for now in _stories(client, story):
        fresh = [x for x in now["timeline"][::-1] if _mark(x) not in told]
        told |= {_mark(x) for x in fresh}
        for x in fresh:
            if as_json:
                _print(json.dumps({"happened": x}))
            elif x["what"] != "effect" and not x["technical"]:
                _print(telling.happening(x))
        if _stands(now) != stands:
            stands = _stands(now)
            names = (
                "sentence",
                "tone",
                "phase",
                "waiting_on",
                "waiting_since",
                "whose_move",
                "done",
                "as_of",
            )
            said = json.dumps({"stands": {name: now[name] for name in names}})
            _print(said if as_json else f"{telling.TONES.get(now['tone'], ' ')} {now['sentence']}")


async def _stories(client: Client, story: Json) -> AsyncIterator[Json]:
    """The story again and again, until it is done. A hub that is away is waited for, and said to be away once."""
    away, me = False, asyncio.current_task()
    while not story["done"]:
        if me is not None and me.cancelling():  # Ctrl-C came while a call swallowed it
            raise asyncio.CancelledError
        await asyncio.sleep(LOOK_SECONDS)
        try:
            story = await read_story(client, story["thread"], limit=PAGE) or story
        except (Unreachable, Refused) as error:
            if isinstance(error, Refused) and error.status < 500:
                raise
            if not away:
                note(f"{error}; still trying")
            away = True
            continue
        if away:
            note("The hub is back.")
        away = False
        yield story


def _mark(entry: Json) -> tuple[str, str]:
    """An effect's entry keeps its id while what it says changes."""
    return entry["id"], entry["text"]


def _stands(story: Json) -> tuple[Any, ...]:
    cases = tuple(x["number"] for x in story["cases"])
    return story["phase"], story["tone"], story["waiting_on"], story["done"], cases


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
