"""`correct`: look at a message that could not be read, propose another body, approve what a colleague proposed."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

Json = dict[str, Any]
POLICY: Final = 4
A = TypeVar("A")
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the story, with your name.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="PATH=VALUE, e.g. /line_items/0/quantity=4; may be repeated."),
]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="The whole corrected body; - for standard input.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what it would give, and keep nothing.")]
CorrectionArgument = Annotated[str, typer.Argument(metavar="K-NUMBER")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Correct messages; the originals stay as they came.", no_args_is_help=True)
    group.command("look")(look)
    group.command("message")(message)
    group.command("event")(event)
    group.command("code")(code)
    group.command("list")(show_all)
    group.command("show")(show)
    group.command("approve")(approve)
    group.command("reject")(reject)
    group.command("promote")(promote)
    group.command("rules")(rules)
    group.command("withdraw")(withdraw)
    app.add_typer(group, name="correct")


def asking(hub: Path, question: Callable[[Client], Awaitable[A]]) -> A:
    """Ask the hub. What policy forbids ends with 4, any other refusal with 1, and names each place that is wrong."""

    async def ask() -> A:
        async with Client(hub) as client:
            return await question(client)

    try:
        return asyncio.run(ask())
    except Refused as error:
        note(f"error: {error}")
        problem = error.problem if isinstance(error.problem, dict) else {}
        for place in problem.get("errors", ()):
            note(f"  {place['pointer'] or '(the message)'}: {place['detail']}")
        raise typer.Exit(POLICY if problem.get("code") == "four-eyes" else 1) from None


def tell(found: Any, lines: Callable[[Any], Iterator[str]], as_json: bool) -> None:
    sys.stdout.write(
        json.dumps(found, ensure_ascii=False) + "\n" if as_json else "\n".join(lines(found)) + "\n"
    )


def look(
    target: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id, as its case names it.")],
    hub: HubOption = Path(),
    *,
    reveal: Annotated[
        str, typer.Option(help="Show personal data too, for this reason; that is recorded.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """A message as it came, and what today's mapping says of it."""
    query = {"reveal": "true", "reason": reveal} if reveal else {}
    found = asking(
        hub, lambda client: client.request("GET", f"/v1/messages/{number_of(target)}", query=query)
    )
    tell(found, _message_lines, as_json)


