"""SAP S/4HANA as the authority of items: what is read of a product, and the notices of its changes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import CannotTell, Done, Inbound, Refused, RetryLater, Translation
from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4 import plans, product
from crossdock.connectors.sap_s4.conftest import ACCOUNT, Sap, start
from crossdock.connectors.sap_s4.connector import CONNECTOR
from crossdock.connectors.sap_s4.events import CHANNEL
from crossdock.connectors.sap_s4.units import sap_unit, to_millimetres, to_unit
from crossdock.errors import Rejected, Unauthenticated
from crossdock.model.master import ItemDefined, ItemUnit
from crossdock.model.quantity import Quantity

PLAN = plans.ItemPlan("WID-1", ("1010", "1020"), ("Z8",))
WIDGET = {
    "Product": "WID-1", "BaseUnit": "PC", "GrossWeight": "1.250", "WeightUnit": "KG", "CrossPlantStatus": "",
    "ProductStandardID": "4006381333931", "IsMarkedForDeletion": False, "IsBatchManagementRequired": False,
    "LastChangeDateTime": "/Date(1763974502123+0000)/",
    "to_Description": {"results": [
        {"Language": "DE", "ProductDescription": "Dings"}, {"Language": "EN", "ProductDescription": "Widget"},
    ]},
    "to_Plant": {"results": []},
    "to_ProductUnitsOfMeasure": {"results": [
        {
            "AlternativeUnit": "PC", "QuantityNumerator": "1", "QuantityDenominator": "1", "GlobalTradeItemNumber": "",
            "UnitSpecificProductLength": "10.500", "UnitSpecificProductWidth": "4.000",
            "UnitSpecificProductHeight": "0.000", "ProductMeasurementUnit": "CM",
        },
        {
            "AlternativeUnit": "CAR", "QuantityNumerator": "12", "QuantityDenominator": "1",
            "GlobalTradeItemNumber": "14006381333938", "UnitSpecificProductLength": "400.000",
            "ProductMeasurementUnit": "MM",
        },
        {"AlternativeUnit": "KG", "QuantityNumerator": "4", "QuantityDenominator": "5", "GlobalTradeItemNumber": None},
    ]},
}  # fmt: skip


def said(plan: plans.ItemPlan = PLAN, **changes: Any) -> ItemDefined:
    return product.to_item(msgspec.convert(WIDGET | changes, product.Product, strict=False), plan)


def plant(number: str, **fields: Any) -> dict[str, Any]:
    return {"Plant": number, **fields}


def test_a_product_is_read_exactly() -> None:
    """Units are whole numbers in the hub's codes, lengths millimetres, the weight is the packed one's."""
    assert said() == ItemDefined(
        item="WID-1",
        description="Widget",
        base_unit="H87",
        units=(
            ItemUnit("H87", 1, 1, "4006381333931"), ItemUnit("XCT", 12, 1, "14006381333938"), ItemUnit("KGM", 4, 5),
        ),
        weight=Quantity(Decimal("1.250"), "KGM"),
        length=Decimal(105),
        width=Decimal(40),
    )  # fmt: skip


def test_a_bare_product_is_an_item_too() -> None:
    """Nothing but its number and unit: what SAP leaves empty is not known, and no zero."""
    bare = msgspec.convert(
        {"Product": "X", "BaseUnit": "EA", "GrossWeight": "0.000"}, product.Product, strict=False
    )

    assert product.to_item(bare, PLAN) == ItemDefined(item="X", base_unit="EA")
    assert product.changed_at(bare) is None


@pytest.mark.parametrize(
    ("changes", "tracked_by"),
    [
        ({}, ""),
        ({"IsBatchManagementRequired": True}, "lot"),
        ({"to_Plant": {"results": [plant("1020", IsBatchManagementRequired=True)]}}, "lot"),
        ({"to_Plant": {"results": [plant("9999", IsBatchManagementRequired=True)]}}, ""),
        ({"to_Plant": {"results": [plant("1010", SerialNumberProfile="0001")]}}, "serial"),
        ({"to_Plant": {"results": [plant("9999", SerialNumberProfile="0001")]}}, ""),
        (
            {
                "IsBatchManagementRequired": True,
                "to_Plant": {"results": [plant("1010", SerialNumberProfile="0001")]},
            },
            "serial",
        ),
    ],
)
def test_lots_and_serials_count_in_our_plants(changes: dict[str, Any], tracked_by: str) -> None:
    """A plant of somebody else says nothing of how our warehouses keep it; serials go before batches."""
    assert said(**changes).tracked_by == tracked_by


def test_without_configured_plants_all_count() -> None:
    """Where every location is its own plant, any of them may be ours."""
    plants = {"to_Plant": {"results": [plant("9999", SerialNumberProfile="0001")]}}

    assert said(replace_plants(()), **plants).tracked_by == "serial"


def replace_plants(plants: tuple[str, ...]) -> plans.ItemPlan:
    return msgspec.structs.replace(PLAN, plants=plants)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"IsMarkedForDeletion": True}, "discontinued"),
        ({"CrossPlantStatus": "Z8"}, "discontinued"),
        ({"CrossPlantStatus": "01"}, "active"),
        (
            {"to_Plant": {"results": [plant("1010", IsMarkedForDeletion=True), plant("1020")]}},
            "active",
        ),
        (
            {"to_Plant": {"results": [plant("1010", IsMarkedForDeletion=True), plant("9999")]}},
            "discontinued",
        ),
    ],
)
def test_what_ends_an_item(changes: dict[str, Any], status: str) -> None:
    """A deletion mark for all or in all of our plants, or a status that the account names."""
    assert said(**changes).status == status


@pytest.mark.parametrize("numbers", [("0", "1"), ("1", "0"), ("1.5", "1"), ("NaN", "1"), ("-1", "1")])
def test_a_conversion_that_is_none_is_refused(numbers: tuple[str, str]) -> None:
    """Half a piece in a carton would be invented stock: the unit is named."""
    row = {"AlternativeUnit": "CAR", "QuantityNumerator": numbers[0], "QuantityDenominator": numbers[1]}

    with pytest.raises(Rejected, match="CAR"):
        said(to_ProductUnitsOfMeasure={"results": [row]})


def test_what_is_no_gtin_is_left_out() -> None:
    """SAP keeps numbers of other categories in the same field."""
    row = {"AlternativeUnit": "CAR", "QuantityNumerator": "2", "QuantityDenominator": "1"}
    items = [
        said(to_ProductUnitsOfMeasure={"results": [row | {"GlobalTradeItemNumber": number}]}).units[0].gtin
        for number in ("40063813", "HE-4711", "400638133393", "123456789")
    ]

    assert items == ["40063813", "", "400638133393", ""]


def test_units_go_out_as_they_came_in() -> None:
    """What SAP calls it is what SAP hears again, and an inch is exactly 25.4 mm."""
    for unit in ("EA", "PC", "KG", "CAR", "PAL", "SET", "DZ"):
        assert sap_unit(to_unit(unit)) == unit
    assert to_millimetres(Decimal("2.000"), '"') == Decimal("50.8")
    assert to_millimetres(Decimal(2), "KG") is None


async def test_an_item_is_fetched_with_the_time_of_its_last_change(sap: Sap) -> None:
    """The receipt is the item, its sequence SAP's own change time; a quote in the number is no way out of the path."""
    odd = "O'NEIL/1 %"
    await put(
        sap,
        {odd: {"descriptions": {"EN": "Odd"}, "units": {"CAR": {"numerator": 6, "gtin": "14006381333938"}}}},
    )

    first = await sap.done(sap.fetch(odd))
    await put(sap, {odd: {"batches": True}})
    second = await sap.done(sap.fetch(odd))

    assert first.receipt == ItemDefined(
        item=odd, description="Odd", units=(ItemUnit("EA", 1), ItemUnit("XCT", 6, 1, "14006381333938"))
    )
    assert second.receipt == msgspec.structs.replace(first.receipt, tracked_by="lot")
    assert first.document == odd
    assert first.sequence is not None
    assert second.sequence is not None
    assert first.sequence < second.sequence
    assert sap.journal("item.fetch") == [("item.fetch", odd, odd)] * 2


