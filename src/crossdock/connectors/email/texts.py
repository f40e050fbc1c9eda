"""What customers read, by what the notice is about: subject, and the sentence that opens the text."""

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "approved": ("Your order {order} is confirmed", "We have confirmed your order {order}."),
    "rejected": ("We cannot accept your order {order}", "We are sorry: we cannot accept your order {order}."),
    "cancelled": ("Your order {order} is cancelled", "Your order {order} has been cancelled."),
    "shipped": ("Your order {order} is on its way", "Goods of your order {order} have left our warehouse."),
    "created": ("Your order {order} is being prepared", "A shipment of your order {order} was announced to the carrier."),
    "picked_up": ("Your order {order} is with the carrier", "The carrier has collected a shipment of your order {order}."),
    "in_transit": ("Your order {order} is in transit", "A shipment of your order {order} is in transit."),
    "arrived": ("Your order {order} has arrived near you", "A shipment of your order {order} has arrived at the carrier's depot."),
    "out_for_delivery": ("Your order {order} is out for delivery", "A shipment of your order {order} is out for delivery."),
    "available_for_pickup": ("Your order {order} is ready for pickup", "A shipment of your order {order} can be picked up."),
    "delivered": ("Your order {order} was delivered", "A shipment of your order {order} was delivered."),
    "attempt_failed": ("Your order {order} could not be delivered", "The carrier could not deliver a shipment of your order {order}."),
    "delayed": ("Your order {order} is delayed", "A shipment of your order {order} is delayed."),
    "on_hold": ("Your order {order} is held up", "The carrier is holding a shipment of your order {order}."),
    "exception": ("There is a problem with your order {order}", "The carrier reports a problem with a shipment of your order {order}."),
    "lost": ("A shipment of your order {order} is lost", "The carrier could not find a shipment of your order {order}."),
    "returning": ("Your order {order} is on its way back", "A shipment of your order {order} is on its way back to us."),
    "returned": ("Your order {order} came back", "A shipment of your order {order} came back to us."),
}  # fmt: skip
SHIPMENT_CANCELLED: Final = (
    "A shipment of your order {order} was cancelled",
    "A shipment of your order {order} was cancelled; the order itself stands.",
)
OTHER: Final = ("News of your order {order}: {about}", "There is news of your order {order}: {about}.")


def text_for(about: str, shipment: str) -> tuple[str, str]:
    """Templates of subject and first sentence. What has no text of its own is told in its own word."""
    if about == "cancelled" and shipment:
        return SHIPMENT_CANCELLED
    return TEXTS.get(about, OTHER)
