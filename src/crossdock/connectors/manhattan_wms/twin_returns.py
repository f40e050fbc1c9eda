"""The simulated WMS's returns desk: goods that come back unannounced, and the inspection of whatever came back.

POST /_twin/return   {"lines": [{"line", "item", "quantity", "order_line", "lot", "reason", "serials"}], "order": ""}   nobody announced it
POST /_twin/inspect  {"receipt", "lines": [{"line", "item", "quantity", "disposition", "lot", "reason"}]}

An announced return is received at the dock like anything else (`POST /_twin/receive`), and is held until it is inspected.
"""

from decimal import Decimal
from typing import Any

from aiohttp import web

from crossdock.connectors.manhattan_wms.twin_floor import Floor

STAYS_HELD, SELLABLE = "REFURBISH", "RESTOCK"
Fields = dict[str, Any]


class ReturnsDesk:
    """Each write is one change of the books."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.books = floor.books
        self.stock = floor.stock

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/_twin/return", self.take), web.post("/_twin/inspect", self.inspect)]

    async def take(self, request: web.Request) -> web.Response:
        asked = await request.json()
        with self.books.change():
            receipt = f"{self.floor.facility}-R-{self.books.next_number('receipt')}"
            lines = [_taken(line) for line in asked["lines"]]
            for line in lines:
                quantity = Decimal(line["Quantity"])
                self.stock.bring(line["ItemId"], line["QuantityUomId"], quantity, quantity)
                self.stock.serials_in(line["ItemId"], line.get("SerialNumbers", ()))
            self.books.put("receipt", receipt, {"asn": "", "lines": lines, "on_dock": False})
            slip = {"Slip": {"HubReference": asked["order"]}} if asked.get("order") else {}
            self.books.journal("return.received", asked.get("order", ""), receipt, {"lines": lines})
            self.floor.tell("ReturnReceived", {"ReceiptId": receipt, "Lines": lines} | slip, receipt)
        return web.json_response({"receipt": receipt})

    async def inspect(self, request: web.Request) -> web.Response:
        asked = await request.json()
        with self.books.change():
            receipt = self.books.get("receipt", asked["receipt"])
            if receipt is None:
                raise web.HTTPNotFound(text=f"nothing is known of receipt {asked['receipt']}")
            asn = self.books.get("asn", receipt["asn"]) if receipt["asn"] else None
            inspection = f"{self.floor.facility}-I-{self.books.next_number('inspection')}"
            lines = [_inspected(line) for line in asked["lines"]]
            for line in lines:
                self._place(line)
            named = (
                {"Extended": {"HubReference": asn["reference"], "Delivery": asn["delivery"]}} if asn else {}
            )
            reference = asn["reference"] if asn else asked["receipt"]
            self.books.journal("return.inspected", reference, inspection, {"lines": lines})
            payload = {"InspectionId": inspection, "ReceiptId": asked["receipt"], "Lines": lines} | named
            self.floor.tell("ReturnInspected", payload, reference)
        return web.json_response({"inspection": inspection})

    def _place(self, line: Fields) -> None:
        """Off the returns shelf: to stock, to repair (held as before), or out of the house."""
        quantity = Decimal(line["Quantity"])
        if line["DispositionCode"] != STAYS_HELD:
            self.stock.hold(line["ItemId"], -quantity)
        if line["DispositionCode"] not in (STAYS_HELD, SELLABLE):
            self.stock.send(line["ItemId"], quantity, Decimal(0))


def _taken(line: Fields) -> Fields:
    found = {
        "ReturnLineId": line["line"],
        "ItemId": line["item"],
        "Quantity": str(line["quantity"]),
        "QuantityUomId": "UNIT",
    }
    optional = {
        "OriginalOrderLineId": "order_line",
        "LotNumber": "lot",
        "ReasonCode": "reason",
        "SerialNumbers": "serials",
    }
    return found | {name: line[key] for name, key in optional.items() if line.get(key)}


def _inspected(line: Fields) -> Fields:
    found = {
        "AsnLineId": line["line"],
        "ItemId": line["item"],
        "Quantity": str(line["quantity"]),
        "QuantityUomId": "UNIT",
        "DispositionCode": line["disposition"],
    }
    optional = {"LotNumber": "lot", "ReasonText": "reason"}
    return found | {name: line[key] for name, key in optional.items() if line.get(key)}