async def test_an_unknown_item_is_an_answer_not_a_failure(sap: Sap) -> None:
    """Nothing to retry and nothing refused: it is done without a receipt, and SAP's words are kept."""
    done = await sap.client.send(sap.fetch("NOPE"))
    too_long = await sap.client.send(sap.fetch("X" * 41))

    assert isinstance(done, Done)
    assert (done.document, done.receipt) == ("", None)
    assert b"A_ProductType" in done.answer
    assert too_long == Done(document="")
    assert isinstance(await sap.client.look_up(sap.fetch("NOPE")), CannotTell)


async def test_a_missing_service_is_not_taken_for_a_missing_item(sap: Sap) -> None:
    """A page of a proxy that says 404 knows nothing of products: a person has to look."""
    account = replace(sap.account, base_url=f"{sap.account.base_url}/elsewhere")
    client = CONNECTOR.open(account, sap.transport)

    refused = await client.send(sap.fetch("WID-1"))

    assert isinstance(refused, Refused)
    assert refused.code == "HTTP 404"


async def test_a_nonsensical_conversion_is_refused_with_the_product(sap: Sap) -> None:
    """Asking again gives the same: the product and its unit are named for whoever maintains it."""
    await put(sap, {"BAD-1": {"units": {"CAR": {"numerator": 0}}}})

    refused = await sap.client.send(sap.fetch("BAD-1"))

    assert isinstance(refused, Refused)
    assert "BAD-1" in refused.reason
    assert "CAR" in refused.reason


