"""`token create`, `list`, `revoke`: who may call the API, and for what. A token is shown once and kept nowhere."""

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption, note

if TYPE_CHECKING:
    from crossdock.store.access import KeyRow
    from crossdock.store.pool import Connection

_SPAN: Final = re.compile(r"([1-9]\d{0,4})([dh])")
_WHO: Final = "command line"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Tokens for the API, the feed and the console.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(show)
    group.command("revoke")(revoke)
    app.add_typer(group, name="token")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use it.")],
    scope: Annotated[list[str], typer.Option(help="What it is good for; may be repeated.")],
    hub: HubOption = Path(),
    *,
    expires: Annotated[str, typer.Option(help="From now: 90d, 12h. Left out: never.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is printed once; the hub keeps only what recognises it."""
    from crossdock.access.tokens import id_of
    from crossdock.cli.migrate import with_database
    from crossdock.runtime.hub import load_hub
    from crossdock.store import access

    scopes, ends = _scopes(scope), _end(expires)
    key = load_hub(hub).key

    async def work(connection: "Connection") -> str:
        async with connection.transaction():
            token = await access.create_key(connection, key, name, scopes, ends)
            await access.note_action(
                connection, _WHO, "token create", id_of(token), "", name=name, scopes=scopes
            )
        return token

    token = asyncio.run(with_database(hub, work))
    if as_json:
        told = {"id": id_of(token), "name": name, "scopes": scopes, "expires_at": ends and ends.isoformat()}
        sys.stdout.write(json.dumps(told | {"token": token}) + "\n")
        return
    until = f"until {ends:%Y-%m-%d %H:%M} UTC" if ends else "until it is revoked"
    note(f"Token {id_of(token)} for {name}, good for {', '.join(scopes)} {until}. It is shown this once:")
    sys.stdout.write(token + "\n")


def _scopes(given: list[str]) -> list[str]:
    from crossdock.access.tokens import SCOPES

    for one in given:
        if one not in SCOPES:
            known = "; ".join(f"{name} ({what})" for name, what in SCOPES.items())
            raise typer.BadParameter(f"there is no scope {one}. There are: {known}", param_hint="--scope")
    return sorted(set(given))


def _end(span: str) -> datetime | None:
    if not span:
        return None
    found = _SPAN.fullmatch(span)
    if found is None:
        raise typer.BadParameter(f"{span} is no time span as 90d or 12h", param_hint="--expires")
    number = int(found[1])
    return datetime.now(UTC) + (timedelta(days=number) if found[2] == "d" else timedelta(hours=number))


def show(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Every token there ever was, without the token itself."""
    import msgspec

    from crossdock.cli.migrate import with_database
    from crossdock.store import access

    found = asyncio.run(with_database(hub, access.keys))
    if as_json:
        sys.stdout.write(json.dumps({"tokens": msgspec.to_builtins(found)}) + "\n")
        return
    if not found:
        note(
            f"No tokens. `crossdock up --hub {hub}` writes the operator's; `crossdock token create` makes more."
        )
    width = max((len(x.name) for x in found), default=0)
    now = datetime.now(UTC)
    for x in found:
        made = f"{x.created_at:%Y-%m-%d %H:%M}"
        sys.stdout.write(
            f"{x.id}  {x.name:{width}}  made {made}  {_standing(x, now):27}  {', '.join(x.scopes)}\n"
        )


def _standing(key: "KeyRow", now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at is None:
        return "does not expire"
    return f"{'expired' if key.expires_at <= now else 'expires'} {key.expires_at:%Y-%m-%d %H:%M}"


def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    hub: HubOption = Path(),
) -> None:
    """End a token; a running hub refuses it within seconds."""
    from crossdock.cli.migrate import with_database
    from crossdock.errors import Misconfigured
    from crossdock.store import access

    async def work(connection: "Connection") -> "tuple[KeyRow, list[KeyRow]]":
        async with connection.transaction():
            found = await access.revoke_key(connection, id_)
            if found is None:
                raise Misconfigured(id_, "no token has this id: `crossdock token list` shows them")
            await access.note_action(connection, _WHO, "token revoke", id_, "", name=found.name)
        return found, await access.keys(connection)

    found, rest = asyncio.run(with_database(hub, work))
    note(f"Token {found.id} of {found.name} is revoked; a running hub refuses it within a few seconds.")
    now = datetime.now(UTC)
    live = [x for x in rest if x.revoked_at is None and (x.expires_at is None or x.expires_at > now)]
    if not any("operator" in x.scopes for x in live):
        note("No operator token is left: `crossdock token create NAME --scope operator` makes one, or the next `crossdock up`.")  # fmt: skip
