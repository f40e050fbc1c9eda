"""Stock adjustments against the twin over HTTP: each moves its own stock once, is found again, and is refused for its reasons."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from crossdock.connect.contract import Absent, Call, Done, Refused, RetryLater, Unknown
from crossdock.connectors.sap_s4 import mapping
from crossdock.connectors.sap_s4.conftest import DEPARTED, NOBODY, Sap
from crossdock.connectors.sap_s4.posting_dates import redate
from crossdock.errors import Rejected
from crossdock.model.quantity import Quantity
from crossdock.model.requests import PostStockAdjustment
from crossdock.model.stock import Change, Condition, StockAdjustmentPosted

KIND = "stock_adjustment.post"


def adjusted(
    change: Change = "loss", condition: Condition = "good", quantity: int = 3, **more: Any
) -> PostStockAdjustment:
    name = f"wms-1/W-7/WID-1//{change}-{condition}"
    payload = PostStockAdjustment(
        name, "stock/SITE1/WID-1", "wms-1/W-7", "SITE1", "WID-1", Quantity(Decimal(quantity)), change, condition, DEPARTED,
        date(2026, 11, 24), "CC",
    )  # fmt: skip
    return msgspec.structs.replace(payload, **more)


def call(sap: Sap, *args: Any, **more: Any) -> Call:
    return sap.call(KIND, adjusted(*args, **more))


async def shelve(sap: Sap, **stock: Any) -> None:
    body = {"1010": {"WID-1": stock}}
    async with (
        ClientSession() as http,
        http.put(f"{sap.account.base_url}/_twin/material_stock", json=body) as answer,
    ):
        assert answer.status == 200


def stock(sap: Sap) -> tuple[str, str, str]:
    row: Any = sap.twin.books.get("matl_stock", "WID-1|1010")
    return row["unrestricted"], row["quality"], row["blocked"]


@pytest.mark.parametrize(
    ("change", "condition", "left"),
    [
        ("gain", "good", ("53", "10", "10")), ("gain", "quarantine", ("50", "13", "10")), ("gain", "damaged", ("50", "10", "13")),
        ("loss", "good", ("47", "10", "10")), ("loss", "quarantine", ("50", "7", "10")), ("loss", "damaged", ("50", "10", "7")),
        ("hold", "quarantine", ("47", "13", "10")), ("release", "quarantine", ("53", "7", "10")),
        ("hold", "damaged", ("47", "10", "13")), ("release", "damaged", ("53", "10", "7")),
        ("scrap", "good", ("47", "10", "10")), ("scrap", "quarantine", ("50", "7", "10")), ("scrap", "damaged", ("50", "10", "7")),
    ],
)  # fmt: skip
async def test_each_moves_the_stock_it_is_of(
    sap: Sap, change: Change, condition: Condition, left: tuple[str, str, str]
) -> None:
    """Once, even as another effect: the second finds the first's document."""
    await shelve(sap, unrestricted="50", quality="10", blocked="10")

    done = await sap.done(call(sap, change, condition))
    again = await sap.done(call(sap, change, condition))

    assert stock(sap) == left
    assert done.receipt == StockAdjustmentPosted(done.document, f"wms-1/W-7/WID-1//{change}-{condition}")
    assert again.document == done.document
    assert sap.journal(KIND) == [(KIND, "wms-1/W-7", done.document)]


async def test_a_lost_answer_is_found(sap: Sap) -> None:
    """Unknown, then found by its reference: one document, stock moved once. What was never posted is absent."""
    await shelve(sap, unrestricted="50")
    asked = call(sap)
    assert isinstance(await sap.client.look_up(asked), Absent)
    sap.quirk(answer_lost=1.0)
    assert isinstance(await sap.client.send(asked), Unknown)
    sap.quirk(answer_lost=0.0)

    found = await sap.client.look_up(asked)

    assert isinstance(found, Done)
    assert [row[2] for row in sap.journal(KIND)] == [found.document]
    assert stock(sap)[0] == "47"


