"""Numbers for channels: over all lots and nodes that serve them, told once, and looked at again in time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.requests import PublishAvailability
from crossdock.processes import publishing
from crossdock.runtime.availability import REVIEW_SECONDS, Channel, Showcase
from crossdock.store.stock import BUCKETS, Balance, Key

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SHOP = Channel("shop", ("N1", "N2"), False, 3.0, 8.0)
MARKET = Channel("market", ("N1",), False, 750.0, 150.0)
CLOSED = Channel("closed", ("N1",), True, 3.0, 8.0)
MOVED = {("A", "N1"): "event-1"}


def shelf(*key: str, available: float = 0, unit: str = "EA", **more: object) -> Balance:
    """Item, location, lot, owner; what is there besides is quarantined."""
    place = (*key, "", "", "")[:4]
    full: Key = (place[0], place[1], place[2], place[3], "")
    buckets = dict.fromkeys(BUCKETS, Decimal(0)) | {
        "available": Decimal(str(available)),
        "quarantine": Decimal(99),
    }
    return Balance(1, full, unit, buckets, False, 7, **more)  # type: ignore[arg-type]


def shelves(*more: Balance) -> dict[Key, Balance]:
    """With the empty home, which is made where it is missing."""
    return {x.key: x for x in (shelf("A", "N1"), *more)}


def told(
    *channels: Channel, balances: dict[Key, Balance], now: datetime = NOW
) -> dict[str, PublishAvailability]:
    found = Showcase(channels).told(MOVED, balances, now)
    assert all(x.cause == "event-1" and x.do.lane == "availability/A" for x in found)
    return {x.do.account: x.do.payload for x in found}  # type: ignore[misc]


def test_all_lots_of_all_nodes_that_serve_a_channel_count() -> None:
    """Expired, held and others' goods do not, nor what stands in another unit; each channel has the nodes of its orders."""
    balances = shelves(
        shelf("A", "N1", "L1", available=10, expires_on=date(2026, 11, 26)),
        shelf("A", "N1", "OLD", available=500, expires_on=date(2026, 11, 25)),
        shelf("A", "N1", "L2", "SOMEBODY", available=500),
        shelf("A", "N1", "L3", available=500, unit="KGM"),
        shelf("A", "N2", "L1", available=7.9),
    )

    found = told(SHOP, MARKET, balances=balances)

    assert {k: (v.available.value, v.location, v.version) for k, v in found.items()} == {
        "shop": (17, "N1", 8),
        "market": (10, "N1", 8),
    }


def test_a_channel_is_shown_the_goods_that_it_sells() -> None:
    """Ours with what is consigned at its nodes, or one owner's alone; a channel of another owner keeps nothing back from it."""
    balances = shelves(
        shelf("A", "N1", available=10),
        shelf("A", "N1", "", "SUP-1", available=4),
        shelf("A", "N2", "", "SUP-1", available=100),
        shelf("A", "N1", "", "ACME", available=7),
    )
    ours = Channel("shop", ("N1", "N2"), False, 3.0, 8.0, consigned=frozenset({("N1", "SUP-1")}))
    acmes = Channel("acme", ("N1",), False, 750.0, 150.0, "ACME", frozenset({("N1", "SUP-1")}))

    found = told(ours, acmes, balances=balances)

    assert {name: x.available.value for name, x in found.items()} == {"shop": 14, "acme": 7}


def test_a_number_is_told_once() -> None:
    """Until it differs; a channel that hears nothing new costs no call, and what nobody bought is not looked at again."""
    balances = shelves(shelf("A", "N1", "L1", available=10))

    assert set(told(SHOP, MARKET, balances=balances)) == {"shop", "market"}
    assert balances["A", "N1", "", "", ""].review_at is None
    assert told(SHOP, MARKET, balances=balances) == {}
    balances |= {x.key: x for x in (shelf("A", "N2", available=1),)}
    assert set(told(SHOP, MARKET, balances=balances)) == {"shop"}


def test_a_held_channel_is_told_none() -> None:
    """Whatever there is; and what it does not show, nobody keeps back for it."""
    balances = shelves(shelf("A", "N1", "L1", available=10))

    found = told(CLOSED, balances=balances)

    assert found["closed"].available.value == 0
    assert balances["A", "N1", "", "", ""].review_at is None


def test_what_sells_fast_is_kept_back_and_looked_at_again() -> None:
    """The slow channel shows less, and more again when nobody has bought for a while."""
    balances = shelves(shelf("A", "N1", "L1", available=40, sold_lately=30.0, sold_at=NOW))
    head = balances["A", "N1", "", "", ""]

    first = told(SHOP, MARKET, balances=balances)

    assert first["market"].available.value < first["shop"].available.value <= 40
    assert head.review_at == NOW + timedelta(seconds=REVIEW_SECONDS)
    later = told(SHOP, MARKET, balances=balances, now=NOW + timedelta(hours=2))
    assert later["market"].available.value > first["market"].available.value


def test_a_lot_is_looked_at_on_the_day_after_its_last() -> None:
    """At midnight UTC its number changes though nothing moves."""
    balances = shelves(shelf("A", "N2", "L1", available=40, expires_on=date(2026, 11, 30)))

    assert told(SHOP, balances=balances)["shop"].available.value == 40
    due = balances["A", "N1", "", "", ""].review_at
    assert due == datetime(2026, 12, 1, tzinfo=UTC)
    assert told(SHOP, balances=balances, now=due)["shop"].available.value == 0


def test_stock_that_no_channel_sells_is_nobodys_news() -> None:
    """And nothing is locked for it."""
    assert Showcase((SHOP,)).homes({("A", "N9"): "event-1"}) == {}
    assert Showcase((SHOP,)).nodes({("A", "N9"): "event-1"}) == set()
    assert Showcase((SHOP,)).told({("A", "N9"): "event-1"}, {}, NOW) == []


def test_every_row_that_a_number_needs_is_locked() -> None:
    """Also where a channel that shares one node has others."""
    assert set(Showcase((SHOP, MARKET)).homes(MOVED)) == {("A", "N1", "", "", "")}
    assert Showcase((SHOP, MARKET)).nodes(MOVED) == {("A", "N1"), ("A", "N2")}


@pytest.mark.parametrize("available", [0, 1])
def test_what_must_go_off_comes_first(available: int) -> None:
    """The effect that takes an item off a channel has the first priority, one that shows more a later one."""
    balances = shelves(shelf("A", "N1", "L1", available=available))
    balances["A", "N1", "", "", ""].shown = '{"shop":"5"}'

    [wanted] = Showcase((SHOP,)).told(MOVED, balances, NOW)

    assert (wanted.do.priority == publishing.FIRST) == (available == 0)


lots = st.lists(st.tuples(st.sampled_from(["N1", "N2"]), st.integers(0, 50), st.floats(0, 60)), max_size=6)


@given(lots)
def test_no_channel_is_told_more_than_there_is(found: list[tuple[str, int, float]]) -> None:
    """However fast the item sells, in whatever lots it stands."""
    balances = shelves(
        *(
            shelf("A", node, f"L{n}", available=quantity, sold_lately=sold, sold_at=NOW)
            for n, (node, quantity, sold) in enumerate(found)
        )
    )
    there = {node: sum(q for n, q, _ in found if n == node) for node in ("N1", "N2")}

    numbers = told(SHOP, MARKET, CLOSED, balances=balances)

    assert 0 <= numbers["market"].available.value <= there["N1"]
    assert 0 <= numbers["shop"].available.value <= there["N1"] + there["N2"]
    assert numbers["closed"].available.value == 0
