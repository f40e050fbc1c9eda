"""The simulated warehouse floor: allocates, picks, packs, waits for the label, loads and departs, or takes apart.

What is due stands in the books as `due` documents (the key sorts by time): a killed twin simply goes on.
"""

import hmac
import json
import random
import time
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from crossdock.connect.twin import Quirks, Twin
from crossdock.connectors.manhattan_wms.gs1 import sscc
from crossdock.connectors.manhattan_wms.twin_picking import in_two, pick
from crossdock.connectors.manhattan_wms.twin_stock import Line, Stock

UNPICKED = ("released", "waiting_for_stock", "allocated")
STAGES = (*UNPICKED, "picked", "packed", "labelled", "loaded", "departed", "cancelled")
"""The states of an order in their order; it stands where the slowest of its shipments stands."""
STEPS_PER_TICK_MAX = 200
MERGE_PACES = 5
TRUCK_PACES = 20
REORDER_SECONDS_MAX = 2.0
TARE_KG = Decimal("0.2")
PIECE_KG = Decimal("0.5")
Order = dict[str, Any]
Shipment = dict[str, Any]


class Floor:
    """All methods but `work` are called inside a change of the books."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self.facility = twin.setup.settings.get("facility", "")
        self.stock = Stock(twin.books)
        self._random = random.Random(twin.setup.seed)  # reproducible mischief, not a secret

    async def work(self) -> None:
        """Do every step that is due, each in its own change."""
        due = self.books.rows(
            "select key, body from document where kind = 'due' and key <= ? order by key limit ?",
            _moment(time.time()),
            STEPS_PER_TICK_MAX,
        )
        for key, body in due:
            with self.books.change():
                self.books.remove("due", key)
                self._step(json.loads(body))

    def take(self, number: str, order: Order) -> None:
        """An order came in for the first time."""
        self.books.journal("warehouse_order.release", order["reference"], number)
        self._store(order, "released", next_step="allocate")

    def may_cancel(self, order: Order) -> str:
        """Why not, or nothing. What stands on a truck stays there."""
        shipments = [self.books.get("shipment", number) for number in order["shipments"]]
        if any(shipment["status"] in ("loaded", "departed") for shipment in shipments):
            return "the goods are loaded"
        if order["status"] not in (*UNPICKED, "cancelled") and self.twin.quirks.hits("cancel_refused"):
            return "picking is finished"
        return ""

    def cancel(self, order: Order, reason: str) -> None:
        """Stop an order whose goods are still in the house; they are free again, its shipments taken apart."""
        self.books.journal("warehouse_order.cancel", order["reference"], order["number"])
        for number in order["shipments"]:
            self._take_apart(self.books.get("shipment", number), reason, without=order["number"])
        if order["status"] not in ("released", "waiting_for_stock", "cancelled"):
            self.stock.release(order["picked"] or order["lines"])
        self._store(order, "cancelled")

    def _take_apart(self, shipment: Shipment, reason: str, *, without: str) -> None:
        """Orders that shared the shipment are packed anew."""
        number = shipment["number"]
        self.books.put("shipment", number, {**shipment, "status": "cancelled"})
        self.books.journal("shipment.cancelled", number, number)
        for other in shipment["orders"]:
            if other != without:
                order = self.books.get("order", other)
                left = [name for name in order["shipments"] if name != number]
                self._store({**order, "shipments": left, "shipment": ""}, "picked", next_step="pack")
        for line in (line for olpn in shipment["olpns"] for line in olpn["Lines"]):
            self.stock.serials_in(line["ItemId"], line.get("SerialNumbers", ()))
        self.tell("ShipmentCancelled", {"ShipmentId": number, "ReasonText": reason}, number)

    def attach(self, shipment: Shipment, labels: dict[str, str], *, carrier: str, reference: str) -> None:
        """The labels came: journal the first time, then load."""
        first = shipment["labels"] is None
        shipment |= {"labels": labels, "carrier": carrier}
        self.books.put("shipment", shipment["number"], shipment)
        if first:
            self.books.journal("label.attach", reference, shipment["number"])
            late = self.twin.quirks.hits("late_truck", of=f"{self.twin.setup.system}/{shipment['number']}")
            self._advance(shipment, "labelled", next_step="load", paces=TRUCK_PACES if late else 1)

    def count(
        self, item: str, quantity: Decimal, *, lot: str, unit: str, serials: list[str] | None = None
    ) -> None:
        """Set the stock of an item; the difference to the books is told, with the pieces it is where they have numbers."""
        stock = self.books.get("stock", item) or {"quantity": "0", "allocated": "0", "lot": lot, "unit": unit}
        change = quantity - Decimal(stock["quantity"])
        self.books.put("stock", item, {**stock, "quantity": str(quantity), "lot": lot, "unit": unit})
        payload: dict[str, Any] = {"ItemId": item, "QuantityUomId": unit, "LotNumber": lot}
        if serials is not None:
            new, gone = self.stock.recount_serials(item, serials)
            payload["SerialNumbers"] = new if change > 0 else gone
        if change > 0:
            receipt = f"R-{self.books.next_number('receipt')}"
            self.tell("StockReceived", {**payload, "Quantity": str(change), "ReceiptId": receipt}, item)
        elif change < 0:
            self.tell("StockAdjusted", {**payload, "QuantityChange": str(change), "ReasonCode": "CC"}, item)

    def _step(self, due: dict[str, str]) -> None:
        if "shipment" in due:
            shipment = self.books.get("shipment", due["shipment"])
            match due["step"]:
                case "load" if shipment["status"] == "labelled":
                    self._advance(shipment, "loaded", next_step="depart")
                case "depart" if shipment["status"] == "loaded":
                    self._depart(shipment)
            return
        order = self.books.get("order", due["order"])
        match due["step"]:
            case "allocate" if order["status"] in ("released", "waiting_for_stock"):
                self._allocate(order)
            case "pick" if order["status"] == "allocated":
                self._pick(order)
            case "pack" if order["status"] == "picked":
                self._pack(order)
            case _:
                # A cancelled order leaves its next step behind; there is nothing to do.
                return

    def _allocate(self, order: Order) -> None:
        if not self.stock.claim(order["lines"]):
            self._store(order, "waiting_for_stock", next_step="allocate")
            return
        lines = [_worded(line, self.stock) | {"LocationId": self.facility} for line in order["lines"]]
        self._store(order, "allocated", next_step="pick")
        self.tell("OrderAllocated", {**_named(order), "Lines": lines}, order["reference"])

    def _pick(self, order: Order) -> None:
        substitutes = dict(self.books.all("substitute"))
        picked, missing = pick(order["lines"], self.stock, self.twin.quirks, substitutes)
        merging = self.twin.quirks.hits("merge_orders")
        order = {**order, "picked": picked, "merging": merging}
        if missing:
            self._tell_missing(order, missing)
        if picked:
            self._store(order, "picked", next_step="pack", paces=MERGE_PACES if merging else 1)
        else:
            self._store(order, "cancelled")

    def _tell_missing(self, order: Order, missing: list[Line]) -> None:
        detail = [{name: line[name] for name in ("line", "item", "quantity")} for line in missing]
        self.books.journal("order.shortPicked", order["reference"], order["number"], {"lines": detail})
        lines = [_worded(line, self.stock) for line in missing]
        payload = {**_named(order), "Lines": lines, "ReasonCode": "NOT_FOUND"}
        self.tell("OrderShortPicked", payload, order["reference"])

    def _pack(self, order: Order) -> None:
        """One shipment for the order, two of it, or one for all orders that waited for each other."""
        group = [order]
        if order["merging"]:
            group = [other for _, other in self.books.all("order") if _may_share(order, other)]
        lines = [{**line, "order": one["number"]} for one in group for line in one["picked"]]
        apart = len(group) == 1 and self.twin.quirks.hits("split_shipments")
        for pile in in_two(lines) if apart else [lines]:
            self._ship([one["number"] for one in group], pile)

    def _ship(self, orders: list[str], lines: list[Line]) -> None:
        number = f"S-{self.books.next_number('shipment')}"
        piles = in_two(lines) if self.twin.quirks.hits("split_packages") else [lines]
        shipment = {
            "number": number, "orders": orders, "olpns": [self._olpn(pile) for pile in piles], "lines": lines,
            "labels": None, "carrier": "", "status": "packed",
        }  # fmt: skip
        for one in orders:
            order = self.books.get("order", one)
            named = {"shipment": order["shipment"] or number, "shipments": [*order["shipments"], number]}
            self.books.put("order", one, {**order, **named})
        self._advance(shipment, "packed")
        first = self.books.get("order", orders[0])
        payload = {
            "ShipmentId": number,
            "ServiceLevelId": first["service"],
            "Olpns": shipment["olpns"],
            "ShipTo": first["ship_to"],
        }
        self.tell("ShipmentPacked", payload, number)

    def _olpn(self, lines: list[Line]) -> dict[str, Any]:
        prefix = self.twin.setup.settings.get("gs1_prefix", "4012345")
        pieces = sum((Decimal(line["quantity"]) for line in lines), Decimal(0))
        return {
            "OlpnId": sscc(prefix, self.books.next_number("sscc")),
            "Weight": str(TARE_KG + PIECE_KG * pieces),
            "WeightUomId": "KG",
            "Lines": [
                _named(self.books.get("order", line["order"]))
                | _worded(line, self.stock)
                | _scanned(line, self.stock, self.twin.quirks)
                for line in lines
            ],
        }

    def _depart(self, shipment: Shipment) -> None:
        self.stock.remove(shipment["lines"])
        self._advance(shipment, "departed")
        number = shipment["number"]
        self.books.journal("shipment.departed", number, number, {"lines": self.contents(shipment)})
        payload = {"ShipmentId": number, "CarrierId": shipment["carrier"], "Olpns": shipment["olpns"]}
        self.tell("ShipmentDeparted", payload, number)

    def contents(self, shipment: Shipment) -> list[dict[str, str]]:
        """What is in it, by order reference and line."""
        references = {number: self.books.get("order", number)["reference"] for number in shipment["orders"]}
        return [
            {"reference": references[line["order"]]}
            | {name: line[name] for name in ("line", "item", "quantity")}
            for line in shipment["lines"]
        ]

    def _advance(self, shipment: Shipment, status: str, next_step: str = "", paces: int = 1) -> None:
        """A shipment's new state, and what it means for its orders."""
        self.books.put("shipment", shipment["number"], {**shipment, "status": status})
        for number in shipment["orders"]:
            order = self.books.get("order", number)
            states = [self.books.get("shipment", name)["status"] for name in order["shipments"]]
            self._store(order, min(states, key=STAGES.index))
        if next_step:
            self._later({"shipment": shipment["number"], "step": next_step}, paces)

    def _store(self, order: Order, status: str, next_step: str = "", paces: int = 1) -> None:
        self.books.put("order", order["number"], {**order, "status": status})
        if next_step:
            self._later({"order": order["number"], "step": next_step}, paces)

    def _later(self, due: dict[str, str], paces: int) -> None:
        at = time.time() + paces * self.twin.setup.pace_seconds
        self.books.put("due", f"{_moment(at)}:{due.get('order') or due['shipment']}", due)

    def tell(self, message_type: str, payload: dict[str, Any], reference: str) -> None:
        """Queue one signed event message in the change that made it true."""
        setup = self.twin.setup
        sequence = self.books.next_number("event")
        if self.twin.quirks.hits("lost_event"):
            return
        message_id = f"{self.facility}-{sequence}"
        message = {
            "MessageType": message_type,
            "Facility": self.facility,
            "EventTimestamp": datetime.now(UTC).isoformat(),
            "Sequence": sequence,
            "Payload": payload,
        }
        body = json.dumps(message).encode()
        signature = hmac.new(setup.secrets.get("event_secret", "").encode(), body, sha256).hexdigest()
        quirks = self.twin.quirks
        self.books.call_back(
            topic=message_type,
            reference=reference,
            source_id=message_id,
            url=f"{setup.hub_url}/v1/in/{setup.system}/events",
            headers={
                "content-type": "application/json",
                "x-message-id": message_id,
                "x-manhattan-signature": f"sha256={signature}",
            },
            body=body,
            delay_seconds=self._random.uniform(0, REORDER_SECONDS_MAX)
            if quirks.hits("reordered_event")
            else 0,
            copies=self._random.randint(2, 3) if quirks.hits("duplicate_event") else 1,
        )


def _named(order: Order) -> dict[str, Any]:
    return {"OriginalOrderId": order["number"], "Extended": {"HubReference": order["reference"]}}


def _worded(line: Line, stock: Stock) -> dict[str, str]:
    """A line in the WMS's words."""
    return {
        "OriginalOrderLineId": line["line"],
        "ItemId": line["item"],
        "Quantity": line["quantity"],
        "QuantityUomId": line["unit"],
        "LotNumber": stock.lot_of(line["item"]),
    }


def _scanned(line: Line, stock: Stock, quirks: Quirks) -> dict[str, Any]:
    """The numbers on the pieces that went into the box, where they have some."""
    taken = stock.serials_out(line["item"], Decimal(line["quantity"]), stays=quirks.hits("serial_twice"))
    return {"SerialNumbers": taken} if taken else {}


def _may_share(order: Order, other: Order) -> bool:
    """Both are picked and wait for company on the same way."""
    same = all(order[name] == other[name] for name in ("ship_to", "service"))
    return same and bool(other["merging"]) and other["status"] == "picked"


def _moment(at: float) -> str:
    return f"{at:017.6f}"