async def test_what_sap_refuses(sap: Sap) -> None:
    """A closed period, more than there is, a material or unit that it does not have; nothing of it is booked."""
    await shelve(sap, unrestricted="2", blocked="1")
    sap.quirk(period_closed=1.0)
    closed = await sap.client.send(call(sap, "gain"))
    sap.quirk(period_closed=0.0)
    refused = [
        closed,
        await sap.client.send(call(sap)),
        await sap.client.send(call(sap, "release", "damaged")),
        await sap.client.send(call(sap, item="WID-404")),
        await sap.client.send(
            sap.call(KIND, msgspec.structs.replace(adjusted("gain"), quantity=Quantity(Decimal(1), "XCS")))
        ),
    ]

    assert [(x.code, x.cause) for x in refused if isinstance(x, Refused)] == [
        ("F5/201", "period closed"), ("M7/021", "stock difference"), ("M7/021", "stock difference"), ("M3/305", "master data"), ("M3/351", "unit"),
    ]  # fmt: skip
    assert sap.journal(KIND) == []
    assert stock(sap) == ("2", "0", "1")


async def test_stock_may_be_below_zero_where_sap_lets_it(sap: Sap) -> None:
    """A plant that allows negative stock books what is told."""
    await shelve(sap, unrestricted="2", negative=True)

    await sap.done(call(sap))

    assert stock(sap)[0] == "-1"


async def test_it_is_booked_on_another_day(sap: Sap) -> None:
    """What a closed period refused; the document's own date stays, and it is the same document."""
    await shelve(sap, unrestricted="50")
    with sap.twin.books.change():
        sap.twin.books.put("period", "open_from", "2026-12-01")
    asked = call(sap)
    assert isinstance(await sap.client.send(asked), Refused)

    moved = replace(asked, body=redate(KIND, asked.body, date(2026, 12, 1)))
    done = await sap.done(moved)

    assert stock(sap)[0] == "47"
    found = await sap.client.look_up(asked)
    assert isinstance(found, Done)
    assert found.document == done.document


async def test_busy_is_later(sap: Sap) -> None:
    """Throttled or locked: nothing was done."""
    for quirk in ("throttle_429", "locked"):
        sap.quirk(**{quirk: 1.0})
        assert isinstance(await sap.client.send(call(sap)), RetryLater)
        sap.quirk(**{quirk: 0.0})
    assert sap.journal(KIND) == []


async def test_a_movement_code_allows_its_own_types(sap: Sap) -> None:
    """A scrapping is no transfer posting: the twin says so of a wrong document."""
    await shelve(sap, unrestricted="50")
    asked = call(sap, "scrap")
    body = msgspec.json.decode(asked.body)
    body["document"]["to_MaterialDocumentItem"]["results"][0]["GoodsMovementType"] = "344"

    refused = await sap.client.send(replace(asked, body=msgspec.json.encode(body)))

    assert isinstance(refused, Refused)
    assert refused.code == "M7/001"


def document(payload: PostStockAdjustment, sap: Sap, **settings: str) -> Any:
    account = replace(sap.account, settings=sap.account.settings | settings)
    return msgspec.json.decode(mapping.render(KIND, payload, NOBODY, account))


async def test_a_lot_is_a_batch_where_the_account_says_so(sap: Sap) -> None:
    """Else it stands in the text; one that is too long for a batch is refused before anything is sent."""
    [plain] = document(adjusted(lot="L-77"), sap)["document"]["to_MaterialDocumentItem"]["results"]
    [batched] = document(adjusted(lot="L-77"), sap, lots_are_batches="yes")["document"][
        "to_MaterialDocumentItem"
    ]["results"]

    assert ("Batch" in plain, plain["MaterialDocumentItemText"]) == (False, "CC L-77")
    assert batched["Batch"] == "L-77"
    with pytest.raises(Rejected):
        document(adjusted(lot="L-7777777777"), sap, lots_are_batches="yes")


async def test_scrap_is_charged_to_its_cost_centre(sap: Sap) -> None:
    """A loss is not."""
    for change, charged in (("scrap", True), ("loss", False)):
        made = document(adjusted(change), sap, scrap_cost_center="4711")  # type: ignore[arg-type]
        assert ("CostCenter" in made["document"]["to_MaterialDocumentItem"]["results"][0]) is charged


async def test_two_facts_are_two_documents(sap: Sap) -> None:
    """Of one document of the warehouse that says several things, and of one number that two threads were told."""
    references = {
        document(x, sap)["reference"]
        for x in (
            adjusted(),
            adjusted("scrap"),
            adjusted(reference="order/shop/1"),
            adjusted(adjustment="wms-1/W-8/WID-1//loss-good"),
        )
    }

    assert len(references) == 4
