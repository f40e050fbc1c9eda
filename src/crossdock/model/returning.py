"""Goods that customers send back (X12 180, EDIFACT RETANN and RETINS; CBV bizTransaction `rma`, disposition `returned`).

What the warehouse receives of them is `inbound.received`, as of whatever comes in; it is not for sale until it was judged.
"""

from datetime import date
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.stock import TakenApart

Disposition = Literal["restock", "refurbish", "vendor", "scrap"]
"""Back for sale, to be repaired, back to the supplier, or destroyed."""
CreditWhen = Literal["judged", "at_once"]


class ReturnLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`line` is the return's own, `order_line` the order's. `item` may be empty where only the order knows it."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    order_line: str
    item: str
    quantity: Quantity
    reason: str = ""


class ReturnAuthorised(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A customer may send these goods back (RMA) to a site, until a day. `order` is the order's reference.

    `credit`: `at_once` where the customer is refunded before the goods are back.
    """

    data_class: ClassVar[DataClass] = "commercial"

    number: str
    order: str
    lines: tuple[ReturnLine, ...]
    location: str = ""
    until: date | None = None
    credit: CreditWhen = "judged"


class ReturnIdentified(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse read on a slip which order goods came back from that nobody had authorised."""

    data_class: ClassVar[DataClass] = "commercial"

    order: str
    lines: tuple[ReturnLine, ...]


class ReturnCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """It will not be sent back."""

    data_class: ClassVar[DataClass] = "internal"

    reason: str = ""


class ReturnAsked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A return asks its order what left of it, at what price, by which documents."""

    data_class: ClassVar[DataClass] = "commercial"

    thread: str
    lines: tuple[ReturnLine, ...]


class MatchedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """So much of a line left with one shipment and may come back. `price` is what one of `quantity`'s unit was sold for.

    Of a component, `kit` is what was sold and billed, and `amount` this quantity's share of its price, exactly; `price` is
    then one unit's, rounded down.
    """

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    order_line: str
    item: str
    quantity: Quantity
    price: Money
    shipment: str
    goods_issue: str = ""
    """The ERP's document of the original issue: the cost it is taken back at."""
    invoice: str = ""
    kit: str = ""
    amount: Money | None = None


class ReturnMatched(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The order's answer. `known` is false where nobody has heard of such an order.

    `kits` are lines of the return that are for whole kits: what comes back is what is in them, as `LINE/ITEM`.
    """

    data_class: ClassVar[DataClass] = "commercial"

    lines: tuple[MatchedLine, ...] = ()
    known: bool = True
    erp: str = ""
    number: str = ""
    sales_order: str = ""
    kits: tuple[TakenApart, ...] = ()
    owner: str = ""
    """Whose goods were sold, where not the site's own company's."""


class JudgedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    quantity: Quantity
    disposition: Disposition
    lot: str = ""
    reason: str = ""
    serials: tuple[str, ...] = ()


class ReturnDispositioned(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One inspection of the warehouse: what becomes of the goods (CBV `inspecting`)."""

    data_class: ClassVar[DataClass] = "commercial"

    inspection: str
    location: str
    lines: tuple[JudgedLine, ...]


class CreditPosted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP took the request to credit the customer."""

    data_class: ClassVar[DataClass] = "internal"

    document: str
    inspection: str = ""
