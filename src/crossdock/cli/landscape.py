"""`config diff`, `plan` and `apply`: the landscape directory against what the hub runs with."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import read_status
from crossdock.errors import Conflict, CrossdockError, Misconfigured

if TYPE_CHECKING:
    from crossdock.cli.config import Finding
    from crossdock.cli.routing_cases import Verdict
    from crossdock.runtime.hub import Hub
    from crossdock.runtime.landscape_diff import Change
    from crossdock.runtime.landscape_plan import Plan
    from crossdock.store.pool import Connection

T = TypeVar("T")
REFUSED = 4
TAKEN_SECONDS_MAX = 300.0
"""How long to wait for the supervisor's word; it goes on by itself."""
SHOWN_MAX = 60
"""Characters of a value in a line for people."""


async def with_landscape(folder: Path, work: "Callable[[Connection, Hub], Awaitable[T]]") -> T:
    """With the database the hub runs on, wherever the directory's `database_url` leads by now."""
    import asyncpg

    from crossdock.runtime.hub import load_hub
    from crossdock.store.pool import LOST, connect

    loaded, status = load_hub(folder), read_status(folder)
    if status is None and not loaded.settings.database_url:
        raise Conflict(f"no hub runs in {folder}: `crossdock up --hub {folder}` starts with this directory")
    try:
        connection = await connect(str(status["dsn"]) if status else loaded.dsn)
    except LOST as error:
        raise Conflict(f"the hub's database does not answer: {error}") from None
    try:
        return await work(connection, loaded)
    except asyncpg.UndefinedTableError:
        raise Misconfigured(
            "database", "its schema is older than this release: `crossdock migrate up`"
        ) from None
    finally:
        await connection.close()


