"""The routing tables: the first rule that matches decides, and says why; days are those of the node."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.processes.routing import (
    Calendar,
    Node,
    OrderRule,
    Routing,
    TransportRule,
    below_zero,
    route_order,
    route_transport,
    serving,
    ship_day,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ROUTING = Routing(
    nodes={
        "UTR1": Node("wms-1", time_zone="Europe/Amsterdam", calendar="nl", cut_offs={"express": "17:00", "default": "15:00"}),
        "HAM1": Node("wms-2"),
    },
    calendars={"nl": Calendar(closed=(date(2026, 12, 25), date(2027, 1, 1)))},
    orders=(
        OrderRule("us company", channel=("shopify-us",), erp="sap-2", nodes=("HAM1",), company="Acme US"),
        OrderRule("eu company", nodes=("UTR1", "HAM1")),
    ),
    transport=(
        TransportRule("heavy", "tms", "otm-1", weight_above=Decimal(30)),
        TransportRule("many", "tms", "otm-1", packages_above=5),
        TransportRule("express", "parcel", "ups-1", service=("express",), ship_as="01"),
    ),
)  # fmt: skip


def facts(**more: str) -> dict[str, str]:
    return {
        "channel": "shopify-eu",
        "country": "NL",
        "region": "",
        "service": "standard",
        "node": "UTR1",
    } | more


@pytest.mark.parametrize(
    ("channel", "erp", "nodes", "because"),
    [
        ("shopify-us", "sap-2", ("HAM1",), "rule us company: channel shopify-us"),
        ("shopify-eu", "sap-1", ("UTR1", "HAM1"), "rule eu company: everything"),
    ],
)
def test_the_first_rule_that_matches_serves_the_order(
    channel: str, erp: str, nodes: tuple[str, ...], because: str
) -> None:
    """What a rule leaves out is the hub's default."""
    route = route_order(ROUTING, facts(channel=channel), "sap-1", "SITE1")

    assert (route.erp, route.nodes, route.because) == (erp, nodes, because)


def test_without_tables_the_roles_serve() -> None:
    """A hub with one node needs no routing.yaml."""
    route = route_order(Routing(), facts(), "sap-1", "SITE1")
    carried = route_transport(Routing(), facts(), Decimal(500), 9, "ups-1")

    assert (route.erp, route.nodes) == ("sap-1", ("SITE1",))
    assert (carried.by, carried.system, carried.service) == ("parcel", "ups-1", "standard")


@pytest.mark.parametrize(
    ("weight", "packages", "service", "expected"),
    [
        ("30", 1, "standard", ("parcel", "dhl", "standard")),
        ("30.001", 1, "standard", ("tms", "otm-1", "standard")),
        ("1", 6, "standard", ("tms", "otm-1", "standard")),
        ("1", 5, "express", ("parcel", "ups-1", "01")),
    ],
)
def test_weight_packages_and_service_decide_the_transport(
    weight: str, packages: int, service: str, expected: tuple[str, str, str]
) -> None:
    """Bounds are exclusive: exactly 30 kg is not above 30 kg."""
    found = route_transport(ROUTING, facts(service=service), Decimal(weight), packages, "dhl")

    assert (found.by, found.system, found.service) == expected


@pytest.mark.parametrize(
    ("at", "service", "day"),
    [
        (datetime(2026, 11, 27, 15, 0), "standard", date(2026, 11, 27)),
        (datetime(2026, 11, 27, 15, 1), "standard", date(2026, 11, 30)),
        (datetime(2026, 11, 27, 16, 59), "express", date(2026, 11, 27)),
        (datetime(2026, 12, 24, 18, 0), "standard", date(2026, 12, 28)),
        (datetime(2026, 11, 28, 9, 0), "standard", date(2026, 11, 30)),
    ],
)
def test_cut_off_weekend_and_holiday_move_the_day(at: datetime, service: str, day: date) -> None:
    """A Friday after the cut-off leaves on Monday; Christmas is no working day."""
    assert ship_day(ROUTING, "UTR1", service, at.replace(tzinfo=AMSTERDAM)).day == day


def test_the_cut_off_is_on_the_nodes_clock() -> None:
    """14:30 UTC is 15:30 in Utrecht in winter, and 16:30 in summer."""
    winter, summer = datetime(2026, 1, 14, 13, 59), datetime(2026, 7, 15, 13, 1)
    utc = ZoneInfo("UTC")

    assert ship_day(ROUTING, "UTR1", "standard", winter.replace(tzinfo=utc)).day == date(2026, 1, 14)
    assert ship_day(ROUTING, "UTR1", "standard", summer.replace(tzinfo=utc)).day == date(2026, 7, 16)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(ZoneInfo("UTC"))))
def test_it_always_leaves_on_a_working_day_not_before_it_came(at: datetime) -> None:
    """Whenever an order comes."""
    found = ship_day(ROUTING, "UTR1", "standard", at)

    assert found.day >= at.astimezone(AMSTERDAM).date()
    assert ROUTING.calendars["nl"].works(found.day)


names = st.sets(st.sampled_from(["A", "B"])).map(lambda x: tuple(sorted(x)))
rules = st.builds(
    OrderRule, st.just("r"), channel=names, country=names, region=names, service=names,
    nodes=st.lists(st.sampled_from(["N1", "N2", "N3"]), max_size=2).map(tuple),
)  # fmt: skip


@given(st.lists(rules, max_size=4), st.sampled_from("ABC"), st.sampled_from("ABC"), st.sampled_from("ABC"))
def test_a_channel_shows_the_stock_of_every_node_that_may_serve_it(
    table: list[OrderRule], channel: str, country: str, service: str
) -> None:
    """Wherever an order of the channel is routed to, its nodes are among those; and no rule of other channels adds any."""
    routing = Routing(orders=tuple(table))
    given = {"channel": channel, "country": country, "region": "", "service": service}

    assert set(route_order(routing, given, "sap-1", "N0").nodes) <= set(serving(routing, channel, "N0"))
    others = tuple(x for x in table if not x.channel or channel in x.channel)
    assert serving(Routing(orders=others), channel, "N0") == serving(routing, channel, "N0")


def test_only_nodes_with_a_reason_may_fall_below_zero() -> None:
    """Why is what the exception is named by."""
    nodes = {"A": Node(warehouse="wms-1", negative_stock="sold first"), "B": Node(warehouse="wms-1")}

    assert below_zero(Routing(nodes=nodes)) == {"A": "sold first"}