@pytest.mark.parametrize("quirk", ["unavailable", "throttle_429", "answer_lost", "gateway_html_502"])
async def test_whatever_befalls_a_question_it_is_asked_again(sap: Sap, quirk: str) -> None:
    """Nothing is booked, so every failure is certain; afterwards the answer comes."""
    sap.quirk(**{quirk: 1})
    assert isinstance(await sap.client.send(sap.fetch("WID-1")), RetryLater)

    sap.quirk(**{quirk: 0})
    assert (await sap.done(sap.fetch("WID-1"))).document == "WID-1"


async def put(sap: Sap, products: dict[str, Any]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{sap.account.base_url}/_twin/products", json=products) as answer,
    ):
        assert answer.status == 200


@dataclass
class Hub:
    """Takes in what SAP sends as a hub does: first who it is, then what it says."""

    answers: list[int]
    taken: list[Translation] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        inbound = Inbound(
            channel=request.match_info["channel"],
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            received_at=datetime.now(UTC),
        )
        CONNECTOR.authenticate(inbound, ACCOUNT)
        self.taken.append(CONNECTOR.translate(inbound, ACCOUNT))
        return web.Response(status=self.answers.pop(0) if self.answers else 202)

    def items(self) -> list[str]:
        return [event.data.item for x in self.taken for event in x.events]


@dataclass
class Pushing:
    """A twin that sends to `hub`."""

    twin: Twin
    url: str
    hub: Hub

    async def put(self, products: dict[str, Any]) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.url}/_twin/products", json=products) as answer,
        ):
            assert answer.status == 200

    async def until_sent(self) -> None:
        async with asyncio.timeout(10):
            while self.twin.books.rows("select 1 from outbox where status is null"):
                await asyncio.sleep(0.02)


@pytest.fixture
async def pushing(tmp_path: Path) -> AsyncIterator[Pushing]:
    hub = Hub(answers=[])
    app = web.Application()
    app.router.add_post("/v1/in/sap-eu/{channel}", hub.receive)
    receiving = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await receiving.setup()
    await web.TCPSite(receiving, "127.0.0.1", 0).start()
    hub_url = f"http://127.0.0.1:{receiving.addresses[0][1]}"
    twin, runner, url, _ = await start(tmp_path / "books.db", hub_url=hub_url)
    yield Pushing(twin, url, hub)
    await runner.cleanup()
    await receiving.cleanup()


async def test_a_change_of_a_product_is_told(pushing: Pushing) -> None:
    """Created, then changed: each is one notice with an id of its own."""
    await pushing.put({"NEW-1": {}})
    await pushing.put({"NEW-1": {"deleted": True}})
    await pushing.until_sent()

    assert pushing.hub.items() == ["NEW-1", "NEW-1"]
    assert len({x.source_id for x in pushing.hub.taken}) == 2
    topics = [row[0] for row in pushing.twin.books.rows("select topic from outbox order by id")]
    assert [topic.split(".")[-2] for topic in topics] == ["Created", "Changed"]


async def test_a_notice_is_repeated_until_it_is_taken_and_keeps_its_id(pushing: Pushing) -> None:
    """A lost answer and a doubled delivery are the same event to the hub."""
    pushing.hub.answers = [503]
    pushing.twin.quirks.set({"duplicate_event": 1})

    await pushing.put({"NEW-1": {}})
    await pushing.until_sent()

    assert len(pushing.hub.taken) >= 2
    assert len({x.source_id for x in pushing.hub.taken}) == 1


async def test_a_notice_may_be_overtaken(pushing: Pushing) -> None:
    """With `reordered_event` later notices arrive before earlier ones."""
    names = [f"N-{number}" for number in range(6)]
    pushing.twin.quirks.set({"reordered_event": 1})

    await pushing.put({name: {} for name in names})
    await pushing.until_sent()

    assert sorted(pushing.hub.items()) == names
    assert pushing.hub.items() != names


def test_nothing_comes_in_without_a_configured_password() -> None:
    """An account that names no event user lets in nobody, not even with an empty password."""
    message = Inbound(channel=CHANNEL, headers={}, body=b"{}", received_at=datetime.now(UTC))
    closed = replace(ACCOUNT, secrets={"user": "U", "password": "P"})
    rotating = replace(
        ACCOUNT, secrets=ACCOUNT.secrets | {"event_password": "next", "event_password_previous": "last"}
    )
    last = replace(ACCOUNT, secrets=ACCOUNT.secrets | {"event_password": "last"})

    with pytest.raises(Unauthenticated):
        CONNECTOR.authenticate(replace(message, headers=CONNECTOR.sign(message, closed, "")), closed)
    CONNECTOR.authenticate(replace(message, headers=CONNECTOR.sign(message, last, "")), rotating)
