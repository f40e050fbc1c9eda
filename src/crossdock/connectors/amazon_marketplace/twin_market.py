"""The twin's marketplace: orders, packages and listings in its books, and the notifications that tell of them."""

import json
import random
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from crossdock.connect.twin import Twin
from crossdock.connectors.amazon_marketplace.signing import KEY_HEADER

PERSON: Final = {
    "name": "Toni Muster", "email": "x7k2muster@marketplace.amazon.example", "line": "Probeweg 1", "city": "Berlin",
    "postal_code": "10115", "country": "DE", "phone": "+49 30 5550100",
}  # fmt: skip
COPIES: Final = 3
HELD_BACK_SECONDS: Final = 3.0
LISTING_LAG_SECONDS: Final = 3.0
PENDING, UNSHIPPED, PARTLY, SHIPPED, CANCELED = (
    "Pending",
    "Unshipped",
    "PartiallyShipped",
    "Shipped",
    "Canceled",
)
Tree = dict[str, Any]


class OutOfStock(Exception):  # a buyer's disappointment, not an error of ours
    """The listing shows less than a buyer wants."""


class Market:
    """One seller's part of the marketplace. All it knows is in the books; whoever writes opens `books.change()` first."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self._random = random.Random(twin.setup.seed)  # mischief that can be repeated

    def order(self, number: str) -> Tree | None:
        found: Tree | None = self.books.get("order", number)
        return found

    def reference(self, order: Mapping[str, Any]) -> str:
        return f"{self.twin.setup.system}/{order['id']}"

    def place(self, wish: Mapping[str, Any]) -> Tree:
        """Sold as soon as it is ordered: Amazon takes the pieces off what the listing shows, paid or not."""
        for line in wish["lines"]:
            self._sell(str(line["sku"]), int(line["quantity"]))
        count = self.books.next_number("order", 1)
        order = {
            "id": f"306-{1_000_000 + count}-{7_654_321 - count}",
            "status": PENDING if wish.get("pending") else UNSHIPPED,
            "channel": "AFN" if wish.get("afn") else "MFN",
            "currency": wish.get("currency", "EUR"),
            "person": {**PERSON, **(wish.get("customer") or {})},
            "express": bool(wish.get("express")),
            "shipping": str(wish.get("shipping", "0.00")),
            "asked": False,
            "packages": {},
            "lines": [
                {
                    "id": str(10_000_000_000_000 + self.books.next_number("line", 1)),
                    "sku": str(line["sku"]),
                    "title": str(line.get("title", line["sku"])),
                    "quantity": int(line["quantity"]),
                    "shipped": 0,
                    "price": str(line.get("price", "0.00")),
                    "discount": str(line.get("discount", "0.00")),
                }
                for line in wish["lines"]
            ],
            "created": now(),
        }
        self.books.journal("order.placed", self.reference(order), order["id"])
        self.changed(order, "OrderStatusChange")
        return order

    def _sell(self, sku: str, quantity: int) -> None:
        listing = self.books.get("listing", sku)
        if listing is None or listing["quantity"] is None:
            return
        if listing["quantity"] < quantity:
            raise OutOfStock(f"{sku}: {listing['quantity']} left")
        listing["quantity"] -= quantity
        self.books.put("listing", sku, listing)

    def pay(self, order: Tree) -> None:
        if order["status"] == PENDING:
            order["status"] = UNSHIPPED
            self.changed(order, "OrderStatusChange")

    def cancel(self, order: Tree) -> None:
        """Amazon shows nothing as ordered any more."""
        if order["status"] in (SHIPPED, CANCELED):
            return
        order["status"] = CANCELED
        for line in order["lines"]:
            line["quantity"] = line["shipped"]
        self.books.journal("order.cancelRequested", self.reference(order), order["id"])
        self.changed(order, "OrderStatusChange", "Canceled")

    def dispatch(self, order: Tree) -> None:
        """From Amazon's own warehouse, whole; of a seller's own order only the seller says so."""
        if order["channel"] != "AFN" or order["status"] != UNSHIPPED:
            return
        order["status"] = SHIPPED
        for line in order["lines"]:
            line["shipped"] = line["quantity"]
        self.books.journal("order.shippedElsewhere", self.reference(order), order["id"])
        self.changed(order, "OrderStatusChange")

    def ask_to_cancel(self, order: Tree) -> None:
        """The order stays as it is: the seller has to decide."""
        order["asked"] = True
        self.changed(order, "BuyerRequestedChange", "Buyer Requested Cancel")

    def pack(self, order: Tree, package: Tree) -> None:
        """A package with a known reference is written over, and ships nothing again."""
        reference = package["packageReferenceId"]
        known = reference in order["packages"]
        order["packages"][reference] = package
        if not known:
            shipped = {x["orderItemId"]: x["quantity"] for x in package["orderItems"]}
            for line in order["lines"]:
                line["shipped"] += shipped.get(line["id"], 0)
            whole = all(line["shipped"] >= line["quantity"] for line in order["lines"])
            order["status"] = SHIPPED if whole else PARTLY
        detail = {
            "tracking": [package["trackingNumber"]],
            "carrier": package["carrierName"],
            "status": order["status"],
        }
        effect = "fulfilment.edit" if known else "fulfilment.create"
        self.books.journal(effect, f"{reference}|{self.reference(order)}", order["id"], detail)
        self.changed(order, "OrderStatusChange")

    def changed(self, order: Tree, change: str, reason: str = "") -> None:
        order["updated"] = now()
        if self.twin.quirks.hits("late_orders"):
            order["listed_at"] = time.time() + 120.0
        self.books.put("order", order["id"], order)
        if self.twin.quirks.hits("lost_notification"):
            return
        held = self.twin.quirks.hits("reordered_notification")
        setup = self.twin.setup
        notification = str(uuid.UUID(int=self._random.getrandbits(128)))
        self.books.call_back(
            topic="ORDER_CHANGE",
            reference=self.reference(order),
            source_id=notification,
            url=f"{setup.hub_url}/v1/in/{setup.system}/notifications",
            headers={"content-type": "application/json", KEY_HEADER: setup.secrets["notification_key"]},
            body=json.dumps(_notification(order, change, reason, notification)).encode(),
            delay_seconds=self._random.uniform(0.5, HELD_BACK_SECONDS) if held else 0.0,
            copies=COPIES if self.twin.quirks.hits("duplicate_notification") else 1,
        )

    def set_listing(self, sku: str, quantity: int | None) -> None:
        """As typed into Seller Central; the handling time is the seller's own and not the hub's."""
        known = self.books.get("listing", sku) or {"lead_time_to_ship_max_days": 2, "accepted": []}
        self.books.put("listing", sku, known | {"quantity": quantity})

    def accept(self, sku: str, quantity: int) -> str:
        """A quantity that shall be shown; when it is, what was sold meanwhile is written over as well."""
        submission = f"{self.books.next_number('submission', 1):032x}"
        listing = self.books.get("listing", sku)
        late = LISTING_LAG_SECONDS if self.twin.quirks.hits("late_listing") else 0.0
        listing["accepted"].append({"quantity": quantity, "at": time.time() + late})
        self.books.put("listing", sku, _shown(listing))
        self.books.journal("availability.publish", sku, submission, {"available": quantity})
        return submission

    async def process_listings(self) -> None:
        """Show accepted quantities whose time has come, in the order in which they were accepted."""
        due = [(sku, x) for sku, x in self.books.all("listing") if x["accepted"]]
        if due:
            with self.books.change():
                for sku, listing in due:
                    self.books.put("listing", sku, _shown(listing))


def _shown(listing: Tree) -> Tree:
    moment = time.time()
    waiting = list(listing["accepted"])
    while waiting and waiting[0]["at"] <= moment:
        listing["quantity"] = waiting.pop(0)["quantity"]
    return listing | {"accepted": waiting}


def now() -> str:
    """Amazon's times have whole seconds."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _notification(order: Tree, change: str, reason: str, notification: str) -> Tree:
    """An ORDER_CHANGE (a selection of the documented fields)."""
    return {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": datetime.now(UTC).isoformat(),
        "Payload": {
            "OrderChangeNotification": {
                "NotificationLevel": "OrderLevel",
                "AmazonOrderId": order["id"],
                "OrderChangeType": change,
                "OrderChangeTrigger": {"TimeOfOrderChange": datetime.now(UTC).isoformat(), "ChangeReason": reason},
                "Summary": {
                    "OrderStatus": order["status"],
                    "FulfillmentType": order["channel"],
                    "PurchaseDate": order["created"],
                    "OrderItems": [
                        {
                            "OrderItemId": line["id"], "SellerSKU": line["sku"], "Quantity": line["quantity"],
                            "QuantityShipped": line["shipped"], "IsBuyerRequestedCancel": order["asked"],
                        }
                        for line in order["lines"]
                    ],
                },
            }
        },
        "NotificationMetadata": {"NotificationId": notification, "PublishTime": datetime.now(UTC).isoformat()},
    }  # fmt: skip


