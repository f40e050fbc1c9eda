"""A running twin with a client of it, and short words for payloads, for the tests of this folder."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import Account, Call, Done
from crossdock.connect.manifest import load_manifest
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.sap_s4 import mapping
from crossdock.connectors.sap_s4.client import SapClient
from crossdock.connectors.sap_s4.twin import build
from crossdock.model import requests
from crossdock.model.master import FetchItem
from crossdock.model.money import Money
from crossdock.model.order import LineAllocation, LineShipped, OrderLine
from crossdock.model.party import Party, People
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import FreightShare, GoodsIssuePosted, Milestone

HERE = Path(__file__).parent
MANIFEST = load_manifest(HERE / "manifest.toml")
ACCOUNT = msgspec.json.decode((HERE / "fixtures" / "account.json").read_bytes(), type=Account)
SECRETS = ACCOUNT.secrets
PAYLOADS = {
    "order.check": requests.CheckOrder,
    "sales_order.create": requests.CreateSalesOrder,
    "sales_order.change": requests.ChangeSalesOrder,
    "sales_order.cancel": requests.CancelSalesOrder,
    "reservation.update": requests.UpdateReservation,
    "goods_issue.post": requests.PostGoodsIssue,
    "goods_issue.reverse": requests.ReverseGoodsIssue,
    "inbound.fetch": requests.FetchInbound,
    "goods_receipt.post": requests.PostGoodsReceipt,
    "transfer_issue.post": requests.PostTransferIssue,
    "consignment.withdraw": requests.WithdrawConsigned,
    "stock_adjustment.post": requests.PostStockAdjustment,
    "credit.post": requests.PostCredit,
    "freight.accrue": requests.AccrueFreight,
    "freight.adjust": requests.AdjustFreight,
    "milestone.record": requests.RecordMilestone,
    "invoice.release": requests.ReleaseInvoice,
    "item.fetch": FetchItem,
}
FIXTURES = sorted(
    path for path in (HERE / "fixtures").glob("out_*.json") if not path.stem.endswith(".expected")
)
REFERENCE = "shop-eu/1042"
SHIPMENT = "S-77"
BILLED = date(2026, 12, 3)
DEPARTED = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
LINE = OrderLine("14001", "WID-1", Quantity(Decimal(2)), Money(Decimal("12.50"), "EUR"))
NOBODY = People()
SHIP_TO = People(ship_to=Party(name="Rosa Example", lines=("Testweg 7",), city="Ulm", country="DE"))


@dataclass
class Sap:
    """A running twin, a client of it, and short words for the payloads."""

    twin: Twin
    account: Account
    transport: Transport
    client: SapClient
    token_fetches: list[str] = field(default_factory=list)

    def call(self, kind: str, payload: msgspec.Struct, people: People = NOBODY) -> Call:
        body = mapping.render(kind, payload, people, self.account)
        return Call(effect=str(uuid4()), attempt=1, kind=kind, body=body, timeout_seconds=5)

    def order(self, reference: str = REFERENCE, *lines: OrderLine) -> Call:
        total = Money(Decimal(25), "EUR")
        payload = requests.CreateSalesOrder(reference, "1042", lines or (LINE,), "SITE1", total)
        return self.call("sales_order.create", payload, SHIP_TO)

    def check(self, reference: str = REFERENCE, *lines: OrderLine) -> Call:
        return self.call("order.check", requests.CheckOrder(reference, lines or (LINE,), "SITE1"))

    def change(self, order: str, *lines: OrderLine) -> Call:
        payload = requests.ChangeSalesOrder(REFERENCE, order, lines, reason="customer")
        return self.call("sales_order.change", payload)

    def goods_issue(
        self,
        order: str,
        quantity: int = 2,
        shipment: str = SHIPMENT,
        *,
        item: str = "WID-1",
        location: str = "SITE1",
    ) -> Call:
        lines = (LineShipped(REFERENCE, "14001", item, Quantity(Decimal(quantity))),)
        payload = requests.PostGoodsIssue(shipment, REFERENCE, order, location, lines, DEPARTED)
        return self.call("goods_issue.post", payload)

    def adjustment(self, difference: str, invoice: str = "RDWY-50001", *shares: FreightShare) -> Call:
        payload = requests.AdjustFreight(
            SHIPMENT, "RDWY", invoice, "0100000000", Money(Decimal(difference), "EUR"), BILLED, shares
        )
        return self.call("freight.adjust", payload)

    def freight(self) -> Call:
        amount = Money(Decimal("7.77"), "EUR")
        return self.call("freight.accrue", requests.AccrueFreight(SHIPMENT, "ups & co", amount, DEPARTED))

    def invoice(self, delivery: str) -> Call:
        payload = requests.ReleaseInvoice(REFERENCE, SHIPMENT, "0000000001", delivery, "4900000000")
        return self.call("invoice.release", payload)

    def fetch(self, item: str) -> Call:
        return self.call("item.fetch", FetchItem(item))

    def cancel(self, order: str) -> Call:
        return self.call(
            "sales_order.cancel", requests.CancelSalesOrder(REFERENCE, order, ("14001",), "customer")
        )

    def milestone(self, delivery: str, milestone: Milestone = "in_transit", tracking: str = "1Z") -> Call:
        payload = requests.RecordMilestone(
            SHIPMENT, REFERENCE, delivery, milestone, "ACT", tracking, "ups", DEPARTED
        )  # fmt: skip
        return self.call("milestone.record", payload)

    def reservation(self, order: str, quantity: int = 1, line: str = "14001") -> Call:
        lines = (LineAllocation(line, "WID-1", Quantity(Decimal(quantity)), "SITE1"),)
        return self.call("reservation.update", requests.UpdateReservation(REFERENCE, order, lines))

    async def ordered(self) -> str:
        return (await self.done(self.order())).document

    async def delivered(self) -> str:
        """A goods-issued delivery."""
        receipt = (await self.done(self.goods_issue(await self.ordered()))).receipt
        assert isinstance(receipt, GoodsIssuePosted)
        return receipt.delivery

    async def done(self, call: Call) -> Done:
        outcome = await self.client.send(call)
        assert isinstance(outcome, Done), outcome
        return outcome

    def journal(self, effect: str = "") -> list[tuple[str, str, str]]:
        rows = self.twin.books.rows("select effect, reference, key from journal order by id")
        return [row for row in rows if effect in ("", row[0])]

    def quirk(self, **rates: float) -> None:
        self.twin.quirks.set(rates)


async def start(
    books: Path, *, hub_url: str = "http://127.0.0.1:9", **settings: str
) -> tuple[Twin, web.AppRunner, str, list[str]]:
    setup = TwinSetup(
        name="erp",
        system="sap-eu",
        hub_url=hub_url,
        books=books,
        settings=settings,
        secrets=SECRETS,
    )
    twin = Twin(setup, MANIFEST.quirks)
    build(twin)
    fetches: list[str] = []

    async def note_token_fetch(request: web.Request, _: web.StreamResponse) -> None:
        if request.headers.get("x-csrf-token") == "Fetch":
            fetches.append(request.path)

    twin.app.on_response_prepare.append(note_token_fetch)
    runner = web.AppRunner(twin.app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    return twin, runner, f"http://127.0.0.1:{port}", fetches


def master_data(twin: Twin) -> None:
    with twin.books.change():
        for sku, available in (("WID-1", "100000"), ("WID-9", "100000"), ("RARE", "1")):
            row = {"price": "12.50", "currency": "EUR", "unit": "EA", "available": available}
            twin.books.put("material", sku, row)


@pytest.fixture
async def sap(tmp_path: Path) -> AsyncIterator[Sap]:
    twin, runner, url, fetches = await start(
        tmp_path / "books.db", sap_client="100", sales_organization="1010"
    )
    master_data(twin)
    account = replace(ACCOUNT, base_url=url)
    transport = Transport()
    yield Sap(twin, account, transport, SapClient(account, transport), fetches)
    await transport.close()
    await runner.cleanup()


def replace_line(line: OrderLine, number: str, item: str) -> OrderLine:
    return OrderLine(number, item, line.ordered, line.unit_price)
