"""What the ERP says of an order before it goes on: credit, availability, prices, and items that it does not know."""

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.master import MasterDataAwaited
from crossdock.model.money import Money
from crossdock.model.order import LineCheck, OrderChecked
from crossdock.model.thread import identifier_thread
from crossdock.processes import order_cancel, order_release
from crossdock.processes.intents import Do, Intent, OpenCase, SetTimer, Step, Tell
from crossdock.processes.order_state import State, as_ordered, erp_of, gone, node_of
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace
CAUSES = {"credit": "credit", "price": "price", "item": "master data", "stock": "stock"}
"""The business cause of each hold that is checked again by itself."""


def ask(state: State, policy: Policy) -> tuple[State, tuple[Intent, ...]]:
    generation = state.checks
    payload = requests.CheckOrder(
        state.reference, as_ordered(state), node_of(state, policy), state.destination
    )
    do = Do(
        "order.check",
        erp_of(state, policy),
        order_release.object_of(state.reference, generation),
        payload,
        state.reference,
        generation,
        priority=1,
    )
    return replace(state, checks=generation + 1), (do,)


def not_asked_any_more(state: State, event: Recorded) -> bool:
    """An answer to an earlier question: the order was other then."""
    return bool(event.about) and order_release.number_of(event.about) != state.checks - 1


def refusal(state: State, answer: OrderChecked, policy: Policy) -> Step | None:
    """What the ERP has against the order: a rejection or a hold."""
    erp = erp_of(state, policy)
    unknown = [line.line for line in answer.lines if not line.known_item]
    if unknown:
        items = ", ".join(sorted({x.item for x in state.lines if x.line in unknown}))
        reason = f"item {items} is unknown to {erp}"
        if policy.unknown_item == "reject" and not gone(state):
            return order_cancel.reject(state, reason, policy)
        held = hold(state, "item", reason, policy)
        return Step(held.state, (*held.intents, *_await(state, unknown)))
    if answer.credit == "blocked":
        return hold(state, "credit", f"credit refused by {erp}", policy)
    differing = _price_difference(state, answer, policy)
    if differing:
        return hold(state, "price", differing, policy)
    short = _unconfirmed(state, answer.lines)
    if short:
        return hold(state, "stock", f"{erp} cannot confirm {', '.join(short)}", policy)
    return None


def _await(state: State, lines: list[str]) -> tuple[Intent, ...]:
    """Ask for the records of these lines, under our code and under the channel's."""
    items = dict.fromkeys(x.item for x in state.lines if x.line in lines)
    thread = f"order/{state.reference}"
    return tuple(
        Tell(home, MasterDataAwaited(thread, x))
        for x in items
        for home in (f"item/{x}", identifier_thread("item-code", state.channel, x))
    )


def _unconfirmed(state: State, checks: tuple[LineCheck, ...]) -> list[str]:
    confirmed = {line.line: line.confirmed.value for line in checks}
    wanted = as_ordered(state)
    return [x.item for x in wanted if confirmed.get(x.line, x.ordered.value) < x.ordered.value]


def checked_beside(state: State, event: Recorded, policy: Policy) -> Step:
    if policy.erp_check != "beside":
        return Step(state, (), "stale")
    state = replace(state, checked=True)
    if event.data.credit != "blocked" and all(x.known_item for x in event.data.lines):
        return Step(state)
    erp = erp_of(state, policy)
    case = OpenCase(
        f"late-check/{erp}/{state.reference}", "value", "credit",
        f"{erp} refused order {state.number} after it went to the warehouse",
        "Cancel the order to stop it, or let it go on; checks run beside the work by policy.", "finance", "late check",
    )  # fmt: skip
    return Step(state, (case,))


def _price_difference(state: State, answer: OrderChecked, policy: Policy) -> str:
    prices = {line.line: line.net_price for line in answer.lines}
    for x in as_ordered(state):
        net = prices.get(x.line)
        if net is None or net.amount == 0:
            continue
        sold = Money(x.unit_price.amount * x.ordered.value, net.currency)
        if abs(sold.amount - net.amount) > policy.price_tolerance * net.amount:
            return f"line {x.line} ({x.item}) was sold for {sold}, {erp_of(state, policy)} says {net}"
    return ""


def hold(state: State, why: str, reason: str, policy: Policy) -> Step:
    held = replace(state, phase="held", hold=why)
    erp = erp_of(state, policy)
    intents: list[Intent] = []
    if state.checks + state.claims <= policy.rechecks_max:
        intents.append(SetTimer("recheck", policy.recheck_seconds))
    owner = {"credit": "finance", "price": "finance", "item": "master data"}.get(why, "operations")
    title, remedy = {
        "credit": (f"Credit refused by {erp}", f"Release the credit in {erp}, or cancel."),
        "price": (reason[:1].upper() + reason[1:], "Correct the price that is wrong, or cancel."),
        "item": (reason[:1].upper() + reason[1:], f"Create the item in {erp}, or cancel."),
        "stock": ("Not enough stock to promise the order", "Receive or correct stock, or cancel."),
    }[why]  # fmt: skip
    # One case a cause: orders held for the same credit or stock share it, a price differs in its own way.
    key = reason if why in ("item", "price") else why
    detail = f"{remedy} What is held is checked again by itself, and at once when the case is retried."
    intents.append(OpenCase(f"hold/{erp}/{key}", "value", CAUSES[why], title, detail, owner, "hold"))
    return Step(held, tuple(intents))
