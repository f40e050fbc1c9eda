"""The twin's material stock: what API_MATERIAL_STOCK_SRV shows, set from outside and taken from by goods issues.

PUT  /_twin/material_stock   {"1010": {"SKU": {"unrestricted": "10", "quality": "0", "blocked": "0"}}}; with "negative": true it may
                             fall below zero
GET  /_twin/material_stock   the same
"""

import re
from decimal import Decimal
from typing import Any

from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.twin_odata import Asked, Fields, Problem, Reply, many, metadata

TYPES = {"unrestricted": "01", "quality": "02", "blocked": "07"}
_PLANT = re.compile(r"Plant eq '([^']*)'")
_BEHIND = re.compile(r"Material gt '([^']*)'")


def read_stock(twin: Twin, request: Asked) -> Reply:
    """In the order of materials, of the plants that the filter names."""
    asked = request.query.get("$filter", "")
    plants, behind = _PLANT.findall(asked), _BEHIND.search(asked)
    if not plants or request.query.get("$orderby") != "Material":
        raise Problem(400, "/IWBEP/CM_MGW_RT/022", "The filter is not supported")
    rows = []
    known = sorted((*key.rsplit("|", 1), stock) for key, stock in twin.books.all("matl_stock"))
    for material, plant, stock in known:
        if plant in plants and (behind is None or material > behind[1]):
            rows += [
                _row(material, plant, number, stock[name], stock["unit"]) for name, number in TYPES.items()
            ]
    return many(rows[: int(request.query.get("$top", "100"))])


def _row(material: str, plant: str, stock_type: str, quantity: str, unit: str) -> Fields:
    return metadata("A_MatlStkInAcctMod", f"'{material}'") | {
        "Material": material, "Plant": plant, "Batch": "", "InventoryStockType": stock_type, "MaterialBaseUnit": unit,
        "MatlWrhsStkQtyInMatlBaseUnit": quantity,
    }  # fmt: skip


def move(twin: Twin, material: str, plant: str, kind: str, change: Decimal) -> None:
    """Inside a change of the books. What nobody set up is kept from its first receipt on, and not below zero unless it may be."""
    key = f"{material}|{plant}"
    stock = twin.books.get("matl_stock", key)
    if stock is None:
        if change < 0:
            return
        stock = dict.fromkeys(TYPES, "0") | {"unit": "EA"}
    left = Decimal(stock[kind]) + change
    if change < 0 and left < 0 and not stock.get("negative"):
        raise Problem(400, "M7/021", f"Deficit of SL {kind} {-left:f} {stock['unit']}: {material} {plant}")
    twin.books.put("matl_stock", key, stock | {kind: f"{left:f}"})


def issue(twin: Twin, delivery: Fields, order: Fields, *, back: bool = False) -> None:
    """Take what left from unrestricted stock, inside a change of the books; what nobody set up is not kept. `back`: put it there.

    Of a material with a sales bill of material its components leave.
    """
    for item in delivery["items"]:
        plant = order["items"][item["item"]]["ProductionPlant"]
        bom = (twin.books.get("material", item["Material"]) or {}).get("bom") or {item["Material"]: "1"}
        for material, each in bom.items():
            key = f"{material}|{plant}"
            stock = twin.books.get("matl_stock", key)
            if stock is not None:
                moved = Decimal(item["quantity"]) * Decimal(each)
                left = Decimal(stock["unrestricted"]) + (moved if back else -moved)
                twin.books.put("matl_stock", key, stock | {"unrestricted": f"{left:f}"})


def routes(twin: Twin) -> list[web.RouteDef]:
    async def put(request: web.Request) -> web.Response:
        given: dict[str, dict[str, dict[str, Any]]] = await request.json()
        with twin.books.change():
            for plant, materials in given.items():
                for material, stock in materials.items():
                    known = {"unrestricted": "0", "quality": "0", "blocked": "0", "unit": "EA"}
                    twin.books.put("matl_stock", f"{material}|{plant}", known | stock)
        return web.json_response({plant: len(materials) for plant, materials in given.items()})

    async def get(_: web.Request) -> web.Response:
        plants: dict[str, dict[str, Any]] = {}
        for key, stock in twin.books.all("matl_stock"):
            material, plant = key.rsplit("|", 1)
            plants.setdefault(plant, {})[material] = stock
        return web.json_response(plants)

    return [web.put("/_twin/material_stock", put), web.get("/_twin/material_stock", get)]
