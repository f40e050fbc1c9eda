"""Material stock by plant, batch and stock type: what a reconciliation compares with the ledger. Reads only."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.connect.contract import Account, Refused, RetryLater, StockPage
from crossdock.connect.transport import Transport
from crossdock.connectors.sap_s4.configured import locations_by_plant, setting
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, literal
from crossdock.connectors.sap_s4.units import to_unit
from crossdock.model.drift import ZERO, Counted
from crossdock.model.stock import StockPlace

SERVICE: Final = "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV"
PAGE_ROWS: Final = 1000
SECONDS: Final = 30.0
UNRESTRICTED: Final = "01"
HELD: Final = frozenset({"02", "07"})
"""Stock types in quality inspection, and blocked. Others (in transfer, returns) are not compared."""
FIELDS: Final = "Material,Plant,Batch,InventoryStockType,MaterialBaseUnit,MatlWrhsStkQtyInMatlBaseUnit"


class Row(msgspec.Struct, frozen=True, rename="pascal"):
    """Quantity of one stock type; the same material comes once for each storage location, batch and type."""

    material: str
    plant: str
    inventory_stock_type: str
    material_base_unit: str
    matl_wrhs_stk_qty_in_matl_base_unit: Decimal
    batch: str | None = ""


class SapStock:
    """One account's plants. Own stock only; consignment and other special stocks are left out."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._session = Session(account, transport)
        self._configured = setting(account, "plant")

    async def stock_page(self, after: str) -> StockPage | RetryLater | Refused:
        """The materials behind this one."""
        locations = locations_by_plant(self._configured)
        if not locations:
            return Refused(
                code="plant",
                reason="name each location's plant (SITE1=1010, SITE2=1020): its stock cannot be told apart",
            )
        plants = " or ".join(f"Plant eq {literal(plant)}" for plant in locations)
        behind = f" and Material gt {literal(after)}" if after else ""
        query = {
            "$filter": f"({plants}) and InventorySpecialStockType eq ''{behind}", "$orderby": "Material", "$top": str(PAGE_ROWS),
            "$select": FIELDS,
        }  # fmt: skip
        errand = Errand(deadline=asyncio.get_running_loop().time() + SECONDS)
        try:
            rows = await self._session.many(
                errand, Ask(service=SERVICE, path="A_MatlStkInAcctMod", query=query), Row
            )
        except Stop as stop:
            outcome = stop.outcome
            return outcome if isinstance(outcome, Refused | RetryLater) else RetryLater(reason=outcome.reason)
        return to_page(rows, locations, datetime.now(UTC))


def to_page(rows: list[Row], locations: dict[str, str], read_at: datetime) -> StockPage | Refused:
    """A full page may end in the middle of a material: that one is left to the next page."""
    after = ""
    if len(rows) >= PAGE_ROWS:
        last = rows[-1].material
        rows = [row for row in rows if row.material != last]
        if not rows:
            return Refused(code="page", reason=f"material {last} has more than {PAGE_ROWS} stocks")
        after = rows[-1].material
    summed: dict[tuple[StockPlace, str], tuple[Decimal, Decimal]] = {}
    for row in rows:
        if row.plant not in locations:
            continue
        key = (
            StockPlace(row.material, locations[row.plant], row.batch or ""),
            to_unit(row.material_base_unit),
        )
        good, held = summed.get(key, (ZERO, ZERO))
        quantity = row.matl_wrhs_stk_qty_in_matl_base_unit
        if row.inventory_stock_type == UNRESTRICTED:
            good += quantity
        elif row.inventory_stock_type in HELD:
            held += quantity
        summed[key] = good, held
    counted = tuple(
        Counted(place, unit, good, held, read_at) for (place, unit), (good, held) in summed.items()
    )
    return StockPage(rows=counted, locations=tuple(dict.fromkeys(locations.values())), after=after)
