"""What a company decides and a process obeys; compiled from the landscape, given to every step."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from crossdock.model.causes import CauseRule
from crossdock.model.stock import Change
from crossdock.processes.desk import Desk
from crossdock.processes.routing import Routing, books_goods_of, zone
from crossdock.processes.watching import Telling

Shortage = Literal["hold", "backorder", "cancel"]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=366 * 24 * 60)]
PER_COMPANY: Final = frozenset({
    "notify", "follow", "erp_check", "claim_when", "approvals", "address_needed", "unknown_item", "price_tolerance",
    "shortage", "short_pick", "over_ship_tolerance", "substitution", "recheck_seconds", "rechecks_max", "invoice_needs", "supplier_invoice_needs",
    "notify_about", "clocks",
})  # fmt: skip
"""What companies that share a hub may decide differently: everything about an order once it is known whose it is."""


class Clocks(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How long what should come may stay away before somebody hears of it; 0: for ever."""

    acknowledgement_minutes: Minutes = 240
    """The warehouse's word that it has a release; working time of the node."""
    label_minutes: Minutes = 60
    """A carrier's label, or a carrier that takes the load, after packing; working time of the node."""
    first_scan_minutes: Minutes = 24 * 60
    """The carrier's first scan, after departure."""
    goods_issue_minutes: Minutes = 120
    """The goods issue's document number, after departure."""
    delivery_minutes: Minutes = 24 * 60
    """Proof of delivery, after the end of the promised day; and after departure."""
    transit_minutes: Minutes = 10 * 24 * 60
    """Proof of delivery after departure, where no day was promised."""
    freight_bill_minutes: Minutes = 0
    """The carrier's bill, after departure. Off: many carriers bill once a month, on paper."""


