"""What we read of GraphQL answers: one `…Data` struct per document of `queries`."""

import msgspec


class Reply(msgspec.Struct, frozen=True, rename="camel"):
    """Shopify writes its fields in camel case."""


class UserError(Reply, frozen=True):
    message: str = ""
    field: tuple[str, ...] | None = None
    code: str | None = None


class Tracking(Reply, frozen=True):
    number: str | None = None


class Shipped(Reply, frozen=True):
    id: str
    name: str
    status: str = ""
    tracking_info: tuple[Tracking, ...] = ()

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(info.number for info in self.tracking_info if info.number)


class Reference(Reply, frozen=True):
    id: str


class OpenLine(Reply, frozen=True):
    """A line of a fulfilment order: its own id, the order line's id, and what is still to be shipped."""

    id: str
    remaining_quantity: int
    line_item: Reference


class PageInfo(Reply, frozen=True):
    has_next_page: bool = False
    end_cursor: str | None = None


class LinePage(Reply, frozen=True):
    nodes: tuple[OpenLine, ...]
    page_info: PageInfo = PageInfo()


class Assigned(Reply, frozen=True):
    location: Reference | None = None


class FulfilmentOrder(Reply, frozen=True):
    id: str
    status: str
    line_items: LinePage
    assigned_location: Assigned | None = None

    @property
    def location_id(self) -> str:
        place = self.assigned_location.location if self.assigned_location else None
        return place.id if place else ""


class FulfilmentOrders(Reply, frozen=True):
    nodes: tuple[FulfilmentOrder, ...] = ()


class Order(Reply, frozen=True):
    id: str
    name: str
    cancelled_at: str | None = None
    fulfillments: tuple[Shipped, ...] = ()
    fulfillment_orders: FulfilmentOrders = FulfilmentOrders()


class OrderData(Reply, frozen=True):
    order: Order | None


class Lines(Reply, frozen=True):
    line_items: LinePage


class MoreLinesData(Reply, frozen=True):
    fulfillment_order: Lines


class FulfilmentResult(Reply, frozen=True):
    fulfillment: Shipped | None = None
    user_errors: tuple[UserError, ...] = ()


class FulfilData(Reply, frozen=True):
    fulfillment_create: FulfilmentResult


class Item(Reply, frozen=True):
    id: str
    sku: str | None = None


class Items(Reply, frozen=True):
    nodes: tuple[Item, ...]


class ItemData(Reply, frozen=True):
    inventory_items: Items


class SetResult(Reply, frozen=True):
    inventory_adjustment_group: Reference | None = None
    user_errors: tuple[UserError, ...] = ()


class SetData(Reply, frozen=True):
    inventory_set_quantities: SetResult


class CancelResult(Reply, frozen=True):
    order_cancel_user_errors: tuple[UserError, ...] = ()


class CancelData(Reply, frozen=True):
    order_cancel: CancelResult


class Shop(Reply, frozen=True):
    name: str


class Location(Reply, frozen=True):
    name: str
    is_active: bool


class ShopData(Reply, frozen=True):
    shop: Shop
    location: Location | None = None
