"""`cases`: what needs a person, why, what it blocks; and what people do about it."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="C-12, or 12.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the case's history.")]
PAGES_MAX = 1000
POLICY = (403, 409, 412)
"""What the hub refuses by its rules, not by a fault."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Look at what needs a person, and settle it.", no_args_is_help=True)
    for name, command in (
        ("list", list_), ("show", show), ("assign", assign), ("comment", comment), ("snooze", snooze), ("tag", tag),
        ("watch", watch), ("watched", watched), ("retry", retry), ("resolve", resolve),
    ):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="cases")


def list_(
    hub: HubOption = Path(),
    *,
    owner: Annotated[str, typer.Option(help="Of one role only.")] = "",
    assignee: Annotated[str, typer.Option(help="Of one person only; - for nobody's.")] = "",
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only those that should be settled by now.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Snoozed and closed ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is open, newest first; one line a cause."""
    query = {"owner": owner, "assignee": assignee, "overdue": "1" if overdue else "", "limit": "200"}
    query |= {"case_state": "", "snoozed": "with"} if everything else {"snoozed": "without"}

    async def all_of(client: Client) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            asked = query | {"before": str(rows[-1]["id"] if rows else 0)}
            page = (await client.request("GET", "/v1/cases", query=asked))["cases"]
            rows += page
            if len(page) < int(query["limit"]):
                break
        return rows

    found = _ask(hub, all_of)
    if as_json:
        sys.stdout.write(json.dumps({"cases": found}) + "\n")
        return
    for row in found:
        sys.stdout.write(line(row, datetime.now(UTC)) + "\n")
    if not found:
        note("Nothing needs a person.")


def show(case: CaseArgument, hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """The story of one case: what is wrong, what settles it, what it blocks and what was done."""
    number = _number(case)
    found = _ask(hub, lambda client: client.get(f"/v1/cases/{number}"))
    sys.stdout.write((json.dumps(found) if as_json else "\n".join(told(found, datetime.now(UTC)))) + "\n")


def assign(
    case: CaseArgument,
    hub: HubOption = Path(),
    *,
    to: Annotated[str | None, typer.Option(help="A person; empty for nobody.")] = None,
    owner: Annotated[str | None, typer.Option(help="A role.")] = None,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a case to a person or a role."""
    if to is None and owner is None:
        note("error: --to or --owner")
        raise typer.Exit(2)
    _act(hub, case, "assign", {"assignee": to, "owner": owner, "reason": reason}, as_json)


def comment(
    case: CaseArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    hub: HubOption = Path(),
    *,
    as_json: JsonOption = False,
) -> None:
    """Say something about a case."""
    _act(hub, case, "comment", {"text": text}, as_json)


def snooze(
    case: CaseArgument,
    hub: HubOption = Path(),
    *,
    hours: Annotated[float, typer.Option(help="For so long; 0: it is back at once.", min=0)] = 4.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Leave a case out of the open list for a while; it is back at once when its cause comes again."""
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat() if hours else None
    _act(hub, case, "snooze", {"until": until, "reason": reason}, as_json)


def tag(
    case: CaseArgument,
    hub: HubOption = Path(),
    *,
    add: Annotated[list[str] | None, typer.Option(help="A tag to add; again for more.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to remove; again for more.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add and remove tags."""
    _act(hub, case, "tag", {"add": add or [], "remove": remove or []}, as_json)


def watch(
    case: CaseArgument,
    hub: HubOption = Path(),
    *,
    who: Annotated[
        str, typer.Option(help="A person of policy.telling, or an e-mail address; else oneself.")
    ] = "",
    off: Annotated[bool, typer.Option("--off", help="Watch it no more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Hear of what others, and the hub itself, do with a case."""
    found = _act(hub, case, "watch", {"on": not off, "who": who}, as_json)
    if not off:
        told = (
            f"by mail through {found['told_by']}: {', '.join(found['told'])}"
            if found["told"]
            else "nobody by mail"
        )
        note(f"Told {told}. What happens stands under `crossdock cases watched` and in the console too.")


def watched(
    hub: HubOption = Path(),
    *,
    everything: Annotated[bool, typer.Option("--all", help="What was seen before, too.")] = False,
    seen: Annotated[bool, typer.Option("--seen", help="Say that what is shown has been read.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What happened to the cases that one watches or has, newest first, since the last time it was said to be read."""

    async def asked(client: Client) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await client.get("/v1/cases/watched", limit="200"))["changes"]
        if rows and seen:
            await client.post("/v1/cases/watched/seen", {"up_to": rows[0]["id"]})
        return [row for row in rows if everything or row["fresh"]]

    found = _ask(hub, asked)
    if as_json:
        sys.stdout.write(json.dumps({"changes": found}) + "\n")
        return
    for x in found:
        said = f"{x['action']} {x['note']}".rstrip()
        sys.stdout.write(f"C-{x['number']:<5} {_clock(x['at'])} {x['who']} {said}  ({x['title']})\n")
    if not found:
        note("Nothing new.")


def retry(
    case: CaseArgument,
    hub: HubOption = Path(),
    *,
    posting_on: Annotated[
        str,
        typer.Option(help="Post what was refused on this day, as 2026-12-01, where its period is closed."),
    ] = "",
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Try what a case blocks again: the same effects, which cannot be done twice."""
    number = _number(case)
    body = {"reason": reason} | ({"posting_on": posting_on} if posting_on else {})
    said = _ask(hub, lambda client: client.post(f"/v1/cases/{number}/retry", body))
    more = f", {said['skipped']} cannot be moved by a retry" if said["skipped"] else ""
    sys.stdout.write((json.dumps(said) if as_json else f"C-{number}: {said['retried']} retried{more}") + "\n")
    if said["skipped"]:
        raise typer.Exit(3)


def resolve(
    case: CaseArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Close a case that blocks nothing; one that does says what has to be done (exit 4)."""
    _act(hub, case, "resolve", {"reason": reason}, as_json)


def line(row: dict[str, Any], now: datetime) -> str:
    """One case in one line, what matters first."""
    marks = [
        x for x, so in (("OVERDUE", row["overdue"]), ("snoozed", _later(row["snoozed_until"], now))) if so
    ]
    marks += [row["state"]] if row["state"] != "open" else []
    who = f"{row['owner']}{'/' + row['assignee'] if row['assignee'] else ''}"
    return (
        f"C-{row['id']:<5} {age(row['opened_at'], now):>6}  blocks {row['blocked']:<4} {who}: {row['title']}"
        f"{'  [' + ', '.join(marks) + ']' if marks else ''}"
    )


def told(case: dict[str, Any], now: datetime) -> Iterator[str]:
    """A case as text."""
    who = f"{case['owner']}{', ' + case['assignee'] if case['assignee'] else ', nobody assigned'}"
    yield f"C-{case['number']} {case['title']}"
    yield f"  {case['state']} for {age(case['opened_at'], now)}, {who}. {case['cause']} ({case['class']})"
    if case["detail"]:
        yield f"  {case['detail']}"
    yield f"  What to do: {case['playbook']}"
    if case["state"] == "closed":
        yield f"  Closed because: {case['closed_because']}"
        return
    worth = ", ".join(f"{x['currency']} {x['amount']}" for x in case["value"]["sums"])
    first = f" (of the first {case['value']['of']} orders)" if case["value"]["more"] else ""
    yield f"  Blocks {case['threads']} objects and {case['effects']} effects{', worth ' + worth + first if worth else ''}"
    if case["due_at"]:
        yield f"  {'OVERDUE: it should have been settled by' if case['overdue'] else 'To be settled by'} {_clock(case['due_at'])}"
    if _later(case["snoozed_until"], now):
        yield f"  Snoozed until {_clock(case['snoozed_until'])}"
    if case["opened_before"]:
        yield f"  Opened {case['opened_before']} times before, last {_clock(case['last_opened_at'])}"
    if case["tags"] or case["watchers"]:
        yield f"  Tags: {' '.join(case['tags']) or 'none'}. Watched by: {', '.join(case['watchers']) or 'nobody'}"
    for link in [x for x in case["links"] if not x["closed_at"]][:20]:
        what = f": {link['effect']} {link['reason']}".rstrip() if link["effect"] else ""
        yield f"    {link['thread']}{what}"
    for x in case["history"][:10]:
        yield f"  {_clock(x['at'])} {x['who']} {x['action']} {x['note']}".rstrip()


def age(at: str, now: datetime) -> str:
    """`3 d`, `4 h`, `12 min`."""
    minutes = max(0, int((now - datetime.fromisoformat(at)).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"


def _clock(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _later(at: str | None, now: datetime) -> bool:
    return at is not None and datetime.fromisoformat(at) > now


def _number(case: str) -> int:
    text = case.upper().removeprefix("C-")
    if not text.isdecimal():
        note(f"error: {case} is no case: C-12, say")
        raise typer.Exit(2)
    return int(text)


def _act(hub: Path, case: str, what: str, body: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """On the case as it stands now; returns it as it is then."""
    number = _number(case)

    async def done(client: Client) -> Any:
        seen = await client.get(f"/v1/cases/{number}")
        headers = {"If-Match": f'"C-{number}.{seen["revision"]}"'}
        sent = json.dumps({k: v for k, v in body.items() if v is not None}).encode()
        return await client.request("POST", f"/v1/cases/{number}/{what}", body=sent, headers=headers)

    found: dict[str, Any] = _ask(hub, done)
    said = found["history"][0]
    text = json.dumps(found) if as_json else f"C-{number}: {said['action']} {said['note']}".rstrip()
    sys.stdout.write(text + "\n")
    return found


def _ask(hub: Path, question: Callable[[Client], Awaitable[Any]]) -> Any:
    async def asked() -> Any:
        async with Client(hub) as client:
            return await question(client)

    try:
        return asyncio.run(asked())
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(4 if error.status in POLICY else 1) from None