def message(
    target: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id, as its case names it.")],
    hub: HubOption = Path(),
    *,
    set_: SetOption = None,
    file: FileOption = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Correct a message: its connector must be able to read it then."""
    if bool(set_) == bool(file) or not (reason or dry_run):
        note("error: say --set or --file, not both, and --reason")
        raise typer.Exit(2)
    body: Json = {"message": number_of(target), "reason": reason, "dry_run": dry_run}
    body |= {"set": values_of(set_)} if set_ else {"content": _text_of(file)}
    found = asking(hub, lambda client: client.post("/v1/corrections", body))
    tell(found, would_lines if dry_run else correction_lines, as_json)


def event(
    ref: Annotated[
        str, typer.Argument(metavar="EVENT", help="Its reference, as in the address of its lineage.")
    ],
    hub: HubOption = Path(),
    *,
    set_: Annotated[list[str], typer.Option("--set", help="PATH=VALUE in its data; may be repeated.")],
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Correct an event's data, where its thread can take another version."""
    body = {"event": ref, "set": values_of(set_)}
    _propose(hub, body, reason, dry_run=dry_run, as_json=as_json)


def code(
    entry: Annotated[str, typer.Argument(metavar="LIST/ENTRY", help="E.g. units/STK.")],
    hub: HubOption = Path(),
    *,
    value: Annotated[str, typer.Option("--to", help="What it means from now on.")],
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Correct an entry of one of the hub's own code lists: its next version."""
    _propose(hub, {"code": entry, "value": value}, reason, dry_run=dry_run, as_json=as_json)


def _propose(hub: Path, body: Json, reason: str, *, dry_run: bool, as_json: bool) -> None:
    if not (reason or dry_run):
        note("error: say --reason, or --dry-run")
        raise typer.Exit(2)
    asked = body | {"reason": reason, "dry_run": dry_run}
    found = asking(hub, lambda client: client.post("/v1/corrections", asked))
    tell(found, would_lines if dry_run else correction_lines, as_json)


def number_of(target: str) -> str:
    """A message's id, also where its thread is given."""
    return target.strip().removeprefix("message/")


def values_of(given: list[str]) -> Json:
    """`/a/0=4` → a number, `/a/0=PCE` → a text; what is JSON is taken as JSON."""
    values: Json = {}
    for one in given:
        path, equals, text = one.partition("=")
        if not equals or not path.startswith("/"):
            raise typer.BadParameter(
                f"{one}: write PATH=VALUE, e.g. /line_items/0/quantity=4", param_hint="--set"
            )
        try:
            values[path] = json.loads(text)
        except ValueError:
            values[path] = text
    return values


def _text_of(file: Path | None) -> str:
    assert file is not None
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(str(error), param_hint="--file") from None


def show_all(
    hub: HubOption = Path(),
    *,
    status: Annotated[str, typer.Option(help="proposed, approved, applied or rejected.")] = "",
    limit: Annotated[int, typer.Option(help="So many, the newest first.", min=1, max=200)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Corrections, newest first."""
    found = asking(hub, lambda client: client.get("/v1/corrections", status=status, limit=str(limit)))
    if not found["corrections"] and not as_json:
        note("Nothing was corrected.")
    elif as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(_line(x) + "\n" for x in found["corrections"]))


def show(number: CorrectionArgument, hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """One correction: what it changes, what it gives, who proposed and approved it."""
    found = asking(hub, lambda client: client.get(f"/v1/corrections/{key_of(number, 'K-')}"))
    tell(found, correction_lines, as_json)


def approve(
    number: CorrectionArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Approve what a colleague proposed; it counts from now on."""
    found = asking(
        hub, lambda client: decide(client, f"/v1/corrections/{key_of(number, 'K-')}", "approve", reason)
    )
    tell(found, lambda x: iter([_line(x)]), as_json)


def reject(
    number: CorrectionArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Reject a proposed correction; the original stands as it came."""
    found = asking(
        hub, lambda client: decide(client, f"/v1/corrections/{key_of(number, 'K-')}", "reject", reason)
    )
    tell(found, lambda x: iter([_line(x)]), as_json)


def promote(
    number: CorrectionArgument,
    hub: HubOption = Path(),
    *,
    reason: ReasonOption,
    path: Annotated[str, typer.Option(help="Which of its changes, where there are several.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a rule of it: intake reads later messages of that channel so."""
    place = f"/v1/corrections/{key_of(number, 'K-')}"
    found = asking(hub, lambda client: decide(client, place, "promote", reason, path=path))
    tell(found, rule_lines, as_json)


def rules(
    hub: HubOption = Path(),
    *,
    everything: Annotated[bool, typer.Option("--all", help="Withdrawn ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Rules, newest first, with how often each was used."""
    found = asking(hub, lambda client: client.get("/v1/rules"))
    shown = [x for x in found["rules"] if everything or x["withdrawn_at"] is None]
    if not shown and not as_json:
        note("No rule is in force.")
        return
    tell({"rules": shown}, lambda x: (line for one in x["rules"] for line in rule_lines(one)), as_json)


def withdraw(
    number: Annotated[str, typer.Argument(metavar="P-NUMBER")],
    hub: HubOption = Path(),
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a rule; later messages are read as they come."""
    found = asking(
        hub, lambda client: decide(client, f"/v1/rules/{key_of(number, 'P-')}", "withdraw", reason)
    )
    tell(found, rule_lines, as_json)


def rule_lines(x: Json) -> Iterator[str]:
    """What it puts for what, where, by whom, and how often."""
    used = f"{x['uses']} times, last {x['used_at']}" if x["uses"] else "not used yet"
    yield f"{x['name']}  {x['system']}, channel {x['channel']}, {x['path']}: {x['from_value']} is read as {x['to_value']}  ({used})"
    yield f"  promoted from K-{x['correction']} by {x['promoted_by']}: {x['reason']}"
    if x["withdrawn_at"]:
        yield f"  withdrawn by {x['withdrawn_by']}: {x['withdrawn_because']}"


async def decide(client: Client, place: str, what: str, reason: str, **body: Any) -> Any:
    """Look, then act on the very version that was seen."""
    version = (await client.get(place))["version"]
    return await client.request(
        "POST",
        f"{place}/{what}",
        accept=(200, 201),
        body=json.dumps({"reason": reason} | body).encode(),
        headers={"If-Match": f'"{version}"'},
    )


def key_of(text: str, prefix: str) -> str:
    """`K-7` and `7` are the same."""
    bare = text.strip().upper().removeprefix(prefix)
    if not bare.isdecimal():
        raise typer.BadParameter(f"{text} is no number like {prefix}7")
    return bare


def _message_lines(found: Json) -> Iterator[str]:
    yield (
        f"message {found['message']}  {found['system']}, channel {found['channel']}, {found['received_at']}, {found['size']} bytes"
    )
    wrong = found["trouble"]
    yield (
        f"  today's mapping: {wrong['path'] or '(the message)'}: {wrong['reason']}"
        if wrong
        else "  today's mapping can read it"
    )
    for x in found["corrections"]:
        yield f"  {_line(x)}"
    if found["hides"]:
        yield "  personal data is hidden (•••): --set needs none of it, --reveal REASON shows it"
    yield found["body"]


def would_lines(found: Json) -> Iterator[str]:
    """What changes, and what would follow."""
    for x in found["changes"]:
        yield f"  {x['path']}: {x['before']} → {x['after']}"
    if found["more"]:
        yield f"  … and {found['more']} more"
    if found["hidden"]:
        yield f"  {found['hidden']} of them personal: not shown"
    for x in found["would"]:
        yield f"  gives {x['thread']}: {x['text']}"


def correction_lines(found: Json) -> Iterator[str]:
    """The record, what it changes, what it gave."""
    yield _line(found)
    yield f"  because: {found['reason']}"
    if found["decided_because"] and found["decided_because"] != found["reason"]:
        yield f"  {found['decided_by']}: {found['decided_because']}"
    yield from would_lines(found)
    if found.get("objection"):
        yield f"  today it would be refused: {found['objection']}"
    if found["state"] == "applied":
        for x in found["promotable"]:
            yield f"  offered as a rule: {x['path']} {x['before']} → {x['after']}, crossdock correct promote {found['name']}"
    if found["state"] == "proposed" and found["needs_second"]:
        yield f"  next: a second person, crossdock correct approve {found['name']} --reason …"


def _line(x: Json) -> str:
    gave = f"; gave {', '.join(x['gave'])}" if x["gave"] else ""
    decided = "" if x["decided_by"] in (None, x["proposed_by"]) else f", {x['state']} by {x['decided_by']}"
    return f"{x['name']}  {x['state']:8}  {x['kind']} {x['target']}  {x['system']}  by {x['proposed_by']}{decided}{gave}"
