"""The simulated WMS's dock: advance ship notices and what is received of them, transfers and what is sent of them.

Goods come in and leave when somebody at the dock says so, over the control surface:

GET  /_twin/asns       [{"asn", "reference", "delivery", "status", "lines", "receipts"}]
GET  /_twin/transfers  [{"transfer", "reference", "status", "lines", "sent"}]
POST /_twin/receive    {"reference", "delivery": "", "lines": [{"line", "quantity", "item", "condition", "lot", "serials"}], "on_dock": false, "close": false}
                       without lines: everything that was announced and did not come yet
POST /_twin/put_away   {"receipt"}
POST /_twin/send       {"reference", "carrier": "", "lines": [{"line", "quantity"}], "last": true}   without lines: everything
"""

from decimal import Decimal
from typing import Any

from aiohttp import web

from crossdock.connectors.manhattan_wms.twin_answers import No, decimal, reply, required
from crossdock.connectors.manhattan_wms.twin_floor import Floor
from crossdock.connectors.manhattan_wms.units import TO_CANONICAL

HELD = ("HOLD", "DAMAGED")
Fields = dict[str, Any]


class Dock:
    """Two services and the control surface; each write is one change of the books."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.books = floor.books
        self.stock = floor.stock

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_twin/asns", self.show_asns), web.get("/_twin/transfers", self.show_transfers),
            web.post("/_twin/receive", self.receive), web.post("/_twin/put_away", self.put_away), web.post("/_twin/send", self.send),
        ]  # fmt: skip

    def save_asn(self, body: Fields) -> web.Response:
        """Saved again, it says what is to come now; what was received of it stays."""
        number, extended = required(body, "AsnId"), body.get("Extended") or {}
        if body.get("DestinationFacilityId") != self.floor.facility:
            raise No("FACILITY_UNKNOWN", f"facility {body.get('DestinationFacilityId')!r} is unknown")
        known = self.books.get("asn", number)
        cancelled = body.get("AsnStatus") == "CANCELLED"
        if not body.get("AsnLine") and not cancelled:
            raise No("NO_LINES", "a notice needs lines")
        asn = {
            "asn": number, "reference": required(extended, "HubReference"), "delivery": str(extended.get("Delivery") or ""),
            "status": "cancelled" if cancelled else "in_transit", "lines": self._lines(body, "AsnLine", "ShippedQuantity"),
            "receipts": known["receipts"] if known else [],
        }  # fmt: skip
        self.books.put("asn", number, asn)
        if known is None or known["status"] != asn["status"] or known["lines"] != asn["lines"]:
            self.books.journal("inbound.announce", asn["reference"], number, {"status": asn["status"]})
        return reply({"AsnId": number})

    def save_transfer(self, body: Fields) -> web.Response:
        """Its goods are allocated as far as they are there; one that left cannot be cancelled any more."""
        number = required(body, "TransferOrderId")
        if body.get("OriginFacilityId") != self.floor.facility:
            raise No("FACILITY_UNKNOWN", f"facility {body.get('OriginFacilityId')!r} is unknown")
        transfer = self.books.get("transfer", number)
        if transfer is None:
            transfer = {
                "transfer": number, "reference": required(body.get("Extended") or {}, "HubReference"), "status": "released",
                "lines": self._lines(body, "TransferOrderLine", "OrderedQuantity"), "allocated": {}, "sent": {},
            }  # fmt: skip
            if self.stock.claim(transfer["lines"]):
                transfer["allocated"] = {line["line"]: line["quantity"] for line in transfer["lines"]}
            self.books.journal("transfer.release", transfer["reference"], number)
        if body.get("TransferStatus") == "CANCELLED" and transfer["status"] != "cancelled":
            if transfer["sent"]:
                raise No("TRANSFER_SHIPPED", f"transfer {number} has left")
            self._free(transfer)
            transfer["status"] = "cancelled"
        self.books.put("transfer", number, transfer)
        return reply({"TransferOrderId": number})

    def _lines(self, body: Fields, name: str, quantity: str) -> list[dict[str, str]]:
        id_name = f"{name}Id"
        found = []
        for line in body.get(name) or []:
            unit = required(line, "QuantityUomId")
            if unit not in TO_CANONICAL or decimal(line.get(quantity)) <= 0:
                raise No(
                    "QUANTITY_INVALID", f"line {line.get(id_name)} has no quantity in a unit of its item"
                )
            row = {
                "line": required(line, id_name),
                "item": required(line, "ItemId"),
                "quantity": str(line[quantity]),
                "unit": unit,
            }
            found.append(row | ({"owner": str(line["OwnerId"])} if line.get("OwnerId") else {}))
        return found

    def _free(self, transfer: Fields) -> None:
        """Nothing more of it will leave: what was set aside for it can be had by others."""
        for line in transfer["lines"]:
            left = Decimal(transfer["allocated"].pop(line["line"], "0"))
            if left:
                self.stock.send(line["item"], Decimal(0), left)

    async def show_asns(self, _: web.Request) -> web.Response:
        return web.json_response([asn for _, asn in self.books.all("asn")])

    async def show_transfers(self, _: web.Request) -> web.Response:
        return web.json_response([transfer for _, transfer in self.books.all("transfer")])

    async def receive(self, request: web.Request) -> web.Response:
        asked = await request.json()
        with self.books.change():
            asn = self._find("asn", asked)
            lines = [_worded(_of(asn, line["line"]) | line) for line in asked.get("lines", _left(asn))]
            receipt = ""
            if lines:
                receipt = self._count(asn, lines, on_dock=bool(asked.get("on_dock")))
            if asked.get("close"):
                asn["status"] = "verified"
                self.floor.tell(
                    "AsnVerified",
                    _named(asn) | {"ReasonText": str(asked.get("reason", ""))},
                    asn["reference"],
                )
            self.books.put("asn", asn["asn"], asn)
        return web.json_response({"receipt": receipt})

    def _count(self, asn: Fields, lines: list[Fields], *, on_dock: bool) -> str:
        receipt = f"{self.floor.facility}-R-{self.books.next_number('receipt')}"
        for line in lines:
            quantity = Decimal(line["Quantity"])
            sent_back = asn["reference"].startswith("return/")  # nobody has looked at it yet
            apart = on_dock or sent_back or line.get("ConditionCode") in HELD
            self.stock.bring(
                line["ItemId"], line["QuantityUomId"], quantity, quantity if apart else Decimal(0)
            )
            self.stock.serials_in(line["ItemId"], line.get("SerialNumbers", ()))
        self.books.put("receipt", receipt, {"asn": asn["asn"], "lines": lines, "on_dock": on_dock})
        asn["receipts"].append({"receipt": receipt, "lines": lines})
        self.books.journal(
            "inbound.received", asn["reference"], receipt, {"delivery": asn["delivery"], "lines": lines}
        )
        payload = _named(asn) | {"ReceiptId": receipt, "OnDock": on_dock, "Lines": lines}
        self.floor.tell("AsnReceived", payload, asn["reference"])
        return receipt

    async def put_away(self, request: web.Request) -> web.Response:
        number = (await request.json())["receipt"]
        with self.books.change():
            receipt = self.books.get("receipt", number)
            if receipt is None or not receipt["on_dock"]:
                raise web.HTTPNotFound(text=f"receipt {number} does not stand on the dock")
            good = [line for line in receipt["lines"] if line.get("ConditionCode") not in HELD]
            for line in good:
                self.stock.hold(line["ItemId"], -Decimal(line["Quantity"]))
            self.books.put("receipt", number, receipt | {"on_dock": False})
            asn = self.books.get("asn", receipt["asn"])
            self.floor.tell(
                "AsnPutaway", _named(asn) | {"ReceiptId": number, "Lines": good}, asn["reference"]
            )
        return web.json_response({"lines": len(good)})

    async def send(self, request: web.Request) -> web.Response:
        asked = await request.json()
        with self.books.change():
            transfer = self._find("transfer", asked)
            given = asked.get("lines") or [
                line
                | {
                    "quantity": str(
                        Decimal(line["quantity"]) - Decimal(transfer["sent"].get(line["line"], "0"))
                    )
                }
                for line in transfer["lines"]
            ]
            lines = [_of(transfer, line["line"]) | line for line in given]
            shipment = f"{self.floor.facility}-T-{self.books.next_number('truck')}"
            for line in lines:
                self._leave(transfer, line["line"], line["item"], Decimal(line["quantity"]))
                line["serials"] = self.stock.serials_out(line["item"], Decimal(line["quantity"]))
            last = bool(asked.get("last", True))
            if last:
                self._free(transfer)
                transfer["status"] = "shipped"
            self.books.put("transfer", transfer["transfer"], transfer)
            detail = {
                "shipment": shipment,
                "lines": [{name: line[name] for name in ("line", "item", "quantity")} for line in lines],
            }
            self.books.journal("transfer.shipped", transfer["reference"], shipment, detail)
            self.floor.tell(
                "TransferShipped",
                _departure(transfer, lines, shipment, str(asked.get("carrier", "")), last),
                transfer["reference"],
            )
        return web.json_response({"shipment": shipment})

    def _leave(self, transfer: Fields, line: str, item: str, quantity: Decimal) -> None:
        aside = min(quantity, Decimal(transfer["allocated"].get(line, "0")))
        transfer["allocated"][line] = str(Decimal(transfer["allocated"].get(line, "0")) - aside)
        transfer["sent"][line] = str(Decimal(transfer["sent"].get(line, "0")) + quantity)
        self.stock.send(item, quantity, aside)

    def _find(self, kind: str, asked: Fields) -> Fields:
        """By the hub's reference, and the truck where it has several."""
        for _, found in self.books.all(kind):
            if found["reference"] == asked.get("reference") and asked.get("delivery", "") in (
                "",
                found.get("delivery"),
            ):
                return dict(found)
        raise web.HTTPNotFound(
            text=f"nothing is known of {asked.get('reference')} {asked.get('delivery', '')}"
        )


