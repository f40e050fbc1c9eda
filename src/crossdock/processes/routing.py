"""Where an order is served from and how a shipment travels: the company's routing tables, read as pure functions.

Rules of a table are tried from the top; the first whose every given column matches decides. Each answer names its
rule, so that the story can say why. Times of day are those of the node's own zone.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from crossdock.model.stock import Change

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEARCH_DAYS_MAX = 60
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Working days of a node: days of the week, less the days it is closed."""

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    closed: tuple[date, ...] = ()

    def works(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.days and day not in self.closed


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place that ships. `warehouse` is the system whose word about it counts."""

    warehouse: str
    kind: Literal["site", "supplier"] = "site"
    """`supplier`: he sends our orders from his own stock, which is never in our books; `warehouse` is the system he is told by."""
    leaving: str = ""
    """A system that is being replaced there: it finishes what it has, and its word still counts; it gets nothing new."""
    region: str = ""
    time_zone: str = "UTC"
    """IANA name."""
    calendar: str = ""
    """Empty: every day is a working day."""
    erp: str = ""
    """The ERP that books what happens at the node whoever's goods it is: its freight."""
    opens: TimeOfDay = "00:00"
    """Local time of day at which work begins: clocks for what did not arrive count from then to the last cut-off."""
    cut_offs: dict[str, TimeOfDay] = {}
    """Latest time of day, by service, at which an order still leaves the same day; `default` for services not named."""
    negative_stock: str = ""
    """Why facts (a pick, a departure, an adjustment) may take what is available here below zero; empty: they may not."""
    consigned: tuple[str, ...] = ()
    """Suppliers whose consigned goods here may be sold when there are none of our own; they become ours as they leave."""
    parallel: bool = False
    """An old system still runs it: what happens there is heard and booked, nothing is sold from it, and nothing is sent for it."""
    sends: tuple[str, ...] = ()
    """Kinds of effects that are sent all the same while it runs in parallel."""
    adjustments: tuple[Change, ...] | None = None
    """What its ERP is told of stock that changes without an order; None: as the policy says."""


class OrderRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the order table. A column left out matches everything."""

    rule: str
    channel: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    company: str = ""
    erp: str = ""
    nodes: tuple[str, ...] = ()
    """Where the stock may come from, the preferred first."""
    owner: str = ""
    """Whose goods are sold, where a site holds goods of several owners; empty: the site's own company's."""


class TransportRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the transport table: a parcel carrier's label, or a tender through the TMS."""

    rule: str
    by: Literal["parcel", "tms"]
    system: str
    node: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    weight_above: Decimal | None = None
    """Kilograms; the shipment's total must be more."""
    packages_above: int | None = None
    ship_as: str = ""
    """The service asked for there, where it is not the order's own."""


class Routing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`routing.yaml`. With empty tables everything goes by the roles of `hub.yaml`."""

    nodes: dict[str, Node] = {}
    calendars: dict[str, Calendar] = {}
    orders: tuple[OrderRule, ...] = ()
    transport: tuple[TransportRule, ...] = ()


class OrderRoute(msgspec.Struct, frozen=True):
    company: str
    erp: str
    nodes: tuple[str, ...]
    because: str
    owner: str = ""


class TransportRoute(msgspec.Struct, frozen=True):
    by: Literal["parcel", "tms"]
    system: str
    service: str
    because: str


def route_order(routing: Routing, given: Mapping[str, str], erp: str, node: str) -> OrderRoute:
    """`given`: channel, country, region, service. `erp` and `node` serve what no rule names."""
    for rule in routing.orders:
        reasons = _matches(
            given,
            {
                "channel": rule.channel,
                "country": rule.country,
                "region": rule.region,
                "service": rule.service,
            },
        )
        if reasons is not None:
            return OrderRoute(
                rule.company,
                rule.erp or erp,
                _active(routing, rule.nodes or (node,)),
                _because(rule.rule, reasons),
                rule.owner,
            )
    return OrderRoute(
        "", erp, (node,), "no rule of the order table matches: the hub's default roles serve it"
    )


def suppliers(routing: Routing) -> frozenset[str]:
    """Nodes that are no site of ours."""
    return frozenset(name for name, node in routing.nodes.items() if node.kind == "supplier")


def _active(routing: Routing, nodes: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that run in parallel, unless there are no others."""
    known = routing.nodes
    return tuple(x for x in nodes if x not in known or not known[x].parallel) or nodes


def serving(routing: Routing, channel: str, node: str) -> tuple[str, ...]:
    """Every site that an order of this channel may be served from, wherever it goes; `node` where no rule names any."""
    return tuple(x for x in _active(routing, _serving(routing, channel, node)) if x not in suppliers(routing))


def _serving(routing: Routing, channel: str, node: str) -> tuple[str, ...]:
    found: list[str] = []
    for rule in routing.orders:
        if rule.channel and channel not in rule.channel:
            continue
        found += rule.nodes or (node,)
        if not (rule.country or rule.region or rule.service):
            return tuple(dict.fromkeys(found))
    return tuple(dict.fromkeys([*found, node]))


def owner_of(routing: Routing, channel: str) -> str:
    """Whose goods a channel sells: of the first rule for it, as all of them say the same."""
    return next((x.owner for x in routing.orders if not x.channel or channel in x.channel), "")


def consigned(routing: Routing) -> tuple[tuple[str, str], ...]:
    """(node, supplier) of consigned goods that may be sold."""
    return tuple((name, owner) for name, node in routing.nodes.items() for owner in node.consigned)


def sold_of_others(routing: Routing, node: str) -> frozenset[tuple[str, str]]:
    """(location, owner) of all goods that are not the site's own company's and may be sold; `node` where a rule names none."""
    of_rules = {(place, x.owner) for x in routing.orders if x.owner for place in x.nodes or (node,)}
    return frozenset({*consigned(routing), *of_rules})


def books_goods_of(routing: Routing, owner: str, location: str, node: str) -> OrderRule | None:
    """The order rule that sells another owner's goods there, so that its ERP has them in its books; `node` where it names none."""
    return next((x for x in routing.orders if x.owner == owner and location in (x.nodes or (node,))), None)


def below_zero(routing: Routing) -> dict[str, str]:
    """Node → why stock may fall below zero there; the nodes where it may."""
    return {name: node.negative_stock for name, node in routing.nodes.items() if node.negative_stock}


def route_transport(
    routing: Routing, given: Mapping[str, str], weight: Decimal, packages: int, carrier: str
) -> TransportRoute:
    """`given`: node, country, region, service. `weight` in kilograms. `carrier` carries what no rule names."""
    for rule in routing.transport:
        reasons = _matches(
            given,
            {"node": rule.node, "country": rule.country, "region": rule.region, "service": rule.service},
        )
        if reasons is None:
            continue
        if rule.weight_above is not None:
            if weight <= rule.weight_above:
                continue
            reasons.append(f"weight {weight.normalize():f} kg > {rule.weight_above.normalize():f} kg")
        if rule.packages_above is not None:
            if packages <= rule.packages_above:
                continue
            reasons.append(f"{packages} packages > {rule.packages_above}")
        return TransportRoute(
            rule.by, rule.system, rule.ship_as or given["service"], _because(rule.rule, reasons)
        )
    because = "no rule of the transport table matches: the hub's default carrier takes it"
    return TransportRoute("parcel", carrier, given["service"], because)


def _matches(given: Mapping[str, str], columns: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """The reasons, or None where a column excludes it."""
    reasons = []
    for name, wanted in columns.items():
        if wanted and given.get(name, "") not in wanted:
            return None
        if wanted:
            reasons.append(f"{name} {given[name]}")
    return reasons


def _because(rule: str, reasons: list[str]) -> str:
    return f"rule {rule}: {', '.join(reasons) or 'everything'}"


class ShipDay(msgspec.Struct, frozen=True):
    day: date
    because: str


def ship_day(routing: Routing, node: str, service: str, at: datetime) -> ShipDay:
    """The day an order that came at `at` (aware) leaves the node, by its cut-off and calendar."""
    place = routing.nodes.get(node)
    if place is None:
        return ShipDay(at.date(), f"{node} has no calendar")
    local = at.astimezone(zone(place.time_zone))
    limit = place.cut_offs.get(service) or place.cut_offs.get("default")
    day, because = local.date(), "no cut-off"
    if limit is not None:
        late = local.time() > time.fromisoformat(limit)
        because = f"{'after' if late else 'before'} the cut-off of {limit} {place.time_zone}"
        day += timedelta(days=1 if late else 0)
    calendar = routing.calendars.get(place.calendar)
    if calendar is None:
        return ShipDay(day, because)
    for _ in range(SEARCH_DAYS_MAX):
        if calendar.works(day):
            return ShipDay(day, because)
        because = f"{because}, {day} is no working day of {node}"[:200]
        day += timedelta(days=1)
    return ShipDay(day, f"{node} has no working day within {SEARCH_DAYS_MAX} days")


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """An IANA time zone. Raises `ZoneInfoNotFoundError` (a `KeyError`) for a name there is not."""
    return ZoneInfo(name)
