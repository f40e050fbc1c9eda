"""The simulated warehouse floor: allocates, picks, packs, waits for the label, loads and departs.

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

from crossdock.connect.twin import Twin
from crossdock.connectors.manhattan_wms.gs1 import sscc

PICKED_OR_LATER = ("picked", "packed", "labelled", "loaded", "departed")
STEPS_PER_TICK_MAX = 200
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

    def cancel(self, order: Order) -> None:
        """Stop an order that is not picked yet; what was allocated is free again."""
        self.books.journal("warehouse_order.cancel", order["reference"], order["number"])
        if order["status"] == "allocated":
            self._claim(order, -1)
        self._store(order, "cancelled")

    def attach(self, shipment: Shipment, labels: dict[str, str], *, carrier: str, reference: str) -> None:
        """The labels came: journal the first time, then load."""
        first = shipment["labels"] is None
        shipment |= {"labels": labels, "carrier": carrier}
        self.books.put("shipment", shipment["number"], shipment)
        if first:
            self.books.journal("label.attach", reference, shipment["number"])
            self._store_all(shipment, "labelled", next_step="load")

    def count(self, item: str, quantity: Decimal, *, lot: str, unit: str) -> None:
        """Set the stock of an item; the difference to the books is told."""
        stock = self.books.get("stock", item) or {"quantity": "0", "allocated": "0", "lot": lot, "unit": unit}
        change = quantity - Decimal(stock["quantity"])
        self.books.put("stock", item, {**stock, "quantity": str(quantity), "lot": lot, "unit": unit})
        payload = {"ItemId": item, "QuantityUomId": unit, "LotNumber": lot}
        if change > 0:
            receipt = f"R-{self.books.next_number('receipt')}"
            self._tell("StockReceived", {**payload, "Quantity": str(change), "ReceiptId": receipt}, item)
        elif change < 0:
            self._tell("StockAdjusted", {**payload, "QuantityChange": str(change), "ReasonCode": "CC"}, item)

    def _step(self, due: dict[str, str]) -> None:
        order = self.books.get("order", due["order"])
        match due["step"]:
            case "allocate" if order["status"] in ("released", "waiting_for_stock"):
                self._allocate(order)
            case "pick" if order["status"] == "allocated":
                self._store(order, "picked", next_step="pack")
            case "pack" if order["status"] == "picked":
                self._pack(order)
            case "load" if order["status"] == "labelled":
                self._store(order, "loaded", next_step="depart")
            case "depart" if order["status"] == "loaded":
                self._depart(self.books.get("shipment", order["shipment"]))
            case _:
                # A cancelled order leaves its next step behind; there is nothing to do.
                return

    def _allocate(self, order: Order) -> None:
        if not self._claim(order, 1):
            self._store(order, "waiting_for_stock", next_step="allocate")
            return
        lines = [
            {
                "OriginalOrderLineId": line["line"],
                "ItemId": line["item"],
                "Quantity": line["quantity"],
                "QuantityUomId": line["unit"],
                "LocationId": self.facility,
                "LotNumber": self.books.get("stock", line["item"])["lot"],
            }
            for line in order["lines"]
        ]
        payload = {**_named(order), "Lines": lines}
        self._store(order, "allocated", next_step="pick")
        self._tell("OrderAllocated", payload, order["reference"])

    def _claim(self, order: Order, sign: int) -> bool:
        """Move the order's quantities into (1) or out of (-1) allocation: all lines or none."""
        wanted: dict[str, Decimal] = {}
        for line in order["lines"]:
            wanted[line["item"]] = wanted.get(line["item"], Decimal(0)) + sign * Decimal(line["quantity"])
        stocks = {item: self.books.get("stock", item) for item in wanted}
        for item, quantity in wanted.items():
            stock = stocks[item]
            if stock is None or Decimal(stock["quantity"]) < Decimal(stock["allocated"]) + quantity:
                return False
        for item, quantity in wanted.items():
            allocated = Decimal(stocks[item]["allocated"]) + quantity
            self.books.put("stock", item, {**stocks[item], "allocated": str(allocated)})
        return True

    def _pack(self, order: Order) -> None:
        number = f"S-{self.books.next_number('shipment')}"
        prefix = self.twin.setup.settings.get("gs1_prefix", "4012345")
        pieces = sum((Decimal(line["quantity"]) for line in order["lines"]), Decimal(0))
        olpn = {
            "OlpnId": sscc(prefix, self.books.next_number("sscc")),
            "Weight": str(TARE_KG + PIECE_KG * pieces),
            "WeightUomId": "KG",
            "Lines": [
                {
                    **_named(order),
                    "OriginalOrderLineId": line["line"],
                    "ItemId": line["item"],
                    "Quantity": line["quantity"],
                    "QuantityUomId": line["unit"],
                    "LotNumber": (self.books.get("stock", line["item"]) or {}).get("lot", ""),
                }
                for line in order["lines"]
            ],
        }
        shipment = {
            "number": number, "orders": [order["number"]], "olpns": [olpn], "labels": None, "carrier": "",
            "status": "packed",
        }  # fmt: skip
        self.books.put("shipment", number, shipment)
        self._store({**order, "shipment": number}, "packed")
        payload = {
            "ShipmentId": number,
            "ServiceLevelId": order["service"],
            "Olpns": [olpn],
            "ShipTo": order["ship_to"],
        }
        self._tell("ShipmentPacked", payload, number)

    def _depart(self, shipment: Shipment) -> None:
        for number in shipment["orders"]:
            order = self.books.get("order", number)
            for line in order["lines"]:
                stock = self.books.get("stock", line["item"])
                left = {
                    name: str(Decimal(stock[name]) - Decimal(line["quantity"]))
                    for name in ("quantity", "allocated")
                }
                self.books.put("stock", line["item"], {**stock, **left})
        self.books.put("shipment", shipment["number"], {**shipment, "status": "departed"})
        self._store_all(shipment, "departed")
        self.books.journal("shipment.departed", shipment["number"], shipment["number"])
        payload = {
            "ShipmentId": shipment["number"],
            "CarrierId": shipment["carrier"],
            "Olpns": shipment["olpns"],
        }
        self._tell("ShipmentDeparted", payload, shipment["number"])

    def _store_all(self, shipment: Shipment, status: str, next_step: str = "") -> None:
        for number in shipment["orders"]:
            self._store(self.books.get("order", number), status, next_step=next_step)

    def _store(self, order: Order, status: str, next_step: str = "") -> None:
        self.books.put("order", order["number"], {**order, "status": status})
        if next_step:
            key = f"{_moment(time.time() + self.twin.setup.pace_seconds)}:{order['number']}"
            self.books.put("due", key, {"order": order["number"], "step": next_step})

    def _tell(self, message_type: str, payload: dict[str, Any], reference: str) -> None:
        """Queue one signed event message in the change that made it true."""
        setup = self.twin.setup
        sequence = self.books.next_number("event")
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


def _moment(at: float) -> str:
    return f"{at:017.6f}"