def order_document(order: Tree, *, personal: bool) -> Tree:
    """An order as getOrders shows it; a pending one has neither price nor address."""
    document = {
        "AmazonOrderId": order["id"],
        "OrderStatus": order["status"],
        "FulfillmentChannel": order["channel"],
        "PurchaseDate": order["created"],
        "LastUpdateDate": order["updated"],
        "OrderType": "StandardOrder",
        "ShipmentServiceLevelCategory": "Expedited" if order["express"] else "Standard",
        "NumberOfItemsShipped": sum(line["shipped"] for line in order["lines"]),
        "NumberOfItemsUnshipped": sum(line["quantity"] - line["shipped"] for line in order["lines"]),
    }
    if order["status"] == PENDING:
        return document
    goods = sum(
        (Decimal(x["price"]) * x["quantity"] - Decimal(x["discount"]) for x in order["lines"]), Decimal(0)
    )
    person = order["person"]
    place = {"City": person["city"], "PostalCode": person["postal_code"], "CountryCode": person["country"]}
    document |= {
        "OrderTotal": _amount(goods + Decimal(order["shipping"]), order),
        "ShippingAddress": place,
    }
    if personal:
        document["ShippingAddress"] = place | {
            "Name": person["name"], "AddressLine1": person["line"], "Phone": person["phone"],
        }  # fmt: skip
        document["BuyerInfo"] = {"BuyerName": person["name"], "BuyerEmail": person["email"]}
    return document


def item_document(line: Tree, order: Tree) -> Tree:
    """An item: its price is that of all pieces."""
    document = {
        "OrderItemId": line["id"], "ASIN": "B00TWINASIN", "SellerSKU": line["sku"], "Title": line["title"],
        "QuantityOrdered": line["quantity"], "QuantityShipped": line["shipped"],
    }  # fmt: skip
    if order["status"] != PENDING:
        document |= {
            "ItemPrice": _amount(Decimal(line["price"]) * line["quantity"], order),
            "PromotionDiscount": _amount(Decimal(line["discount"]), order),
        }
    return document


def _amount(amount: Decimal, order: Tree) -> Tree:
    return {"CurrencyCode": order["currency"], "Amount": str(amount)}
