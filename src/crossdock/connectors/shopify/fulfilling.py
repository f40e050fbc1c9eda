"""Choosing fulfilment order lines: Shopify ships from those, we know only order lines. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crossdock.connectors.shopify.replies import FulfilmentOrder, OpenLine, Order, Shipped
from crossdock.connectors.shopify.requests import Fulfilment

SHIPPABLE: Final = ("OPEN", "IN_PROGRESS")


def shipped_with(order: Order, numbers: Sequence[str]) -> Shipped | None:
    """The order's fulfilment that carries all our tracking numbers, if there is one."""
    live = (shipped for shipped in order.fulfillments if shipped.status != "CANCELLED")
    return next((shipped for shipped in live if numbers and shipped.numbers.issuperset(numbers)), None)


def untracked(order: Order) -> bool:
    """Whether a live fulfilment has no tracking number at all, so that nothing tells it from another."""
    return any(shipped.status != "CANCELLED" and not shipped.numbers for shipped in order.fulfillments)


def choose(
    orders: Sequence[tuple[FulfilmentOrder, Sequence[OpenLine]]], wanted: Fulfilment
) -> list[dict[str, Any]] | str:
    """Lines to ship, all from one location as Shopify demands, ours first; or what is missing.

    What the shop sells no longer, since the customer took it off too late, cannot be shown; the rest is.
    """
    places = {order.location_id for order, _ in orders}
    needed = {line.line_item_id: line.quantity for line in wanted.lines}
    still = {line: min(count, _open_of(line, orders)) for line, count in needed.items()}
    needed = still if any(still.values()) else needed
    missing = "the order has no open fulfilment order"
    for place in sorted(places, key=lambda place: (place != wanted.location_id, place)):
        lines = {order.id: lines for order, lines in orders if order.location_id == place}
        picked, short = _cover(lines, needed)
        if not short:
            return picked
        missing = f"no open quantity for {', '.join(f'{count} of {line}' for line, count in short.items())}"
    return missing


def _open_of(line_item: str, orders: Sequence[tuple[FulfilmentOrder, Sequence[OpenLine]]]) -> int:
    """At all locations together."""
    return sum(
        line.remaining_quantity for _, lines in orders for line in lines if line.line_item.id == line_item
    )


def _cover(
    orders: Mapping[str, Sequence[OpenLine]], wanted: Mapping[str, int]
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    needed = dict(wanted)
    picked: list[dict[str, Any]] = []
    for order, open_lines in orders.items():
        lines = []
        for line in open_lines:
            quantity = min(needed.get(line.line_item.id, 0), line.remaining_quantity)
            if quantity > 0:
                needed[line.line_item.id] -= quantity
                lines.append({"id": line.id, "quantity": quantity})
        if lines:
            picked.append({"fulfillmentOrderId": order, "fulfillmentOrderLineItems": lines})
    return picked, {line: count for line, count in needed.items() if count > 0}
