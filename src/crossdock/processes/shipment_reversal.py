"""A person wants the goods issues of a shipment reversed: alone or with a second person, and whether it left at all.

A departure that was told and did not happen is taken back: the boxes are in the house, the freight is accrued no more, and
whatever departs later is a departure of its own.
"""

from datetime import datetime
from typing import Final

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.shipment import GoodsIssueReversalRequested
from crossdock.processes import freight, gates, serial
from crossdock.processes.intents import Do, Intent, Step, Tell, Withdraw
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import RANK, Reversal, State, by_order, may_leave

replace = msgspec.structs.replace
PERSON: Final = "operator/"
"""Begins the source of what a person did through the API; the rest names the key. Nobody else may use it."""


def obstacle(state: State, *, never_left: bool) -> str:
    """Why nothing can be reversed; empty where it can."""
    if state.departed_at is None:
        return "it has not left, so no goods issue of it can stand"
    if not may_leave(state):
        return "its orders have not heard yet that it left"
    moved = any(RANK[x.milestone] > RANK["created"] for x in state.tracks)
    if never_left and (moved or state.delivered_at is not None or state.undeliverable):
        return "its carrier has scanned it on its way: it left"
    return ""


def needs_second(state: State, key: str, by: str, policy: Policy) -> bool:
    """Whether the wish of this person still needs another's."""
    return bool(gates.CONFIRM.lacks(state, (key, by), policy))


def differs(state: State, data: GoodsIssueReversalRequested) -> bool:
    """Another wish than the one that waits for a second person."""
    first = state.reversal
    return first is not None and (first.never_left, first.posting_on) != (data.never_left, data.posting_on)


def requested(state: State, event: Recorded, policy: Policy) -> Step:
    """Asked, or confirmed by a second person; the orders hear of it then. Another wish takes the place of the first."""
    data: GoodsIssueReversalRequested = event.data
    if not event.source.startswith(PERSON):
        return Step(state, (), "ignored")
    if obstacle(state, never_left=data.never_left):
        return Step(state, (), "stale")
    wish = Reversal(
        data.by, event.source, data.reason, data.never_left, data.posting_on, event.occurred_at
    )  # fmt: skip
    if differs(state, data):
        return Step(replace(state, reversal=wish))
    if needs_second(state, event.source, data.by, policy):
        same = state.reversal is not None
        return Step(state if same else replace(state, reversal=wish), (), "duplicate" if same else "applied")
    first = state.reversal or wish
    state = replace(state, reversal=None)
    told = [
        Tell(
            f"order/{order}",
            GoodsIssueReversalRequested(
                first.by, first.reason, first.never_left, first.posting_on, state.shipment, lines
            ),
        )
        for order, lines in by_order(state.packages).items()
    ]
    if not first.never_left:
        return Step(state, tuple(told))
    state, more = _taken_back(state, event.occurred_at, policy)
    return Step(state, (*told, *more))


def _taken_back(state: State, at: datetime, policy: Policy) -> tuple[State, list[Intent]]:
    thread = f"shipment/{state.shipment}"
    packed = serial.tell_packed(state.packages, "packed", state.location, thread)
    unwanted = Withdraw(
        "freight.accrue", freight.accrual_of(state), state.taken_back, "the shipment never left"
    )
    before = state
    state = replace(
        state, departed_at=None, taken_back=state.taken_back + 1, taken_back_at=state.departed_at, accrual=""
    )  # fmt: skip
    if before.accrual:
        return state, [*packed, *reverse_accrual(before, before.taken_back, before.accrual, at, policy)]
    return state, [*packed, unwanted]


def reverse_accrual(state: State, number: int, accrual: str, at: datetime, policy: Policy) -> list[Intent]:
    """Nobody carried it, so nobody bills it: the accrual of that departure comes off again, all of it."""
    if state.freight is None:
        return []
    off = Money(-state.freight.amount, state.freight.currency)
    name = f"never-left/{number}"
    payload = requests.AdjustFreight(
        state.shipment, state.carrier, name, accrual, off, policy.day_at(state.location, at),
        freight.shares(off, state.packages),
    )  # fmt: skip
    erp = policy.erp_of_node(state.location)
    return [Do("freight.adjust", erp, f"{state.shipment}/{name}", payload, state.shipment)]


def late_accrual(state: State, event: Recorded, policy: Policy) -> list[Intent]:
    """What follows from the accrual of a departure that was taken back meanwhile; nothing, where it counts."""
    number = freight.departure_of(state, event.about)
    if number >= state.taken_back:
        return []
    return reverse_accrual(state, number, event.data.document, event.occurred_at, policy)


def repeated(state: State, event: Recorded) -> bool:
    """Whether a departure is the one that was taken back, told again."""
    return state.taken_back_at is not None and event.occurred_at <= state.taken_back_at
