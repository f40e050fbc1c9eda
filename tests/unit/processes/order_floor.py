"""One order and the real rules of the ledger, without a database: what the order's steps want is carried out at once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.model import order as o
from crossdock.model.envelope import Recorded
from crossdock.model.master import ItemDefined
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimLine, ClaimRefused, StockPlace
from crossdock.processes import order
from crossdock.processes.demand import taken_apart
from crossdock.processes.intents import Claim, CloseCase, Do, Intent, Move, OpenCase
from crossdock.processes.lines import lawful
from crossdock.processes.policy import Policy
from crossdock.processes.routing import consigned
from crossdock.store import stock
from crossdock.store.held import Held

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = NOW.date()
POLICY = Policy(erp_check="none", claim_when="received", location="SITE1", channels=("shop",))
PRICE = Money(Decimal(10), "EUR")
Told = tuple[str, str, int, str]
"""(line, item, pieces, lot)"""


class Floor:
    """`shelves`: (item, lot) → (pieces, last day of sale); `others`: (item, owner) → pieces; `claimed`: what its checkout
    claimed (item, pieces), which the order then names. Lines of the order are numbered from 1.
    """

    def __init__(
        self, wanted: list[tuple[str, int]], shelves: dict[tuple[str, str], tuple[int, date | None]],
        items: dict[str, ItemDefined] | None = None, policy: Policy = POLICY, price: Money = PRICE,
        others: dict[tuple[str, str], int] | None = None, claimed: list[tuple[str, int]] | None = None,
    ) -> None:  # fmt: skip
        self.state: Any = order.initial("order/shop/1")
        self.items, self.policy = items or {}, policy
        self.balances: dict[stock.Key, stock.Balance] = {}
        for item, _ in wanted:
            self.shelf(item, "", 0, None)
        for (item, lot), (pieces, ends) in shelves.items():
            self.shelf(item, lot, pieces, ends)
        for (item, owner), pieces in (others or {}).items():
            self.shelf(item, "", pieces, None, owner)
        self.held: dict[str, Held] = {}
        self.claims: list[Claim] = []
        self.short = 0
        self.done: list[Do] = []
        self.open_cases: dict[str, OpenCase] = {}
        """Open ones, by their key."""
        lines = tuple(
            o.OrderLine(str(n), item, Quantity(Decimal(pieces)), price)
            for n, (item, pieces) in enumerate(wanted, 1)
        )
        if claimed is not None:
            self.check_out(claimed)
        self.say(
            o.OrderReceived(
                number="#1", reference="shop/1", channel="shop", total=price, lines=lines,
                claim="" if claimed is None else "cart",
            )
        )  # fmt: skip

    def check_out(self, claimed: list[tuple[str, int]]) -> None:
        """The order's checkout claims these; the order will name the claim."""
        lines = tuple(
            ClaimLine(f"c{n}", StockPlace(item, "SITE1"), Quantity(Decimal(pieces)))
            for n, (item, pieces) in enumerate(claimed)
        )
        claim, _ = taken_apart(Claim("cart", lines, kind="soft", good_on=TODAY, channel="shop"), self.items)
        settled = stock.settle([stock.Wish(claim, b"", "claim/cart", "c", NOW)], self.balances, 1, self.held)
        assert settled.granted
        self.held = settled.claims

    def shelf(self, item: str, lot: str, pieces: int, ends: date | None, owner: str = "") -> None:
        key = (item, "SITE1", lot, owner, "")
        buckets = dict.fromkeys(stock.BUCKETS, Decimal(0)) | {"available": Decimal(pieces)}
        self.balances[key] = stock.Balance(len(self.balances), key, "EA", buckets, False, 0, None, ends)

    def say(
        self, data: msgspec.Struct, about: str = "", sequence: int | None = None, source: str = "wms"
    ) -> None:
        event = Recorded(
            thread="order/shop/1", type=TYPE_OF[type(data)], data=data, id=repr(data), source=source, occurred_at=NOW, recorded_at=NOW,
            about=about, sequence=sequence,
        )  # fmt: skip
        step = order.step(self.state, event, self.policy)
        self.state = step.state
        assert all(lawful(line) for line in self.state.lines)
        for intent in step.intents:
            self.carry_out(intent)

    def carry_out(self, intent: Intent) -> None:
        if isinstance(intent, Do):
            self.done.append(intent)
        if isinstance(intent, OpenCase | CloseCase):
            self.open_cases = {k: v for k, v in self.open_cases.items() if k != intent.key}
            if isinstance(intent, OpenCase):
                self.open_cases[intent.key] = intent
        if not isinstance(intent, Claim | Move):
            return
        wish = stock.Wish(intent, b"", "order/shop/1", "e", NOW)
        if isinstance(intent, Claim):
            self.claims.append(intent)
            wish.what, wish.kits = taken_apart(self.dated(intent), self.items)
        settled = stock.settle([wish], self.balances, 1, self.held)
        self.held = settled.claims
        self.short += len(settled.short)
        for one, served, missing in settled.granted:
            name = one.what.claim
            self.say(ClaimGranted(name, served, missing, one.kits, settled.took.get(name)))  # type: ignore[union-attr]
        for one, missing in settled.refused:
            name = one.what.claim
            self.say(ClaimRefused(name, missing, settled.took.get(name)))  # type: ignore[union-attr]

    def dated(self, claim: Claim) -> Claim:
        """As the runtime completes it."""
        return msgspec.structs.replace(claim, good_on=TODAY, consigned=consigned(self.policy.routing))

    def of_owners(self, bucket: str = "available") -> dict[str, int]:
        """Owner → pieces in a bucket, where there are any."""
        found: dict[str, int] = {}
        for key, balance in self.balances.items():
            if balance.buckets[bucket]:
                found[key[3]] = found.get(key[3], 0) + int(balance.buckets[bucket])
        return found

    def bucket(self, name: str) -> dict[tuple[str, str], int]:
        """(item, lot) → pieces in a bucket of the ledger, where there are any."""
        return {(k[0], k[2]): int(b.buckets[name]) for k, b in self.balances.items() if b.buckets[name]}

    def part(self, name: str) -> dict[tuple[str, str], int]:
        """(item, lot) → pieces in a part of the order's lines."""
        found: dict[tuple[str, str], int] = {}
        for line in self.state.lines:
            if getattr(line, name):
                key = (line.item, line.lot)
                found[key] = found.get(key, 0) + int(getattr(line, name))
        return found

    def told(self, kind: str) -> list[Any]:
        """What systems were asked for, of one kind."""
        return [x.payload for x in self.done if x.kind == kind]

    def allocate(self, *told: Told) -> None:
        lines = tuple(
            o.LineAllocation(n, item, Quantity(Decimal(q)), "SITE1", lot) for n, item, q, lot in told
        )
        self.say(o.OrderAllocated(lines))

    def pack(self, shipment: str, *told: Told) -> None:
        self.say(o.LinesPacked(shipment=shipment, lines=_boxes(told), location="SITE1"))

    def ship(self, shipment: str, *told: Told) -> None:
        self.say(
            o.LinesShipped(shipment=shipment, carrier="ups", tracking=(), lines=_boxes(told), location="SITE1")
        )  # fmt: skip


def _boxes(told: tuple[Told, ...]) -> tuple[o.LineShipped, ...]:
    return tuple(o.LineShipped("shop/1", n, item, Quantity(Decimal(q)), lot) for n, item, q, lot in told)
