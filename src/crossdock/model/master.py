"""Master data: items, customers, locations and carriers as their authority defines them, and versioned code lists."""

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.money import Money
from crossdock.model.party import Place
from crossdock.model.quantity import Quantity

Kind = Literal["item", "customer", "location", "carrier", "codelist"]
KINDS: tuple[Kind, ...] = ("item", "customer", "location", "carrier", "codelist")


class ForeignCode(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What another system calls it."""

    data_class: ClassVar[DataClass] = "public"

    system: str
    code: str


class ItemUnit(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One unit of it is `numerator / denominator` of its base unit, exactly (UN/ECE Recommendation 20 code)."""

    data_class: ClassVar[DataClass] = "public"

    unit: str
    numerator: int
    denominator: int = 1
    gtin: str = ""


class Component(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Of a kit: so much of another item goes into one."""

    data_class: ClassVar[DataClass] = "public"

    item: str
    quantity: Quantity


class ItemDefined(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Everything its authority says of an item; a later one replaces an earlier one whole."""

    data_class: ClassVar[DataClass] = "public"

    item: str
    description: str = ""
    base_unit: str = "EA"
    units: tuple[ItemUnit, ...] = ()
    codes: tuple[ForeignCode, ...] = ()
    tracked_by: Literal["", "lot", "serial"] = ""
    components: tuple[Component, ...] = ()
    weight: Quantity | None = None
    """Of one base unit, packed."""
    length: Decimal | None = None
    """Millimetres, as are width and height."""
    width: Decimal | None = None
    height: Decimal | None = None
    status: Literal["active", "discontinued"] = "active"
    stocked: bool = False
    """Of a kit: it is put together beforehand and kept as itself. Else its components are taken when it is wanted."""
    cost: Money | None = None
    """Of one base unit, as its authority values it; differences of stock are weighed by it."""
    price: Money | None = None
    """What one base unit is sold for by itself; a kit's price is split between its components by it."""


class ItemRenamed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The item has another code from now on; orders under way keep their meaning."""

    data_class: ClassVar[DataClass] = "public"

    item: str
    now: str


class ItemChanged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Its authority changed something about it and did not say what: it is asked for."""

    data_class: ClassVar[DataClass] = "public"

    item: str


class CustomerDefined(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A business partner by its number; no name, no address: those are personal and come with each order."""

    data_class: ClassVar[DataClass] = "internal"

    customer: str
    codes: tuple[ForeignCode, ...] = ()
    status: Literal["active", "blocked"] = "active"


class CustomerMerged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Two numbers turned out to be one customer."""

    data_class: ClassVar[DataClass] = "internal"

    customer: str
    into: str


class LocationDefined(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A site of ours or a partner's; `gln` is the GS1 Global Location Number, 13 digits."""

    data_class: ClassVar[DataClass] = "internal"

    location: str
    description: str = ""
    gln: str = ""
    place: Place = Place()
    codes: tuple[ForeignCode, ...] = ()


class CarrierDefined(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier; `scac` is its Standard Carrier Alpha Code, where it has one."""

    data_class: ClassVar[DataClass] = "public"

    carrier: str
    description: str = ""
    scac: str = ""
    codes: tuple[ForeignCode, ...] = ()


class CodeListPublished(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One version of a code list, whole; `valid_from` is when it counts."""

    data_class: ClassVar[DataClass] = "public"

    name: str
    version: int
    entries: dict[str, str]
    valid_from: date | None = None


class MasterDataAwaited(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A thread cannot go on without this record: its authority is asked, and the thread hears of it."""

    data_class: ClassVar[DataClass] = "internal"

    thread: str
    called: str = ""
    """The code the thread knows it by, where that is another system's."""


class MasterDataArrived(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The record a thread waited for is there."""

    data_class: ClassVar[DataClass] = "internal"

    kind: Kind
    code: str
    called: str = ""
    """The code it was asked for by."""


class FetchItem(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`item.fetch`: what does the item's authority know of it? (a query)"""

    data_class: ClassVar[DataClass] = "public"

    item: str
