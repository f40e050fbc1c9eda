"""The customer changed the order: what follows depends on how far its goods are."""

from hashlib import blake2b

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.order import OrderReceived
from crossdock.processes import order_recall
from crossdock.processes.intents import ClearTimer, CloseCase, Intent, OpenCase, Step
from crossdock.processes.lines import Line
from crossdock.processes.order_cancel import stop_lines, unasked
from crossdock.processes.order_parts import roll_up
from crossdock.processes.order_release import ask_to_stop, live, taken_off, unanswered
from crossdock.processes.order_ship import notify
from crossdock.processes.order_state import BEFORE_RELEASE, CLOSED, Change, State
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace


def fingerprint(order: OrderReceived) -> str:
    """Of what is wanted and where it goes; equal for every repetition of one version."""
    text = "|".join(f"{x.line}:{x.item}:{x.ordered}:{x.unit_price}" for x in order.lines)
    place = f"{order.destination.country}/{order.destination.region}/{order.service}/{order.people_mark}"
    return blake2b(f"{text}#{place}".encode(), digest_size=12).hexdigest()


def lines_of(order: OrderReceived | Change) -> tuple[Line, ...]:
    return tuple(
        Line(x.line, x.item, x.ordered.unit, x.unit_price.amount, x.ordered.value, x.ordered.value)
        for x in order.lines
    )


def changed(state: State, event: Recorded, policy: Policy) -> Step:
    """Another version of an order that we have. An older one that comes late changes nothing."""
    order: OrderReceived = event.data
    if state.sequence is not None and event.sequence is not None and event.sequence < state.sequence:
        return Step(state, (), "stale")
    if state.phase in CLOSED or state.cancel:
        return Step(state, (), "stale")
    if event.sequence is not None and event.sequence == state.sequence:
        return Step(state, (_two_bodies(state),), "stale")
    change = Change(
        order.lines, order.total, order.destination, order.service, order.promised_on, event.sealed, event.subject,
        order.people_mark,
    )  # fmt: skip
    state = replace(state, sequence=event.sequence, content=fingerprint(order))
    if state.phase in ("claiming", "changing"):
        # what it gets by the ledger's answer must not be let go in between
        return Step(replace(state, change=change))
    if state.phase in BEFORE_RELEASE:
        return begin_again(state, change, policy)
    if state.parts or state.phase not in ("approved", "released"):
        return Step(state, (_too_late(state),))
    state, asked = ask_to_stop(state, live(state), "the customer changed the order")
    if not unanswered(state):
        return Step(state, (_too_late(state),))
    return Step(replace(state, phase="changing", change=change), tuple(asked))


def _too_late(state: State) -> OpenCase:
    return OpenCase(
        f"order-changed/{state.reference}", "value", "order change",
        f"Order {state.number} was changed in {state.channel} too late to follow",
        "The earlier version is being fulfilled. Settle the difference with the customer: a second order, or a return.",
        "customer service", "changed",
    )  # fmt: skip


def _two_bodies(state: State) -> OpenCase:
    return OpenCase(
        f"order-changed/{state.reference}", "value", "order change",
        f"Order {state.number} came from {state.channel} twice with different content and one time of change",
        "The first is being fulfilled, since nothing tells which is newer. Have the order saved again in the channel, or"
        " settle the difference with the customer.",
        "customer service", "changed",
    )  # fmt: skip


def stopped(state: State, policy: Policy, reason: str) -> Step:
    """A warehouse answered. Once all did, the new version begins, or the old one goes on."""
    if unanswered(state) or state.change is None:
        return Step(state)
    if any(x.cancel == "refused" for x in state.releases if x.cancel):
        return _kept(replace(state, change=None, phase="released"), policy)
    step = begin_again(state, state.change, policy)
    return Step(step.state, (*step.intents, *notify(state, "changed", policy)))


def _kept(state: State, policy: Policy) -> Step:
    """Somebody could not stop: the order goes on as it was, and what others stopped is claimed and released again."""
    from crossdock.processes.order_trouble import claim_backorders

    case = _too_late(state)
    state, moves = taken_off(state)
    if not any(x.backordered for x in state.lines):
        return Step(roll_up(state), (case,))
    step = claim_backorders(state, policy)
    assert isinstance(step.state, State)
    return Step(roll_up(step.state), (*moves, case, *step.intents))


def begin_again(state: State, change: Change, policy: Policy) -> Step:
    """Give back what was set aside, take the new version, and ask for everything anew."""
    from crossdock.processes.order import begin, route

    state, moves = stop_lines(state, policy)
    before: list[Intent] = [*moves, *order_recall.over(state)]
    if state.checks and state.phase == "checking":
        before.append(unasked(state))
    if state.hold:
        before += [ClearTimer("recheck"), CloseCase("hold", "the order was changed")]
    if "address" in state.holds and change.destination.country:
        before.append(CloseCase("hold/address", "the order was changed"))
    holds = tuple(x for x in state.holds if x != "address")
    left = tuple(x for x in state.parts if x.shipped_at)  # what else was packed is taken apart
    fresh = replace(
        state, phase="checking", lines=lines_of(change), total=change.total, destination=change.destination,
        service=change.service, promised_on=change.promised_on, people=change.people, subject=change.subject,
        people_mark=change.people_mark, change=None, hold="", holds=holds, claim="", checked=False, allocated=False, parts=left,
    )  # fmt: skip
    fresh = route(fresh, policy)
    step = begin(fresh, policy.of(fresh.company))
    return Step(step.state, (*before, *step.intents))
