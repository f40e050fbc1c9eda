"""The client against the twin over HTTP: inventory, page by page, with the last event that was told."""

from dataclasses import replace
from decimal import Decimal

from aiohttp import ClientSession

from crossdock.connect.contract import Refused, RetryLater, StockPage
from crossdock.connectors.manhattan_wms import inventory
from crossdock.connectors.manhattan_wms.client import ManhattanClient
from crossdock.connectors.manhattan_wms.conftest import SITE2, Bench, account, release
from crossdock.model.stock import StockPlace


async def recount(wms: Bench, **items: dict[str, str]) -> None:
    body = {item.replace("_", "-"): given for item, given in items.items()}
    async with ClientSession() as http, http.put(f"{wms.base_url}/_twin/recount", json=body) as answer:
        assert answer.status == 200


async def page(wms: Bench, after: str = "") -> StockPage:
    found = await wms.client.stock_page(after)
    assert isinstance(found, StockPage), found
    return found


async def test_a_row_says_what_is_good_held_and_allocated(wms: Bench) -> None:
    """The watermark is the number of the last event told; a silent recount has none."""
    await wms.stock(WID_1="10", WID_2="4")
    await wms.send("warehouse_order.release", release(quantity="2"))
    await wms.told("order.allocated.v1")
    before = (await page(wms)).watermark
    await recount(wms, WID_2={"quantity": "6", "held": "1"})

    found = await page(wms)

    rows = {row.place: (row.good, row.held, row.claimed, row.unit) for row in found.rows}
    assert rows[StockPlace("WID-2", "SITE1")] == (Decimal(5), Decimal(1), Decimal(0), "EA")
    assert {row.watermark for row in found.rows} == {found.watermark}
    assert found.locations == ("SITE1",)
    assert before is not None
    assert found.watermark is not None
    assert found.watermark >= before >= max(event.sequence or 0 for event in wms.events()) - 1


async def test_pages_lead_through_all_items_once(wms: Bench) -> None:
    """Each begins behind the last item of the one before."""
    wanted = {f"I-{n:05}": {"quantity": "1"} for n in range(inventory.PAGE_ROWS + 5)}
    await recount(wms, **wanted)

    first = await page(wms)
    second = await page(wms, first.after)

    assert (len(first.rows), len(second.rows), second.after) == (inventory.PAGE_ROWS, 5, "")
    assert [row.place.item for row in (*first.rows, *second.rows)] == sorted(wanted)


async def test_trouble_is_an_answer(wms: Bench) -> None:
    """Throttled and unavailable: later. A facility that is not there: refused. Nothing is taken for an empty house."""
    await wms.stock(WID_1="10")
    wms.quirk("throttle_429")
    assert isinstance(await wms.client.stock_page(""), RetryLater)
    wms.quirk("throttle_429", 0.0)
    wms.quirk("unavailable")
    assert isinstance(await wms.client.stock_page(""), RetryLater)
    wms.quirk("unavailable", 0.0)
    wms.quirk("answer_lost")
    assert isinstance(await wms.client.stock_page(""), RetryLater)
    wms.quirk("answer_lost", 0.0)
    stranger = ManhattanClient(replace(account(wms.base_url), settings=SITE2), wms.transport)
    assert isinstance(await stranger.stock_page(""), Refused)