def diff(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """What differs between the directory and what the hub runs with. Exit 0 nothing, 1 something, 2 trouble."""
    import msgspec

    from crossdock.runtime.landscape_diff import differences
    from crossdock.store import landscapes

    async def work(connection: "Connection", loaded: "Hub") -> "tuple[int, list[Change]]":
        running = await landscapes.current(connection)
        if running is None:
            return 0, differences({}, loaded.documents)
        return running.number, differences(running.documents, loaded.documents)

    try:
        number, changes = asyncio.run(with_landscape(hub, work))
    except CrossdockError as error:
        note(f"crossdock: {error}")
        raise typer.Exit(2) from None
    if as_json:
        told = {"version": number, "equal": not changes, "changes": msgspec.to_builtins(changes)}
        sys.stdout.write(json.dumps(told) + "\n")
    for change in () if as_json else changes:
        sys.stdout.write(_line(change) + "\n")
    if not changes and not as_json:
        note(f"The hub runs with what stands in {hub} (landscape {number}).")
    if changes:
        raise typer.Exit(1)


def _line(change: "Change") -> str:
    if not change.path:
        return f"{change.file}: {'new' if change.old is None else 'taken away'}"
    return f"{change.file}: {change.path}: {_value(change.old)} → {_value(change.new)}"


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def plan(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Check the directory, and say what applying it would do. Exit 1 where it is wrong, 4 where it is refused."""
    found = _checked(hub, as_json)
    made = asyncio.run(with_landscape(hub, _plan))
    if as_json:
        _say_json(found, made)
    else:
        _tell(found, made)
        if made.changes and not made.refused:
            note(f"Nothing was changed. Next: crossdock config apply --hub {hub}")
    if made.refused:
        raise typer.Exit(REFUSED)


async def _plan(connection: "Connection", loaded: "Hub") -> "Plan":
    from crossdock.runtime import landscape_plan
    from crossdock.store import landscapes

    return await landscape_plan.plan(connection, loaded, await landscapes.current(connection))


Checked = tuple["list[Finding]", "list[Verdict]"]


def _checked(folder: Path, as_json: bool) -> Checked:
    """`config lint` and `config test`; ends where either finds something wrong."""
    from crossdock.cli import routing_cases
    from crossdock.cli.config import problems

    findings = list(problems(folder))
    wrong = [x for x in findings if x.level == "error"]
    verdicts = [] if wrong else list(routing_cases.run(folder))
    failed = [x for x in verdicts if not x.ok]
    if not wrong and not failed:
        return findings, verdicts
    if as_json:
        _say_json((findings, verdicts), None)
    for x in () if as_json else wrong:
        sys.stdout.write(f"{x.level}: {x.place}: {x.problem}\n    {x.remedy}\n")
    for case in () if as_json else failed:
        sys.stdout.write(f"FAILED: {case.file}: {case.name}\n    {'; '.join(case.differences)}\n")
    if not as_json:
        note("Nothing was changed.")
    raise typer.Exit(1)


def _say_json(found: Checked, made: "Plan | None", **more: object) -> None:
    import msgspec

    findings, verdicts = found
    told = {
        "ok": made is not None and not made.refused, "findings": [asdict(x) for x in findings],
        "cases": [asdict(x) for x in verdicts], "plan": msgspec.to_builtins(made), **more,
    }  # fmt: skip
    sys.stdout.write(json.dumps(told) + "\n")


def _tell(found: Checked, made: "Plan") -> None:
    findings, verdicts = found
    for x in findings:
        sys.stdout.write(f"{x.level}: {x.place}: {x.problem}\n    {x.remedy}\n")
    if verdicts:
        sys.stdout.write(f"{len(verdicts)} routing cases are answered as they should be.\n")
    if not made.changes:
        sys.stdout.write("Nothing differs from what the hub runs with.\n")
    for line in _effects(made):
        sys.stdout.write(line + "\n")
    for reason in made.refused:
        sys.stdout.write(f"refused: {reason}\n")


def _effects(made: "Plan") -> Iterator[str]:
    from crossdock.runtime.landscape_plan import THREADS_COUNTED_MAX, fields_of

    for name in made.systems_come:
        yield f"system {name} comes"
    for x in made.systems_go:
        threads = f"{x.open_threads}{' or more' if x.open_threads >= THREADS_COUNTED_MAX else ''}"
        yield (
            f"system {x.system} goes: {x.open_effects} effects open, {x.parked_effects} parked; {threads} objects"
            " under way have to do with it, and what they want there from then on is refused and becomes a case"
        )
    for change in made.rules:
        yield f"rule {_line(change)}"
    if made.rules:
        yield "    Rules count for what is decided from then on; orders keep the ERP and nodes they were given."
    for begun in made.subscriptions_begin:
        yield f"subscription {begun.subscription} begins: from {begun.from_}"
    for name in made.subscriptions_end:
        yield f"subscription {name} ends; its place is kept"
    for role in made.restarts if made.running else ():
        fields = fields_of(role, made.changes)
        more = f" and {len(fields) - 3} more" if len(fields) > 3 else ""
        yield f"{role} starts anew, for {', '.join(fields[:3])}{more}"


def apply(
    hub: HubOption = Path(),
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "",
    *,
    as_json: JsonOption = False,
) -> None:
    """Check and plan as `config plan` does, record the landscape, and have the running hub take it."""
    found = _checked(hub, as_json)

    async def work(connection: "Connection", loaded: "Hub") -> "tuple[Plan, int, str]":
        made = await _plan(connection, loaded)
        if made.refused or not made.changes:
            return made, made.version, ""
        number = await _record(connection, loaded, made, reason)
        return made, number, await _taken(connection, number, made.running)

    made, number, failure = asyncio.run(with_landscape(hub, work))
    if as_json:
        _say_json(found, made, applied=_applied(made, failure), landscape=number, failure=failure)
    else:
        _tell(found, made)
        _say(hub, made, number, failure)
    if made.refused:
        raise typer.Exit(REFUSED)
    if failure:
        raise typer.Exit(1)


def _applied(made: "Plan", failure: str) -> bool:
    return bool(made.changes) and not made.refused and not failure


async def _record(connection: "Connection", loaded: "Hub", made: "Plan", reason: str) -> int:
    from crossdock.store import access, landscapes

    who = "command line"
    async with connection.transaction():
        if not made.running and (stale := await landscapes.asked(connection)):
            await landscapes.fail(connection, stale.number, "its supervisor ended before it was taken")
        number = await landscapes.ask(connection, loaded.documents, who, reason)
        fields = [f"{c.file}: {c.path}" if c.path else c.file for c in made.changes]
        await access.note_action(
            connection, who, "config apply", f"landscape {number}", reason, changed=fields
        )
    return number


async def _taken(connection: "Connection", number: int, running: bool) -> str:
    """Wait for the supervisor's word; why it was not taken, or empty. Where none runs, the record is all."""
    from crossdock.store import landscapes
    from crossdock.store.pool import LOST

    if not running:
        await landscapes.settle(connection, number)
        return ""
    try:
        async with asyncio.timeout(TAKEN_SECONDS_MAX):
            while True:
                state, because = await landscapes.outcome(connection, number)
                if state != "asked":
                    return because or ""
                await asyncio.sleep(0.2)
    except LOST as error:
        why = str(error) or f"no word within {TAKEN_SECONDS_MAX:g} s"
        return f"the supervisor's word did not come ({why}): `crossdock config diff` says how it ended"


def _say(folder: Path, made: "Plan", number: int, failure: str) -> None:
    if made.refused:
        note("Nothing was changed.")
    elif failure:
        note(f"Landscape {number} was not taken: {failure}")
        note(f"The hub runs with landscape {made.version}. {folder} still holds the other: correct or undo it, or the next `crossdock up` starts with it.")  # fmt: skip
    elif made.changes and made.running:
        note(f"The hub runs with landscape {number}.")
    elif made.changes:
        note(f"Landscape {number} is recorded; no supervisor runs. Next: crossdock up --hub {folder}")
