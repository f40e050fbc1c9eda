"""Material stock against the twin over HTTP: plants, stock types, pages, and what cannot be compared."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiohttp import ClientSession

from crossdock.connect.contract import Refused, RetryLater, StockPage
from crossdock.connectors.sap_s4 import stock
from crossdock.connectors.sap_s4.conftest import Sap
from crossdock.model.stock import StockPlace

PLANTS = {"plant": "SITE1=1010, SITE2=1020"}


async def put(sap: Sap, **plants: dict[str, Any]) -> None:
    body = {plant.removeprefix("p"): materials for plant, materials in plants.items()}
    url = f"{sap.account.base_url}/_twin/material_stock"
    async with ClientSession() as http, http.put(url, json=body) as answer:
        assert answer.status == 200


def reader(sap: Sap, **settings: str) -> stock.SapStock:
    return stock.SapStock(
        replace(sap.account, settings={**sap.account.settings, **(settings or PLANTS)}), sap.transport
    )


async def page(sap: Sap, after: str = "") -> StockPage:
    found = await reader(sap).stock_page(after)
    assert isinstance(found, StockPage), found
    return found


async def test_plants_are_locations_and_types_are_good_or_held(sap: Sap) -> None:
    """Quality inspection and blocked stock are held; a plant that nobody configured is not asked for."""
    await put(
        sap, p1010={"WID-1": {"unrestricted": "10", "quality": "2", "blocked": "1"}}, p1020={"WID-1": {"unrestricted": "4"}},
        p9999={"WID-1": {"unrestricted": "7"}},
    )  # fmt: skip

    found = await page(sap)

    assert found.locations == ("SITE1", "SITE2")
    assert {row.place: (row.good, row.held, row.unit, row.watermark) for row in found.rows} == {
        StockPlace("WID-1", "SITE1"): (Decimal(10), Decimal(3), "EA", None),
        StockPlace("WID-1", "SITE2"): (Decimal(4), Decimal(0), "EA", None),
    }


async def test_pages_never_cut_a_material(sap: Sap) -> None:
    """Three types each, a thousand rows a page: the material at its end comes whole on the next one."""
    wanted = {f"M-{n:04}": {"unrestricted": "1"} for n in range(400)}
    await put(sap, p1010=wanted)

    first = await page(sap)
    second = await page(sap, first.after)

    assert [row.place.item for row in (*first.rows, *second.rows)] == sorted(wanted)
    assert (len(first.rows), first.after, second.after) == (333, "M-0332", "")


async def test_a_goods_issue_takes_from_unrestricted_stock(sap: Sap) -> None:
    """What the hub had posted is what it finds, at the plant of the order's item."""
    await put(sap, p1010={"WID-1": {"unrestricted": "10"}}, p1020={"WID-1": {"unrestricted": "10"}})
    await sap.delivered()

    found = await page(sap)

    assert {row.place.location: row.good for row in found.rows} == {"SITE1": Decimal(8), "SITE2": Decimal(10)}


async def test_trouble_is_an_answer(sap: Sap) -> None:
    """Busy: later. One plant for all locations: refused with the remedy. Nothing is taken for an empty house."""
    sap.quirk(unavailable=1.0)
    assert isinstance(await reader(sap).stock_page(""), RetryLater)
    sap.quirk(unavailable=0.0)
    refused = await reader(sap, plant="1010").stock_page("")
    assert isinstance(refused, Refused)
    assert "SITE1=1010" in refused.reason


def test_a_material_larger_than_a_page_is_refused() -> None:
    """It could not be gone beyond."""
    rows = [stock.Row("M", "1010", "01", "EA", Decimal(1), str(n)) for n in range(stock.PAGE_ROWS)]

    assert isinstance(stock.to_page(rows, {"1010": "SITE1"}, datetime.now(UTC)), Refused)
