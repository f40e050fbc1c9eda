"""`erasure`: look what names a person, ask for its erasure, approve what a colleague asked for."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli.correct import asking, tell
from crossdock.cli.hub import HubOption, JsonOption

Json = dict[str, Any]
SHOWN: Final = 10
OrderOption = Annotated[str, typer.Option("--order", help="One of the person's orders, as shopify-eu/1042.")]
EmailOption = Annotated[
    str, typer.Option("--email", help="The e-mail address of their orders; - reads it from standard input.")
]
ReasonOption = Annotated[str, typer.Option(help="Why, without naming the person: it is kept for good.")]
NumberArgument = Annotated[str, typer.Argument(metavar="E-NUMBER")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Erase a person: destroy the keys of what names them.", no_args_is_help=True)
    for command in (preview, ask, show, approve, reject):
        group.command()(command)
    group.command("list")(list_)
    app.add_typer(group, name="erasure")


def preview(
    hub: HubOption = Path(), *, order: OrderOption = "", email: EmailOption = "", as_json: JsonOption = False
) -> None:
    """Which threads, messages and effects name the person, what would be kept, and what is in the way."""
    found = asking(hub, lambda client: client.post("/v1/erasures/preview", _whom(order, email)))
    tell(found, _plan_lines, as_json)


def ask(
    hub: HubOption = Path(),
    *,
    order: OrderOption = "",
    email: EmailOption = "",
    reason: ReasonOption,
    when_done: Annotated[
        bool, typer.Option("--when-done", help="Wait for what is under way, and erase then.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase the person, or propose it where policy wants two people. It cannot be taken back."""
    body = _whom(order, email) | {"reason": reason, "when_done": when_done}
    tell(asking(hub, lambda client: client.post("/v1/erasures", body)), _told_lines, as_json)


def list_(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Erasures, newest first."""
    found = asking(hub, lambda client: client.request("GET", "/v1/erasures"))
    tell(found, lambda x: (line for one in x["erasures"] for line in _erasure_lines(one)), as_json)


def show(number: NumberArgument, hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Who asked for it and why, what it took and what it left."""
    found = asking(hub, lambda client: client.request("GET", f"/v1/erasures/{_number(number)}"))
    tell(found, _erasure_lines, as_json)


def approve(
    number: NumberArgument, hub: HubOption = Path(), *, reason: ReasonOption = "", as_json: JsonOption = False
) -> None:
    """Let an erasure that a colleague asked for be done."""
    path = f"/v1/erasures/{_number(number)}/approve"
    tell(asking(hub, lambda client: client.post(path, {"reason": reason})), _told_lines, as_json)


def reject(
    number: NumberArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Refuse it; nothing is erased."""
    path = f"/v1/erasures/{_number(number)}/reject"
    tell(asking(hub, lambda client: client.post(path, {"reason": reason})), _erasure_lines, as_json)


def _whom(order: str, email: str) -> Json:
    if bool(order) == bool(email):
        raise typer.BadParameter("name one of --order and --email")
    return {"email": sys.stdin.readline().strip() if email == "-" else email} if email else {"order": order}


def _number(text: str) -> int:
    digits = text.upper().removeprefix("E-")
    if not digits.isdecimal():
        raise typer.BadParameter(f"{text} is no erasure: E-4, say")
    return int(digits)


def _plan_lines(plan: Json) -> Iterator[str]:
    yield f"{len(plan['threads'])} threads name the person:"
    yield from _cut(f"  {x['thread']} ({x['phase']})" for x in plan["threads"])
    yield f"{len(plan['messages'])} messages and {plan['effects']} requests to other systems would not open again."
    if plan["texts"]:
        yield f"{len(plan['texts'])} texts outside the seal name them and would be blanked."
    if plan["kept"]:
        yield f"{len(plan['kept'])} messages are kept:"
        yield from _cut(f"  {x['message']} of {x['system']}: {x['why']}" for x in plan["kept"])
    if plan["shared"]:
        yield "Also of others, and left alone: " + ", ".join(plan["shared"][:SHOWN])
    if plan["left"]:
        yield "Their state repeats a text that names the person, and keeps it: " + ", ".join(
            plan["left"][:SHOWN]
        )
    if plan["elsewhere"]:
        yield "Other systems were told, and keep it by their own rules; erase it there:"
        yield from _cut(f"  {x['system']}: {x['kind']} {x['document']}".rstrip() for x in plan["elsewhere"])
    if plan["waits"]:
        yield "In the way, or waited for with --when-done:"
        yield from _cut(f"  {x}" for x in plan["waits"])


def _cut(lines: Iterator[str]) -> Iterator[str]:
    every = list(lines)
    yield from every[:SHOWN]
    if len(every) > SHOWN:
        yield f"  and {len(every) - SHOWN} more: --json has all"


def _told_lines(found: Json) -> Iterator[str]:
    yield from _erasure_lines(found["erasure"])
    yield from (f"  {line}" for line in _plan_lines(found["plan"]))
    yield f"{found['says'][0].upper()}{found['says'][1:]}."


def _erasure_lines(one: Json) -> Iterator[str]:
    at = one["done_at"] or one["decided_at"] or one["proposed_at"]
    yield f"{one['name']:6} {one['state']} {at[:19].replace('T', ' ')} UTC, asked for by {one['proposed_by']}: {one['reason']}"
    if one["decided_by"]:
        because = f": {one['decided_because']}" if one["decided_because"] else ""
        yield f"       decided by {one['decided_by']}{because}"
    if one["state"] == "done":
        yield (
            f"       {len(one['threads'])} threads, {len(one['messages'])} messages, {one['redacted']} texts;"
            f" {len(one['kept'])} messages kept"
        )
