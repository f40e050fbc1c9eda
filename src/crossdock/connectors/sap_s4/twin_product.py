"""The twin's product master: what API_PRODUCT_SRV shows of a material, and the event that tells of its change."""

import json
import random
import time
from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

from crossdock.connect.basic import basic
from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4 import events
from crossdock.connectors.sap_s4.twin_odata import Asked, Fields, Problem, Reply, metadata, one

REORDER_SECONDS_MAX = 2.0
DEFAULTS: Fields = {"currency": "EUR", "unit": "EA", "available": "100000"}
_NOT_FOUND = "/IWBEP/CM_MGW_RT/020"
_DEFAULT_PLANT = "1010"


def read_product(twin: Twin, request: Asked) -> Reply:
    """One product with what is expanded; every question is journaled, for the tests to see how often it is asked."""
    material = twin.books.get("material", request.key)
    with twin.books.change():
        key = request.key if material is not None else ""
        twin.books.journal("item.fetch", request.key, key, {"found": material is not None})
    if material is None:
        raise Problem(404, _NOT_FOUND, "Resource not found for segment 'A_ProductType'")
    shown = _root(request.key, material)
    wanted = [name.strip() for name in request.query.get("$expand", "").split(",") if name.strip()]
    for name, rows in (
        ("to_Description", _descriptions), ("to_Plant", _plants), ("to_ProductUnitsOfMeasure", _units),
    ):  # fmt: skip
        deferred = {"__deferred": {"uri": f"A_Product('{request.key}')/{name}"}}
        shown[name] = {"results": rows(request.key, material)} if name in wanted else deferred
    unknown = [name for name in wanted if name not in shown]
    if unknown:
        raise Problem(400, "/IWBEP/CM_MGW_RT/021", f"Navigation property '{unknown[0]}' does not exist")
    return one(shown)


def _root(product: str, material: Fields) -> Fields:
    return metadata("A_Product", f"'{product}'") | {
        "Product": product,
        "ProductType": "HAWA",
        "CrossPlantStatus": material.get("status", ""),
        "LastChangeDateTime": f"/Date({material['changed']}+0000)/" if "changed" in material else None,
        "IsMarkedForDeletion": bool(material.get("deleted")),
        "GrossWeight": material.get("gross_weight", "0.000"),
        "NetWeight": material.get("net_weight", "0.000"),
        "WeightUnit": material.get("weight_unit", ""),
        "BaseUnit": material["unit"],
        "ProductStandardID": material.get("gtin", ""),
        "IsBatchManagementRequired": bool(material.get("batches")),
    }


def _descriptions(product: str, material: Fields) -> list[Fields]:
    texts = material.get("descriptions") or {"EN": product}
    return [
        {"Product": product, "Language": language, "ProductDescription": text}
        for language, text in texts.items()
    ]


def _plants(product: str, material: Fields) -> list[Fields]:
    return [
        {
            "Product": product,
            "Plant": plant,
            "IsMarkedForDeletion": bool(said.get("deleted")),
            "IsBatchManagementRequired": bool(said.get("batches")),
            "SerialNumberProfile": said.get("serials", ""),
        }
        for plant, said in (material.get("plants") or {_DEFAULT_PLANT: {}}).items()
    ]


def _units(product: str, material: Fields) -> list[Fields]:
    """The base unit is one of them, with the product's own GTIN and measurements."""
    base = {name: material[name] for name in ("gtin", "length", "width", "height") if name in material}
    return [
        {
            "Product": product,
            "AlternativeUnit": unit,
            "QuantityNumerator": str(said.get("numerator", 1)),
            "QuantityDenominator": str(said.get("denominator", 1)),
            "GlobalTradeItemNumber": said.get("gtin", ""),
            "UnitSpecificProductLength": said.get("length", "0.000"),
            "UnitSpecificProductWidth": said.get("width", "0.000"),
            "UnitSpecificProductHeight": said.get("height", "0.000"),
            "ProductMeasurementUnit": material.get("measurement_unit", ""),
        }
        for unit, said in ({material["unit"]: base} | (material.get("units") or {})).items()
    ]


class Broker:
    """Keeps products as they are changed, and tells the hub of each change where a webhook is configured."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._random = random.Random(twin.setup.seed)  # reproducible mischief, not a secret

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/_twin/products", self._put), web.get("/_twin/products", self._get)]

    async def _put(self, request: web.Request) -> web.Response:
        products = await request.json()
        with self._twin.books.change():
            for product, said in products.items():
                self._change(product, said)
        return web.json_response({"products": len(products)})

    async def _get(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._twin.books.all("material")))

    def _change(self, product: str, said: Fields) -> None:
        """What is not said stays; two changes never bear the same time."""
        before = self._twin.books.get("material", product)
        changed = max(int(time.time() * 1000), (before or {}).get("changed", 0) + 1)
        after = DEFAULTS | {"price": "1.00"} | (before or {}) | said | {"changed": changed}
        self._twin.books.put("material", product, after)
        self.tell(events.PRODUCT_CREATED if before is None else events.PRODUCT_CHANGED, "Product", product)

    def tell(self, type_: str, name: str, key: str) -> None:
        """Inside a change of the books: a notice of this object, where somebody listens."""
        setup, hits = self._twin.setup, self._twin.quirks.hits
        user, password = setup.secrets.get("event_user", ""), setup.secrets.get("event_password", "")
        if not user:
            return
        event_id = str(UUID(int=self._twin.books.next_number("event")))
        source = f"/default/sap.s4.beh/{setup.system}"
        notice = {
            "specversion": "1.0", "id": event_id, "source": source, "type": type_,
            "datacontenttype": "application/json", "time": datetime.now(UTC).isoformat(), "data": {name: key},
        }  # fmt: skip
        self._twin.books.call_back(
            topic=type_,
            reference=key,
            source_id=f"{source}#{event_id}",
            url=f"{setup.hub_url}/v1/in/{setup.system}/{events.CHANNEL}",
            headers={"content-type": "application/cloudevents+json", "authorization": basic(user, password)},
            body=json.dumps(notice).encode(),
            delay_seconds=self._random.uniform(0, REORDER_SECONDS_MAX) if hits("reordered_event") else 0.0,
            copies=self._random.randint(2, 3) if hits("duplicate_event") else 1,
        )