class Policy(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Accounts by role, and the rules of the founding process. Seconds count on the business clock."""

    erp: str = "erp"
    warehouse: str = "warehouse"
    carrier: str = "carrier"
    location: str = "SITE1"
    notify: tuple[str, ...] = ()
    """Systems that tell the customer: CRM, portal, e-mail."""
    follow: tuple[str, ...] = ()
    """Systems that want every milestone of a parcel, the ERP among them."""
    channels: tuple[str, ...] = ()
    """Storefronts that show availability."""
    channels_held: tuple[str, ...] = ()
    """Those of them that must not sell for now: they are told 0 of everything."""
    routing: Routing = Routing()
    """The tables of `routing.yaml`."""
    erp_check: Literal["wait", "beside", "none"] = "wait"
    """Whether credit, availability and price are asked first, asked while the order goes on, or not asked."""
    claim_when: Literal["checked", "received"] = "checked"
    """When stock is set aside: after the ERP's check, or before it."""
    approvals: tuple[str, ...] = ()
    """Holds that every order has until somebody releases them by name: a fraud check, say."""
    address_needed: bool = False
    """Hold an order that names no destination country."""
    unknown_item: Literal["reject", "hold"] = "reject"
    price_tolerance: Decimal = Decimal("0.01")
    """Largest accepted difference between shop and ERP net price, as a share of the ERP's."""
    shortage: Shortage = "hold"
    """What happens to an order when there is not enough stock to promise all of it."""
    short_pick: Shortage = "backorder"
    """What happens to a quantity that the warehouse could not find."""
    over_ship_tolerance: Decimal = Decimal("0.1")
    """Share of the ordered quantity that may be packed beyond it; more goes on and becomes a case."""
    substitution: Literal["accept", "refuse"] = "accept"
    """Whether the warehouse may pack another item for a line; refused ones become a case."""
    recheck_seconds: int = 300
    """How often a held order is put to the ERP or the ledger again, and a backorder to the ledger."""
    rechecks_max: int = 100
    invoice_needs: tuple[Literal["goods_issue", "delivery"], ...] = ("goods_issue", "delivery")
    supplier_invoice_needs: tuple[Literal["dispatch", "delivery"], ...] = ("dispatch",)
    """The same for what a supplier sends: his notice of all of it in any case, and proof of delivery."""
    notify_about: tuple[str, ...] = (
        "approved", "rejected", "cancelled", "changed", "shipped", "attempt_failed", "available_for_pickup", "returned", "lost",
    )  # fmt: skip
    """What customers hear of: the order's own turns, and milestones of its parcels."""
    freight_tolerance: Decimal = Decimal("0.05")
    """Largest difference between accrued and billed freight that is adjusted without a person."""
    over_receipt_tolerance: Decimal = Decimal("0.1")
    """Share of the expected quantity that may come beyond it and be sold; more is put aside until a person accepts it."""
    transit_days_max: int = 14
    """Days on the business clock after which a transfer that has not arrived becomes a case."""
    transfer_settle_max: Decimal = Decimal(0)
    """Largest quantity of one line, in its unit, lost in a transfer that is settled without a person."""
    settle_quantity_max: Decimal = Decimal(0)
    """Largest stock difference, in the item's unit, that a reconciliation settles without a person."""
    settle_value_max: Decimal | None = None
    """Largest value of such a difference, where the item has a cost; none: only the quantity counts."""
    adjustments: tuple[Change, ...] = ("gain", "loss", "hold", "release", "scrap")
    """What the ERP is told of stock that changes without an order; what is left out it books by itself."""
    scrap_reasons: tuple[str, ...] = ("scrap", "scrapped", "destroyed", "damaged", "expired")
    """Reasons of a warehouse, in whatever case, for which what is gone was destroyed and is not missing."""
    master_authority: dict[str, str] = {}
    """Kind of master data (item, customer, location, carrier, codelist) → the system whose word about it counts."""
    four_eyes: tuple[Literal["message", "event", "code", "rule", "erasure", "reversal"], ...] = (
        "event", "code", "rule", "erasure", "reversal",
    )  # fmt: skip
    """Kinds of corrections that a second person must approve; the others count at once. `rule`: who proposed the
    correction does not promote it. `erasure`: of a person's data. `reversal`: a second
    person must ask for the reversal of a goods issue as well."""
    item_fetch: bool = False
    """Whether that system is asked for an item that is missing or was changed."""
    own: dict[str, str] = {}
    """Settings of the company's own processes, by whatever names they use."""
    parent_wait_seconds: int = 900
    """How long an event may wait for the one that should have come before it."""
    causes: dict[str, CauseRule] = {}
    """What this company says otherwise of the causes of cases, and causes of its own."""
    desk: Desk = Desk()
    """When somebody is there to settle cases."""
    telling: Telling = Telling()
    """How those who watch a case are told what happens to it."""
    clock_ahead_seconds: int = 300
    """How far a partner's clock may run ahead before its time is not believed."""

    clocks: Clocks = Clocks()
    """What must come in time, and how long it may take."""
    companies: dict[str, "Policy"] = {}
    """What companies named in the routing table decide otherwise: the whole policy of each."""

    def of(self, company: str) -> "Policy":
        """The rules of the company that an order belongs to."""
        return self.companies.get(company, self)

    def warehouse_of(self, location: str) -> str:
        """The system that gets this node's work, and whose word about it counts."""
        node = self.routing.nodes.get(location)
        return node.warehouse if node else self.warehouse

    def is_supplier(self, location: str) -> bool:
        """Whether what is sent from there was never ours."""
        node = self.routing.nodes.get(location)
        return node is not None and node.kind == "supplier"

    def is_watched(self, location: str) -> bool:
        """Whether clocks run for what happens there: not for suppliers, nor where another system still runs the site."""
        node = self.routing.nodes.get(location)
        return node is None or (node.kind == "site" and not node.parallel)

    def source_at(self, system: str, location: str) -> str:
        """Whom to answer about goods that `system` reported at this node."""
        return system if location in self.routing.nodes else self.warehouse

    def erp_of_node(self, location: str) -> str:
        node = self.routing.nodes.get(location)
        return node.erp if node and node.erp else self.erp

    def books_stock(self, location: str, owner: str = "") -> str:
        """The ERP that has these goods in its books; empty where none of ours has: a supplier's, or whose nobody knows."""
        if self.is_supplier(location):
            return ""
        if not owner:
            return self.erp_of_node(location)
        rule = books_goods_of(self.routing, owner, location, self.location)
        return (rule.erp or self.erp) if rule else ""

    def adjustments_at(self, location: str) -> tuple[Change, ...]:
        node = self.routing.nodes.get(location)
        return self.adjustments if node is None or node.adjustments is None else node.adjustments

    def day_at(self, location: str, at: datetime) -> date:
        """The calendar day of an instant by the clock of a node; a node nobody listed keeps UTC."""
        node = self.routing.nodes.get(location)
        return at.astimezone(zone(node.time_zone if node else "UTC")).date()

    def keeps_stock(self, system: str, location: str) -> bool:
        """Whether the stock that `system` has there is to be the ledger's: a warehouse's own, and of ERPs that of the one whose
        books the node, or another owner's goods there, are in. Another company's ERP has its own issues from there and no more.
        """
        sold = (x.erp for x in self.routing.orders if x.owner and location in (x.nodes or (self.location,)))
        return self.speaks_for(system, location) or system in (self.erp_of_node(location), *sold)

    def speaks_for(self, system: str, location: str) -> bool:
        """Whether what `system` says about this node counts; a node nobody listed is anybody's."""
        node = self.routing.nodes.get(location)
        return node is None or system in (node.warehouse, node.leaving)
