"""Business words: one sentence for every event type, every effect kind and every outcome of a try.

`tests/unit/test_words.py` fails when the registry knows a type or kind that has no words here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crossdock.model.localtime import instant_of

Say = Callable[[str, Any], str]
"""(who says it, the event's data) → a sentence without a full stop."""


def _listed(numbers: tuple[str, ...]) -> str:
    return ", ".join(numbers) if len(numbers) <= 3 else f"{numbers[0]} and {len(numbers) - 1} more"


def counted(number: int, thing: str) -> str:
    """`3 lines`, `1 line`, `2 boxes`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}{'es' if thing.endswith('x') else 's'}"


def plain_number(reference: str) -> str:
    """`wms-1/S-77` → "S-77": the number as the people who gave it say it."""
    return reference.rpartition("/")[2]


_MILESTONES: Final = {
    "created": "knows the parcel", "picked_up": "picked the parcel up", "in_transit": "has the parcel in transit",
    "arrived": "has the parcel at a depot", "out_for_delivery": "has the parcel out for delivery",
    "available_for_pickup": "holds the parcel for pick-up", "delivered": "delivered the parcel",
    "attempt_failed": "could not deliver the parcel, will try again", "delayed": "reports a delay",
    "on_hold": "holds the parcel", "exception": "reports an exception", "returning": "is returning the parcel",
    "returned": "returned the parcel", "lost": "lost the parcel", "cancelled": "cancelled the parcel", "unknown": "sent a scan we do not know",
}  # fmt: skip


def _scan(who: str, data: Any) -> str:
    where = f" in {data.location}" if data.location else ""
    why = f": {data.reason}" if data.reason else ""
    guess = {"EST": " (estimate)", "PLN": " (plan)"}.get(data.classifier, "")
    return f"{data.carrier.upper() or who} {_MILESTONES[data.milestone]}{where}{why}{guess}{_clock(data)}"


def _clock(data: Any) -> str:
    """What a time without a zone leaves open; nothing where it names its zone, or the place makes it sure."""
    if data.at is not None or not data.local_at:
        return ""
    found = instant_of(data.local_at, data.location)
    if found is None:
        return f" ({data.local_at} by a clock whose zone is not known)"
    return f" ({found.doubt})" if found.doubt else ""


_SERIAL: Final = {
    "received": "was received at", "found": "was found at", "returned": "came back to", "packed": "was packed at",
    "unpacked": "was taken out of its box at", "sent": "left for another site from", "shipped": "left", "gone": "is gone from",
}  # fmt: skip


def _serial_moved(_who: str, data: Any) -> str:
    box = f" in {data.sscc}" if data.sscc else ""
    order = f", order {data.order}" if data.order else ""
    return f"Serial {data.serial} of {data.item} {_SERIAL[data.did]} {data.location}{box}{order}"


def _checked(who: str, data: Any) -> str:
    unknown = [line.line for line in data.lines if not line.known_item]
    if unknown:
        return f"{who} does not know the item of {counted(len(unknown), 'line')}"
    return {
        "ok": f"{who} confirmed credit, stock and price", "blocked": f"{who} refused credit",
        "not_checked": f"{who} confirmed stock and price, credit was not checked",
    }[data.credit]  # fmt: skip


def _missing(_: str, data: Any) -> str:
    missing = ", ".join(f"{x.quantity} of {x.place.item}" for x in data.missing)
    return f"Stock could not be reserved: {missing} missing{_took(data)}"


CHECKOUTS: Final = {
    "taken": "taken over", "kept": "kept for the order until it can be served whole", "unknown": "not taken over: nobody asked for it",
    "other_channel": "not taken over: no order of this channel may", "other_order": "not taken over: another order named it first",
}  # fmt: skip
"""What became of the checkout's claim that an order names, in words; one that had ended says its state."""


def _took(data: Any) -> str:
    if data.took is None:
        return ""
    return f"; claim {data.took.claim} of its checkout: {checkout_said(data.took.outcome, data.took.state)}"


def checkout_said(outcome: str, state: str = "") -> str:
    return CHECKOUTS.get(outcome) or f"not taken over: it was {spoken(state) or 'over'} by then"


def _adjusted(who: str, data: Any) -> str:
    sign = "+" if data.change.value > 0 else ""
    return f"{who} adjusted {data.place.item} at {data.place.location} by {sign}{data.change}: {data.reason}"


def _labelled(who: str, data: Any) -> str:
    cost = f", freight about {data.freight}" if data.freight else ""
    return f"{who} made the label {_listed(tuple(x.tracking for x in data.packages))}{cost}"


def _returned(data: Any) -> str:
    """A shop may name the order's line only; which item that is, the order says."""
    return ", ".join(f"{x.quantity} of {x.item}" if x.item else f"{x.quantity}" for x in data.lines)


def _line_quantities(data: Any) -> str:
    return _quantities(data.lines) or "nothing"


def _received_lines(who: str, data: Any) -> str:
    bad = [x for x in data.lines if x.condition != "good"]
    said = {"damaged": "damaged", "quarantine": "put aside"}
    notes = ", ".join(f"{x.quantity} {said[x.condition]}" for x in bad)
    docked = ", on the dock" if any(x.on_dock for x in data.lines) else ""
    return (
        f"{who} received {_line_quantities(data)} at {data.location}{docked}{f' ({notes})' if notes else ''}"
    )


def _issued(who: str, data: Any) -> str:
    return f"{who} posted goods issue {data.document}{f', delivery {data.delivery}' if data.delivery else ''}"


_OUTCOMES: Final = {"lost": "is lost", "found": "was found", "surplus": "is kept"}


def _settled(who: str, data: Any) -> str:
    listed = _listed(tuple(f"{x.quantity} of line {x.line}" for x in data.lines))
    return f"{data.by or who} settled it: {listed} {_OUTCOMES[data.outcome]}{_because(data.reason)}"


_DISPOSITIONS: Final = {
    "restock": "back for sale", "refurbish": "to be repaired", "vendor": "back to the supplier", "scrap": "destroyed",
}  # fmt: skip


def _judged(who: str, data: Any) -> str:
    said = ", ".join(
        f"{x.quantity} of {x.item} {_DISPOSITIONS[x.disposition]}{_because(x.reason)}" for x in data.lines
    )
    return f"{who} judged what came back: {said}"


def _decided(data: Any) -> str:
    asked = f", as {data.asked_by} asked" if data.asked_by else ""
    return {
        "posted": f"{data.by} found that {data.account} did it: document {data.document}",
        "sent again": f"{data.by} had {data.account} asked once more to {ask(data.kind)}{asked}",
        "given up": f"{data.by} gave up asking {data.account} to {ask(data.kind)}",
    }[data.decision] + _because(data.reason)


def _gave(threads: tuple[str, ...]) -> str:
    """`; it gave order shopify-eu/1042`."""
    return f"; it gave {_listed(tuple(x.replace('/', ' ', 1) for x in threads))}" if threads else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _quantities(lines: tuple[Any, ...]) -> str:
    return _listed(tuple(f"{x.quantity} of {x.item}" for x in lines))


_TIMERS: Final = {
    "recheck": "a held order is checked again",
    "backorder": "what is backordered is put to the stock ledger again",
    "parent": "an event waited for the one before it",
    "transit": "a transfer has not arrived",
}


EVENTS: Final[dict[str, Say]] = {
    "order.received.v1": lambda who, d: (
        f"{who} placed order {d.number}: {counted(len(d.lines), 'line')}, {d.total}"
    ),
    "order.cancelRequested.v1": lambda who, d: f"{who} asked to cancel the order{_because(d.reason)}",
    "order.checked.v1": _checked,
    "order.creditReleased.v1": lambda who, d: f"{d.by or who} asked to check the order again",
    "order.released.v1": lambda who, d: f"{who} took the order{_tasks(d.tasks)}",
    "order.allocated.v1": lambda who, d: f"{who} allocated {counted(len(d.lines), 'line')}",
    "order.cancellationAnswered.v1": lambda who, d: (
        f"{who} stopped the order" if d.accepted else f"{who} could not stop the order{_because(d.reason)}"
    ),
    "order.packed.v1": lambda _, d: (
        f"{counted(len(d.lines), 'line')} packed in shipment {plain_number(d.shipment)}"
    ),
    "order.shortPicked.v1": lambda who, d: (
        f"{who} could not find {_quantities(d.lines)} at {d.location}{_because(d.reason)}"
    ),
    "order.unpacked.v1": lambda _, d: (
        f"{counted(len(d.lines), 'line')} taken out of shipment {plain_number(d.shipment)} again{_because(d.reason)}"
    ),
    "order.undeliverable.v1": lambda _, d: (
        f"Shipment {plain_number(d.shipment)} was {d.outcome}: {_quantities(d.lines)} did not reach the customer"
    ),
    "order.held.v1": lambda who, d: f"{d.by or who} held the order ({d.hold}): {d.reason}",
    "order.holdReleased.v1": lambda who, d: f"{d.by or who} released the hold: {d.hold}",
    "order.shipped.v1": lambda _, d: (
        f"{counted(len(d.lines), 'line')} left with shipment {plain_number(d.shipment)}"
    ),
    "order.shippedElsewhere.v1": lambda who, d: f"{who} shipped {_line_quantities(d)} from its own warehouse",
    "order.delivered.v1": lambda _, d: (
        f"Shipment {plain_number(d.shipment)} was delivered{' in part' if d.partial else ''}"
    ),
    "salesOrder.posted.v1": lambda who, d: f"{who} created sales order {d.document}",
    "salesOrder.changed.v1": lambda who, d: f"{who} changed sales order {d.document} to what is fulfilled",
    "salesOrder.cancelled.v1": lambda who, d: f"{who} cancelled sales order {d.document}",
    "reservation.updated.v1": lambda who, d: f"{who} updated the reservation of {d.document}",
    "fulfilment.created.v1": lambda who, d: f"{who} shows the order as shipped, {d.document}",
    "fulfilment.cancelled.v1": lambda who, _: f"{who} shows the order as cancelled",
    "invoice.released.v1": lambda who, d: f"{who} released invoice {d.document}",
    "shipment.packed.v1": lambda who, d: (
        f"{who} packed shipment {d.shipment}: {counted(len(d.packages), 'package')}"
    ),
    "shipment.departed.v1": lambda who, d: f"{who} confirmed that shipment {d.shipment} left {d.location}",
    "shipment.cancelled.v1": lambda who, d: f"{who} took shipment {d.shipment} apart{_because(d.reason)}",
    "shipment.milestoneReached.v1": _scan,
    "shipment.milestoneRecorded.v1": lambda who, d: (
        f"{who} recorded that the parcel is {spoken(d.milestone)}"
    ),
    "label.generated.v1": _labelled,
    "label.attached.v1": lambda who, d: f"{who} has the label of shipment {plain_number(d.shipment)}",
    "label.voided.v1": lambda who, d: f"{who} voided the label {d.shipment_id}",
    "label.reprintRequested.v1": lambda _, d: f"{d.by} asked for a new label{_because(d.reason)}",
    "load.tendered.v1": lambda who, d: f"{who} took load {d.load} and asks carriers",
    "load.accepted.v1": lambda _, d: (
        f"{d.carrier} accepted load {d.load} as {d.pro}{f', freight about {d.freight}' if d.freight else ''}"
    ),
    "load.declined.v1": lambda _, d: (
        f"{d.carrier} declined load {d.load}{_because(d.reason)}{'; nobody is left to ask' if d.exhausted else ''}"
    ),
    "load.cancelled.v1": lambda who, d: f"{who} cancelled load {d.load}",
    "tracking.subscribed.v1": lambda who, d: f"{who} will report scans of {_listed(d.tracking)}",
    "goodsIssue.posted.v1": _issued,
    "goodsIssue.reversalRequested.v1": lambda who, d: (
        f"{d.by or who} asked to reverse the goods issue{', since it never left' if d.never_left else ''}{_because(d.reason)}"
    ),
    "goodsIssue.reversed.v1": lambda who, d: (
        f"{who} reversed goods issue{' ' + d.reverses if d.reverses else ''}, document {d.document}"
    ),
    "freight.accrued.v1": lambda who, d: f"{who} accrued freight of {d.amount}, document {d.document}",
    "freight.invoiced.v1": lambda _, d: (
        f"{d.carrier} billed {d.total} in {d.invoice}{f', by a weight of {d.reweighed}' if d.reweighed else ''}"
    ),
    "freight.approved.v1": lambda who, d: f"{d.by or who} accepted freight bill {d.invoice}",
    "freight.adjusted.v1": lambda who, d: f"{who} adjusted the freight by {d.amount}, document {d.document}",
    "customer.notified.v1": lambda who, d: f"{who} told the customer: {spoken(d.about)}",
    "stock.received.v1": lambda who, d: (
        f"{who} received {d.quantity} of {d.place.item} at {d.place.location}"
    ),
    "stock.opened.v1": lambda who, d: (
        f"{who} opened the books of {d.place.item} at {d.place.location} with {d.quantity}"
    ),
    "stock.unbooked.v1": lambda _, d: (
        f"{d.quantity} of {d.place.item} at {d.place.location} are not booked: no such unit here"
    ),
    "stock.bookAgain.v1": lambda who, d: f"{d.by or who} asked to book what did not come out even",
    "stock.adjusted.v1": _adjusted,
    "stock.reconciled.v1": lambda _, d: (
        f"Stock of {d.place.item} follows {d.system}: good {d.good}, held {d.held}{_because(d.reason)}"
    ),
    "serial.moved.v1": _serial_moved,
    "claim.granted.v1": lambda _, d: f"Stock reserved for {counted(len(d.lines), 'line')}{_took(d)}",
    "claim.refused.v1": _missing,
    "claim.takenOver.v1": lambda _, d: f"Order {plain_number(d.by)} took over what was claimed",
    "claim.expired.v1": lambda _, d: f"Claim {d.claim} was not used in time: its stock went back",
    "availability.changed.v1": lambda _, d: f"Claims changed what is available of {d.item}",
    "stock.held.v1": lambda who, d: f"{who} put aside {d.quantity} of {d.place.item}{_because(d.reason)}",
    "stock.recalled.v1": lambda who, d: (
        f"{d.by or who} {'lifted the recall of' if d.lifted else 'recalled'} lot {d.lot} of {d.item}{_because(d.reason)}"
    ),
    "stock.releasedFromHold.v1": lambda who, d: (
        f"{who} released {d.quantity} of {d.place.item}{_because(d.reason)}"
    ),
    "stockAdjustment.posted.v1": lambda who, d: f"{who} posted stock adjustment {d.document}",
    "availability.published.v1": lambda who, d: f"{who} shows {d.available} of {d.item} as available",
    "inbound.expected.v1": lambda who, d: f"{who} expects {_line_quantities(d)} at {d.location}",
    "inbound.changed.v1": lambda who, d: f"{who} has news of {d.number}",
    "inbound.cancelled.v1": lambda who, d: f"{who} cancelled what should come{_because(d.reason)}",
    "inbound.dispatched.v1": lambda who, d: (
        f"{who} sent {_line_quantities(d)} as {d.notice}{f' with {d.carrier}' if d.carrier else ''}"
    ),
    "consignment.withdrawn.v1": lambda who, d: (
        f"{who} booked the supplier's goods of {d.shipment} as ours, document {d.document}"
    ),
    "inbound.announced.v1": lambda who, d: f"{who} knows what will come, as {d.document}",
    "inbound.received.v1": _received_lines,
    "inbound.stored.v1": lambda who, d: f"{who} put {_line_quantities(d)} away at {d.location}",
    "inbound.closed.v1": lambda who, d: (
        f"{who} expects no more{f' of {d.delivery}' if d.delivery else ''}{_because(d.reason)}"
    ),
    "inbound.accepted.v1": lambda who, d: f"{d.by or who} accepted it as it came: {d.what}",
    "goodsReceipt.posted.v1": lambda who, d: (
        f"{who} posted goods receipt {d.document} for receipt {d.receipt}"
    ),
    "transfer.ordered.v1": lambda who, d: (
        f"{who} ordered {_line_quantities(d)} from {d.sender.location} to {d.receiver.location}"
    ),
    "transfer.cancelled.v1": lambda who, d: f"{who} cancelled the transfer{_because(d.reason)}",
    "transfer.released.v1": lambda who, d: f"{who} took the transfer as {d.document}",
    "transfer.shipped.v1": lambda who, d: (
        f"{who} sent {_line_quantities(d)} from {d.location} as {d.shipment}{f' with {d.carrier}' if d.carrier else ''}"
    ),
    "transfer.settled.v1": _settled,
    "return.authorised.v1": lambda who, d: (
        f"{who} authorised the return of {_returned(d)}{f' until {d.until}' if d.until else ''}"
    ),
    "return.identified.v1": lambda who, d: f"{who} found on a slip that it came from {plain_number(d.order)}",
    "return.cancelled.v1": lambda who, d: f"{who} cancelled the return{_because(d.reason)}",
    "return.matched.v1": lambda _, d: (
        f"The order found what may come back: {_line_quantities(d)}"
        if d.known
        else "Nobody knows the order of this return"
    ),
    "order.returnAsked.v1": lambda _, d: f"A return asks for {_returned(d)}",
    "return.dispositioned.v1": _judged,
    "credit.posted.v1": lambda who, d: f"{who} posted credit {d.document}",
    "item.defined.v1": lambda who, d: f"{who} defined item {d.item}{_because(d.description)}",
    "item.changed.v1": lambda who, d: f"{who} changed item {d.item}",
    "item.renamed.v1": lambda who, d: f"{who} renamed item {d.item} to {d.now}",
    "customer.defined.v1": lambda who, d: f"{who} defined customer {d.customer}",
    "customer.merged.v1": lambda who, d: f"{who} merged customer {d.customer} into {d.into}",
    "location.defined.v1": lambda who, d: f"{who} defined location {d.location}{_because(d.description)}",
    "carrier.defined.v1": lambda who, d: f"{who} defined carrier {d.carrier}{_because(d.description)}",
    "codeList.published.v1": lambda who, d: (
        f"{who} published version {d.version} of code list {d.name}: {counted(len(d.entries), 'code')}"
    ),
    "masterData.awaited.v1": lambda _, d: f"{d.thread} waits for it",
    "masterData.arrived.v1": lambda _, d: f"The {d.kind} {d.code} was defined",
    "identifier.bound.v1": lambda _, d: f"The identifier belongs to {d.thread}",
    "person.erased.v1": lambda _, d: (
        f"{d.by} had the personal data of it erased (E-{d.erasure}){_because(d.reason)}"
    ),
    "message.corrected.v1": lambda _, d: (
        f"{d.by} corrected {'the message' if d.gave else 'what was told'} (K-{d.correction}){_gave(d.gave)}{_because(d.reason)}"
    ),
    "message.readAgain.v1": lambda _, d: (
        f"The message was read again by replay R-{d.replay}, asked for by {d.by}{_gave(d.gave)}{_because(d.reason)}"
    ),
    "message.notTranslated.v1": lambda _, d: (
        f"{d.system} sent a message we cannot read{' at ' + d.path if d.path else ''}: {d.reason}"
    ),
    "clock.ranOut.v1": lambda _, d: (
        f"The {d.overdue.clock} of {plain_number(d.overdue.thing)} did not come from {d.system} in time"
    ),
    "clock.met.v1": lambda _, d: f"The {d.clock} of {plain_number(d.thing)} came, or is not needed any more",
    "numbers.compared.v1": lambda _, d: (
        f"{d.missing} message{'s' * (d.missing > 1)} of {d.system} never came"
        if d.missing
        else f"every numbered message of {d.system} came"
    ),
    "case.told.v1": lambda who, _: f"{who} told somebody who watches the case",
    "effect.refused.v1": lambda who, d: f"{who} refused to {ask(d.kind)}: {d.reason}",
    "effect.unclear.v1": lambda who, d: f"Nobody can tell whether {who} did {ask(d.kind)}: {d.reason}",
    "effect.retryRequested.v1": lambda _, d: f"{d.by} asked to try again: {d.reason}",
    "effect.decided.v1": lambda _, d: _decided(d),
    "timer.fired.v1": lambda _, d: f"A deadline passed: {_TIMERS.get(d.name, d.name)}",
    "thread.resumed.v1": lambda _, d: f"{d.by} let it go on: {d.reason}",
}
"""Event type → how it is told."""

TECHNICAL: Final = frozenset({
    "order.packed.v1", "order.shipped.v1", "order.delivered.v1", "identifier.bound.v1", "timer.fired.v1",
    "tracking.subscribed.v1", "availability.published.v1", "shipment.milestoneRecorded.v1",
})  # fmt: skip
"""Told only to those who want the machinery; the first three repeat what a shipment's own events say."""


def _tasks(tasks: tuple[str, ...]) -> str:
    return f" ({counted(len(tasks), 'task')})" if tasks else ""


@dataclass(frozen=True, slots=True)
class Wish:
    """One effect kind: `ask` completes "SAP refused to …", `done` "SAP …", `thing` names the document."""

    ask: str
    done: str
    thing: str


EFFECTS: Final[dict[str, Wish]] = {
    "order.check": Wish("check credit, stock and price", "checked the order", "order check"),
    "order.cancel": Wish("show the order as cancelled", "shows the order as cancelled", "cancellation"),
    "sales_order.create": Wish("create the sales order", "created sales order", "sales order"),
    "sales_order.change": Wish("change the sales order", "changed sales order", "sales order change"),
    "sales_order.cancel": Wish("cancel the sales order", "cancelled sales order", "sales order cancellation"),
    "reservation.update": Wish("update the reservation", "updated the reservation of", "reservation"),
    "warehouse_order.release": Wish("take the order", "took the order", "warehouse order"),
    "warehouse_order.cancel": Wish("stop the order", "answered the stop request for", "stop request"),
    "label.create": Wish("make the label", "made the label", "label"),
    "label.void": Wish("void the label", "voided the label", "label void"),
    "label.attach": Wish("take the label", "has the label of", "label hand-over"),
    "load.tender": Wish("tender the load", "tendered load", "load tender"),
    "load.cancel": Wish("cancel the load", "cancelled load", "load cancellation"),
    "tracking.subscribe": Wish("report scans", "will report scans of", "scan subscription"),
    "goods_issue.post": Wish("post the goods issue", "posted goods issue", "goods issue"),
    "goods_issue.reverse": Wish(
        "reverse the goods issue", "reversed the goods issue, document", "goods issue reversal"
    ),
    "inbound.fetch": Wish("say what will come", "told what will come of", "question what will come"),
    "inbound.announce": Wish(
        "take the advice of what will come", "knows what will come, as", "inbound advice"
    ),
    "goods_receipt.post": Wish("post the goods receipt", "posted goods receipt", "goods receipt"),
    "transfer.release": Wish("take the transfer", "took transfer", "transfer order"),
    "transfer_issue.post": Wish("post the goods issue", "posted goods issue", "goods issue"),
    "consignment.withdraw": Wish(
        "book the supplier's goods as ours",
        "booked the supplier's goods as ours, document",
        "consignment withdrawal",
    ),
    "freight.accrue": Wish("accrue the freight cost", "accrued freight, document", "freight accrual"),
    "freight.adjust": Wish("adjust the freight cost", "adjusted the freight, document", "freight adjustment"),
    "milestone.record": Wish("record the milestone", "recorded the milestone", "milestone"),
    "fulfilment.create": Wish("show the order as shipped", "shows the order as shipped,", "fulfilment"),
    "availability.publish": Wish("show the availability", "shows the availability", "availability"),
    "customer.notify": Wish("tell the customer", "told the customer,", "customer notice"),
    "case.tell": Wish("tell who watches the case", "told who watches the case,", "case notice"),
    "item.fetch": Wish("say what it knows of the item", "told of item", "item question"),
    "credit.post": Wish("credit the customer", "posted credit", "credit"),
    "stock_adjustment.post": Wish("post the stock adjustment", "posted stock adjustment", "stock adjustment"),
    "invoice.release": Wish("release the invoice", "released invoice", "invoice"),
}
"""Effect kind → how asking for it is told."""


def ask(kind: str) -> str:
    """What was wanted, to complete "refused to …"; an unknown kind (of a newer release) speaks for itself."""
    wish = EFFECTS.get(kind)
    return wish.ask if wish else kind.replace("_", " ").replace(".", ": ")


def thing(kind: str) -> str:
    wish = EFFECTS.get(kind)
    return wish.thing if wish else kind


def happened(type_: str, who: str, data: Any) -> str:
    """The sentence of an event."""
    sentence = EVENTS.get(type_)
    return sentence(who, data) if sentence else f"{who} said {type_}"


def tried(kind: str, who: str, *, outcome: str, document: str, reason: str) -> str:
    """The sentence of one try of an effect."""
    want = ask(kind)
    match outcome:
        case "done":
            wish = EFFECTS.get(kind)
            return f"{who} {wish.done} {document}".rstrip(" ,") if wish else f"{who} did {want}"
        case "refused":
            return f"{who} refused to {want}: {reason}"
        case "unclear":
            return f"Nobody can tell whether {who} did {want}: {reason}"
        case "retry":
            return f"{who} could not {want} just then: {reason}"
        case "unknown":
            return f"No answer from {who} to the request to {want}: {reason}"
        case "absent":
            return f"Looked in {who}: it did not {want}; it is asked again"
        case "not yet there":
            return f"Looked in {who}: not there yet, looking again"
        case "cannot tell":
            return f"Could not look in {who}: {reason}"
        case _:
            return f"{who}, {want}: {outcome}"


def spoken(text: str) -> str:
    """`out_for_delivery` → "out for delivery"."""
    return text.replace("_", " ")


_PROTOCOLS: Final = frozenset({"signed_webhook"})
"""Connectors that speak a protocol, not a product: there the system's own name says more."""


def system_names(systems: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """What people call each system: (connector, title) by name → the product's first word, where it is the only one."""
    short = {
        name: (name.upper() if len(name) <= 3 else name)
        if connector in _PROTOCOLS
        else title.split(" (")[0].split()[0]
        for name, (connector, title) in systems.items()
    }
    taken = list(short.values())
    return {name: word if taken.count(word) == 1 else f"{word} ({name})" for name, word in short.items()}