def _of(document: Fields, line: str) -> Fields:
    """The announced line; empty for one that nobody announced."""
    return next((dict(x) for x in document["lines"] if x["line"] == line), {"line": line, "unit": "UNIT"})


def _left(asn: Fields) -> list[Fields]:
    """What was announced and did not come yet."""
    came: dict[str, Decimal] = {}
    for receipt in asn["receipts"]:
        for line in receipt["lines"]:
            came[line["AsnLineId"]] = came.get(line["AsnLineId"], Decimal(0)) + Decimal(line["Quantity"])
    left = [(x, Decimal(x["quantity"]) - came.get(x["line"], Decimal(0))) for x in asn["lines"]]
    return [line | {"quantity": str(quantity)} for line, quantity in left if quantity > 0]


def _worded(line: Fields) -> Fields:
    """A received line in the WMS's words."""
    found = {
        "AsnLineId": line["line"],
        "ItemId": line["item"],
        "Quantity": str(line["quantity"]),
        "QuantityUomId": line["unit"],
    }
    optional = {
        "ConditionCode": "condition",
        "LotNumber": "lot",
        "OwnerId": "owner",
        "ExpiryDate": "expiry",
        "SerialNumbers": "serials",
    }
    return found | {name: line[key] for name, key in optional.items() if line.get(key)}


def _named(asn: Fields) -> Fields:
    return {"AsnId": asn["asn"], "Extended": {"HubReference": asn["reference"], "Delivery": asn["delivery"]}}


def _departure(transfer: Fields, lines: list[Fields], shipment: str, carrier: str, last: bool) -> Fields:
    return {
        "TransferOrderId": transfer["transfer"], "Extended": {"HubReference": transfer["reference"]}, "ShipmentId": shipment,
        "CarrierId": carrier, "LastShipment": last,
        "Lines": [
            {"TransferOrderLineId": x["line"], "ItemId": x["item"], "Quantity": str(x["quantity"]), "QuantityUomId": x["unit"]}
            | ({"SerialNumbers": x["serials"]} if x["serials"] else {})
            for x in lines
        ],
    }  # fmt: skip
