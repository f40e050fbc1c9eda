"""What taking another landscape would do to a hub, asked of its database; and what forbids it."""

from collections.abc import Sequence
from typing import Final

import msgspec

from crossdock.landscape import Documents
from crossdock.runtime.hub import Hub
from crossdock.runtime.landscape_diff import Change, concerned, differences, from_start, restarted
from crossdock.runtime.rollover import gone_systems
from crossdock.store import landscapes, subscriptions
from crossdock.store.pool import Connection

THREADS_COUNTED_MAX: Final = 10_000
RULES: Final = ("roles", "policy")


class Departure(msgspec.Struct, frozen=True):
    """A system that goes, or gets another connector. `open_threads` counts up to `THREADS_COUNTED_MAX`."""

    system: str
    open_effects: int
    parked_effects: int
    open_threads: int


class Beginning(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A subscription that is not followed yet, and from where it will be."""

    subscription: str
    from_: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`refused` is empty where it may be applied; `restarts` are roles in their order."""

    version: int
    running: bool
    changes: list[Change]
    systems_come: list[str]
    systems_go: list[Departure]
    rules: list[Change]
    """Roles, policy and routing: they count for what is decided from then on."""
    subscriptions_begin: list[Beginning]
    subscriptions_end: list[str]
    restarts: tuple[str, ...]
    from_next_start: list[Change]
    refused: list[str]


async def plan(connection: Connection, hub: Hub, before: landscapes.Version | None) -> Plan:
    """`hub` is the directory's; `before` is what the hub runs with, None where it never ran."""
    old: Documents = before.documents if before else {}
    changes = differences(old, hub.documents)
    departures = await _departures(connection, gone_systems(old, hub.documents))
    running = await landscapes.supervisors(connection)
    late = from_start(changes) if running else []
    return Plan(
        version=before.number if before else 0, running=running > 0, changes=changes,
        systems_come=gone_systems(hub.documents, old), systems_go=departures,
        rules=[c for c in changes if _is_rule(c)], subscriptions_begin=await _beginnings(connection, hub, old),
        subscriptions_end=sorted(_names(old) - _names(hub.documents)), restarts=restarted(changes),
        from_next_start=late, refused=[*_stranded(departures), *_late(late), *_many(running)],
    )  # fmt: skip


async def _departures(connection: Connection, systems: Sequence[str]) -> list[Departure]:
    left = {x.system: x for x in await landscapes.open_effects(connection, systems)}
    found = []
    for name in systems:
        threads = await landscapes.open_threads(connection, name, THREADS_COUNTED_MAX)
        effects = left.get(name)
        found.append(
            Departure(name, effects.open if effects else 0, effects.parked if effects else 0, threads)
        )
    return found


def _is_rule(change: Change) -> bool:
    return change.file == "routing.yaml" or (
        change.file == "hub.yaml" and change.path.partition(".")[0].partition("[")[0] in RULES
    )


def _names(documents: Documents) -> set[str]:
    return {x["name"] for path, x in documents.items() if path.startswith("subscriptions/")}


async def _beginnings(connection: Connection, hub: Hub, old: Documents) -> list[Beginning]:
    known = await subscriptions.known(connection)
    wanted = hub.landscape.subscriptions
    return [
        Beginning(name, "where it was" if name in known else wanted[name].from_)
        for name in sorted(set(wanted) - _names(old))
    ]


def _stranded(departures: Sequence[Departure]) -> list[str]:
    """Nobody would ever carry these out."""
    remedy = "leave its file as it was, take it out of roles and routing, apply that, and take the file away when nothing is open"
    found = []
    for x in departures:
        if x.open_effects or x.parked_effects:
            what = f"{x.open_effects} effects are open and {x.parked_effects} wait for a person"
            cases = "; settle and retry the cases of the latter" if x.parked_effects else ""
            found.append(f"systems: {x.system} would go while {what} there: {remedy}{cases}")
    return found


def _late(changes: Sequence[Change]) -> list[str]:
    return [
        f"hub.yaml: {c.path} counts from a start only: `crossdock down`, then `crossdock up`; or undo it"
        for c in changes
    ]


def _many(supervisors: int) -> list[str]:
    if supervisors <= 1:
        return []
    remedy = "stop them, put the same directory on each machine, start them"
    return [f"the hub runs under {supervisors} supervisors, and apply leads one: {remedy}"]


def fields_of(role: str, changes: Sequence[Change]) -> list[str]:
    """Which changes make the processes of this role start anew."""
    return [f"{c.file}: {c.path}" if c.path else c.file for c in changes if role in concerned(c)]
