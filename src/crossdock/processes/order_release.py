"""Giving an order's work to warehouses, and asking them to stop: one release per node, numbered per order."""

from typing import TypeVar

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.order import LineAllocation, LineShipped, OrderLine
from crossdock.model.quantity import Quantity
from crossdock.processes.intents import Do, Intent, Step
from crossdock.processes.lines import Line, advance
from crossdock.processes.order_lines import Way, moved, published
from crossdock.processes.order_state import Release, State
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace


def object_of(reference: str, number: int) -> str:
    """What a release is called towards the warehouse and in the journal."""
    return f"{reference}~{number}" if number else reference


def number_of(about: str) -> int:
    """The release that a receipt is about."""
    _, mark, number = about.rpartition("~")
    return int(number) if mark and number.isdigit() else 0


def release_reserved(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Release whatever is set aside and given to nobody yet, node by node."""
    fresh = [x for x in state.lines if x.reserved and x.release < 0]
    intents: list[Intent] = []
    lines, releases = list(state.lines), list(state.releases)
    for location in dict.fromkeys(x.location for x in fresh):
        number = max((x.number for x in releases), default=-1) + 1
        warehouse = policy.warehouse_of(location)
        work = _work(state, [x for x in fresh if x.location == location])
        releases.append(Release(number, location, warehouse))
        lines = [replace(x, release=number) if x in fresh and x.location == location else x for x in lines]
        payload = requests.ReleaseOrder(
            state.reference, state.number, location, work, state.service, state.promised_on, state.ship_on, number
        )  # fmt: skip
        intents.append(
            Do(
                "warehouse_order.release", warehouse, object_of(state.reference, number), payload, state.reference, 0,
                state.people, state.subject, 2,
            )
        )  # fmt: skip
    return replace(state, lines=tuple(lines), releases=tuple(releases)), intents


def _work(state: State, shares: list[Line]) -> tuple[OrderLine, ...]:
    """One line of work for each order line and item; goods of several owners for one line are the warehouse's choice."""
    currency = state.total.currency if state.total else ""
    found: dict[tuple[str, str], OrderLine] = {}
    for x in shares:
        line = OrderLine(
            x.line, x.item, Quantity(x.reserved, x.unit), Money(x.price, currency), location=x.location, owner=x.owner
        )  # fmt: skip
        before = found.get((x.line, x.item))
        if before is not None:
            owner = x.owner if before.owner == x.owner else ""
            line = replace(before, ordered=before.ordered + line.ordered, owner=owner)
        found[x.line, x.item] = line
    return tuple(found.values())


def live(state: State) -> list[Release]:
    """Releases that a warehouse may still work on: with something of them neither shipped nor stopped."""
    working = {
        x.release for x in state.lines if x.open + x.reserved + x.allocated + x.picked > 0 and x.release >= 0
    }
    return [x for x in state.releases if x.number in working and x.cancel != "agreed"]


def ask_to_stop(state: State, releases: list[Release], reason: str) -> tuple[State, list[Intent]]:
    """One question to each warehouse; each may refuse."""
    asked = {x.number for x in releases if not x.cancel}
    intents: list[Intent] = [
        Do(
            "warehouse_order.cancel", x.warehouse, object_of(state.reference, x.number),
            requests.CancelRelease(state.reference, x.location, reason, x.number), state.reference, priority=0,
        )
        for x in releases
        if x.number in asked
    ]  # fmt: skip
    marked = tuple(replace(x, cancel="asked") if x.number in asked else x for x in state.releases)
    return replace(state, releases=marked), intents


def taken_off(state: State) -> tuple[State, list[Intent]]:
    """What a warehouse agreed to stop, though the order goes on as it was, waits for stock again."""
    stopped = {x.number for x in state.releases if x.cancel == "agreed"}
    lines = list(state.lines)
    moves: list[Intent] = []
    for place, line in enumerate(lines):
        if line.release not in stopped:
            continue
        back, taken = advance(
            line,
            "backordered",
            line.reserved + line.allocated + line.picked,
            ("reserved", "allocated", "picked"),
        )
        for x in taken:
            lines[place] = replace(back, release=-1)
            way = Way(x.source, "backordered", "available", line.lot, line.location)
            moves += moved(line, x.quantity, way, state.claim)
    return replace(state, lines=tuple(lines)), [*moves, *published(moves)]


def note_answer(state: State, number: int, *, accepted: bool) -> State:
    answer = "agreed" if accepted else "refused"
    return replace(
        state, releases=tuple(replace(x, cancel=answer) if x.number == number else x for x in state.releases)
    )


Named = TypeVar("Named", LineAllocation, LineShipped)


def still_worked_on(state: State, told: tuple[Named, ...]) -> tuple[Named, ...]:
    """Without what a warehouse says of a release that it agreed to stop: late news of work that it takes apart again."""
    stopped = {x.number for x in state.releases if x.cancel == "agreed"}
    return tuple(x for x in told if x.release not in stopped)


def unanswered(state: State) -> bool:
    return any(x.cancel == "asked" for x in state.releases)


def released(state: State, event: Recorded, _policy: Policy) -> Step:
    """A warehouse took its part."""
    number, document = number_of(event.about), event.data.warehouse_order
    releases = tuple(replace(x, document=document) if x.number == number else x for x in state.releases)
    phase = "released" if state.phase == "approved" else state.phase
    first = state.warehouse_order or document
    return Step(replace(state, warehouse_order=first, releases=releases, phase=phase))
