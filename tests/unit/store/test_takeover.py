"""An order takes over its checkout's claim in one round: nobody comes between, nothing is lost, and who may not is told why."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace
from crossdock.processes.intents import Claim, Move, Takes
from crossdock.store import lifecycle, stock
from crossdock.store.held import Held

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = NOW.date()
LATER = NOW + timedelta(hours=1)


class Ledger:
    """Balances and claims in memory, settled round by round."""

    def __init__(self, shelf: Mapping[tuple[str, str, str], int], expires: Mapping[str, date] | None = None) -> None:  # fmt: skip
        self.balances: dict[stock.Key, stock.Balance] = {}
        for number, ((item, node, lot), quantity) in enumerate(shelf.items()):
            key = (item, node, lot, "", "")
            buckets = dict.fromkeys(stock.BUCKETS, Decimal(0)) | {"available": Decimal(quantity)}
            self.balances[key] = stock.Balance(
                number, key, "EA", buckets, False, 0, expires_on=(expires or {}).get(lot)
            )
        self.claims: dict[str, Held] = {}
        self.entries: list[Any] = []

    def settle(self, *whats: tuple[str, Claim | Move]) -> stock.Settled:
        wishes = [stock.Wish(what, thread.encode(), thread, f"{thread}/event", NOW) for thread, what in whats]
        settled = stock.settle(wishes, self.balances, 1, self.claims)
        self.claims = settled.claims
        self.entries += settled.entries
        return settled

    def bucket(self, item: str, name: str, node: str = "N1", lot: str = "") -> int:
        return int(self.balances[item, node, lot, "", ""].buckets[name])


def lines(*wanted: tuple[str, int], unit: str = "EA") -> tuple[ClaimLine, ...]:
    return tuple(
        ClaimLine(f"L{n}", StockPlace(item, "N1"), Quantity(Decimal(q), unit))
        for n, (item, q) in enumerate(wanted, 1)
    )


def cart(name: str, *wanted: tuple[str, int], **more: Any) -> tuple[str, Claim]:
    given = {"kind": "soft", "good_on": TODAY, "channel": "shop", "expires_at": LATER, "nodes": ("N1", "N2")}
    return f"claim/{name}", Claim(name, lines(*wanted), **(given | more))


def order(
    number: int, takes: str, *wanted: tuple[str, int], channel: str = "shop", attempt: int = 0, unit: str = "EA", **more: Any
) -> tuple[str, Claim]:  # fmt: skip
    taking = Takes(takes, channel, 600, NOW + timedelta(minutes=90)) if takes else None
    given = {"good_on": TODAY, "nodes": ("N1", "N2"), "takes": taking}
    return f"order/{number}", Claim(f"{number}#{attempt}", lines(*wanted, unit=unit), **(given | more))


def taken(settled: stock.Settled, claim: str) -> Any:
    return settled.took[claim]


def test_the_last_piece_goes_to_the_order_whose_checkout_has_it() -> None:
    """Whoever comes before it in the same round finds nothing, and the order gets what was claimed for it."""
    ledger = Ledger({("A", "N1", ""): 1, ("A", "N2", ""): 0})
    ledger.settle(cart("c", ("A", 1)))

    settled = ledger.settle(order(1, "", ("A", 1)), order(2, "c", ("A", 1)), order(3, "", ("A", 1)))

    assert [w.thread_key for w, _, _ in settled.granted] == ["order/2"]
    assert [w.thread_key for w, _ in settled.refused] == ["order/1", "order/3"]
    assert (ledger.bucket("A", "available"), ledger.bucket("A", "soft_claim"), ledger.bucket("A", "firm_claim")) == (0, 0, 1)  # fmt: skip
    held = ledger.claims["c"]
    assert (held.state, held.ended, held.taken_by) == ("taken_over", True, "order/2")
    told = taken(settled, "2#0")
    assert (told.outcome, [int(x.quantity.value) for x in told.lines], told.released) == ("taken", [1], ())
    assert [(e[2], e[3], e[5], e[7]) for e in settled.entries] == [
        ("soft_claim", "available", "order/2/event", "c"), ("available", "firm_claim", "order/2/event", "2#0"),
    ]  # fmt: skip


def test_more_than_was_claimed_comes_from_the_shelf_and_less_goes_back() -> None:
    """One line grows, another shrinks, a third is not wanted any more."""
    ledger = Ledger({("A", "N1", ""): 5, ("B", "N1", ""): 5, ("C", "N1", ""): 5})
    ledger.settle(cart("c", ("A", 2), ("B", 3), ("C", 1), nodes=("N1",)))

    settled = ledger.settle(order(1, "c", ("A", 4), ("B", 1), nodes=("N1",)))

    [(_, served, missing)] = settled.granted
    assert ({x.place.item: int(x.quantity.value) for x in served}, missing) == ({"A": 4, "B": 1}, ())
    assert [(x, ledger.bucket(x, "available"), ledger.bucket(x, "firm_claim")) for x in "ABC"] == [
        ("A", 1, 4), ("B", 4, 1), ("C", 5, 0),
    ]  # fmt: skip
    told = taken(settled, "1#0")
    assert {x.place.item: int(x.quantity.value) for x in told.lines} == {"A": 2, "B": 1}
    assert {x.place.item: int(x.quantity.value) for x in told.released} == {"B": 2, "C": 1}
    assert {x.key[0]: (int(x.posted), int(x.released)) for x in ledger.claims["c"].lines} == {
        "A": (2, 0), "B": (1, 2), "C": (0, 1),
    }  # fmt: skip


def test_it_is_served_where_its_checkout_was_and_not_where_there_is_more_by_now() -> None:
    """The promise was made for N2; goods that came to N1 since change nothing."""
    ledger = Ledger({("A", "N1", ""): 0, ("A", "N2", ""): 2})
    ledger.settle(cart("c", ("A", 2)))
    ledger.settle(("goods", Move(StockPlace("A", "N1"), "outside", "available", Decimal(9), "EA")))

    [(_, served, _)] = ledger.settle(order(1, "c", ("A", 2))).granted

    assert [(x.place.location, int(x.quantity.value)) for x in served] == [("N2", 2)]


def test_a_node_that_does_not_serve_the_order_gives_back() -> None:
    """The order goes elsewhere: what lies where it is not served from is nobody's, and it is served as usual."""
    ledger = Ledger({("A", "N1", ""): 0, ("A", "N2", ""): 2})
    ledger.settle(cart("c", ("A", 2)))
    ledger.settle(("goods", Move(StockPlace("A", "N1"), "outside", "available", Decimal(9), "EA")))

    settled = ledger.settle(order(1, "c", ("A", 2), nodes=("N1",)))

    assert ledger.bucket("A", "firm_claim", "N1") == 2
    assert (ledger.bucket("A", "available", "N2"), ledger.bucket("A", "soft_claim", "N2")) == (2, 0)
    assert (taken(settled, "1#0").lines, len(taken(settled, "1#0").released)) == ((), 1)


def test_the_lots_that_were_claimed_serve_it_unless_they_are_recalled_or_past_their_day() -> None:
    """A lot that came later and ends sooner changes nothing; of a recalled one nothing is taken, and it is held."""
    expires = {"X": TODAY + timedelta(days=9), "Y": TODAY + timedelta(days=20), "Z": TODAY}
    for spoiled, wanted in (("", {"X": 2}), ("recalled", {"Z": 2}), ("old", {"Z": 2})):
        ledger = Ledger({("A", "N1", "X"): 2, ("A", "N1", "Y"): 2, ("A", "N1", "Z"): 0}, expires)
        ledger.settle(cart("c", ("A", 2), nodes=("N1",)))
        ledger.settle(("goods", Move(StockPlace("A", "N1", "Z"), "outside", "available", Decimal(2), "EA")))
        balance = ledger.balances["A", "N1", "X", "", ""]
        if spoiled == "recalled":
            balance.recalled = True
        if spoiled == "old":
            balance.expires_on = TODAY - timedelta(days=1)

        [(_, served, _)] = ledger.settle(order(1, "c", ("A", 2), nodes=("N1",))).granted

        assert {x.place.lot: int(x.quantity.value) for x in served} == wanted
        where = {"": "firm_claim", "recalled": "quarantine", "old": "available"}[spoiled]
        assert ledger.bucket("A", where, lot="X") == 2
        assert ledger.bucket("A", "soft_claim", lot="X") == 0


def test_a_kit_is_served_by_the_components_that_were_claimed_for_it() -> None:
    """Two of three kits were claimed at N2; the third comes whole from N1."""
    ledger = Ledger({("A", "N1", ""): 2, ("B", "N1", ""): 1, ("A", "N2", ""): 4, ("B", "N2", ""): 2})
    kit = (
        ClaimLine("k", StockPlace("A", "N1"), Quantity(Decimal(4), "EA")),
        ClaimLine("k", StockPlace("B", "N1"), Quantity(Decimal(2), "EA")),
    )
    asked = Claim("c", kit, ("N2",), kind="soft", good_on=TODAY, sets=(("k", 2),), channel="shop")
    ledger.settle(("claim/c", asked))
    wanted = tuple(ClaimLine("9", x.place, Quantity(x.quantity.value * 3 / 2, "EA")) for x in kit)
    taking = Claim(
        "1#0", wanted, ("N1", "N2"), good_on=TODAY, sets=(("9", 3),), takes=Takes("c", "shop", 600)
    )

    settled = ledger.settle(("order/1", taking))

    [(_, served, missing)] = settled.granted
    assert missing == ()
    assert sorted((x.place.item, x.place.location, int(x.quantity.value)) for x in served) == [
        ("A", "N1", 2), ("A", "N2", 4), ("B", "N1", 1), ("B", "N2", 2),
    ]  # fmt: skip


def test_parts_of_a_claim_help_to_make_up_another_kit() -> None:
    """Single pieces were claimed and a kit is ordered: what was claimed is the order's all the same."""
    ledger = Ledger({("A", "N1", ""): 2, ("B", "N1", ""): 1})
    ledger.settle(cart("c", ("A", 2), nodes=("N1",)))
    kit = tuple(
        ClaimLine("9", StockPlace(i, "N1"), Quantity(Decimal(q), "EA")) for i, q in (("A", 2), ("B", 1))
    )
    taking = Claim("1#0", kit, ("N1",), good_on=TODAY, sets=(("9", 1),), takes=Takes("c", "shop", 600))

    settled = ledger.settle(("order/1", taking))

    assert len(settled.granted) == 1
    assert {x.place.item for x in taken(settled, "1#0").lines} == {"A"}
    assert taken(settled, "1#0").released == ()


@pytest.mark.parametrize(
    "how", ["unknown", "other_channel", "no_channel", "order's", "expired", "released", "posted"]
)
def test_what_cannot_be_taken_over_is_left_alone_and_the_order_claims_as_usual(how: str) -> None:
    """Each with its reason, in the answer to the order."""
    ledger = Ledger({("A", "N1", ""): 5})
    made = cart(
        "c", ("A", 2), nodes=("N1",), channel={"other_channel": "else", "no_channel": ""}.get(how, "shop")
    )
    ledger.settle(made)
    ledger.settle(order(7, "", ("A", 1), nodes=("N1",)))
    held, cause = ledger.claims["c"], stock.Cause("x", b"t", NOW, "c")
    settled = stock.Settled(1, balances=ledger.balances, claims=ledger.claims)
    if how == "expired":
        lifecycle.expire(settled, held, cause)
    if how in ("released", "posted"):
        lifecycle.end(settled, held, None, "available" if how == "released" else "allocated", cause)
    named = {"unknown": "nobody's", "order's": "7#0"}.get(how, "c")
    before = (held.state, held.taken_by, held.expires_at)

    settled = ledger.settle(order(1, named, ("A", 2), nodes=("N1",)))

    told = taken(settled, "1#0")
    expected = {"unknown": "unknown", "expired": "ended", "released": "ended", "posted": "ended"}
    assert told.outcome == expected.get(how, "other_channel")
    assert told.state == (how if told.outcome == "ended" else "")
    assert (held.state, held.taken_by, held.expires_at) == before
    assert [w.thread_key for w, _, _ in settled.granted] == ["order/1"]


def test_two_orders_that_name_one_claim_the_first_has_it() -> None:
    """In one round or in two; the second claims as usual, and is told so."""
    ledger = Ledger({("A", "N1", ""): 3})
    ledger.settle(cart("c", ("A", 2), nodes=("N1",)))

    settled = ledger.settle(*(order(n, "c", ("A", 2), nodes=("N1",)) for n in (1, 2)))
    again = ledger.settle(order(3, "c", ("A", 1), nodes=("N1",)))

    assert [w.thread_key for w, _, _ in settled.granted] == ["order/1"]
    assert [w.thread_key for w, _ in settled.refused] == ["order/2"]
    assert [settled.took[x].outcome for x in ("1#0", "2#0")] == ["taken", "other_order"]
    assert [w.thread_key for w, _, _ in again.granted] == ["order/3"]


def test_what_cannot_be_served_whole_is_kept_for_the_order_until_it_asks_again() -> None:
    """All or nothing: nothing moves, the claim expires later, no other order gets it, and the next try takes it."""
    ledger = Ledger({("A", "N1", ""): 2, ("B", "N1", ""): 0})
    ledger.settle(cart("c", ("A", 2), nodes=("N1",)))

    settled = ledger.settle(order(1, "c", ("A", 2), ("B", 1), nodes=("N1",)))

    held = ledger.claims["c"]
    assert (settled.entries, taken(settled, "1#0").outcome) == ([], "kept")
    assert [(x.place.item, int(x.quantity.value)) for x in settled.refused[0][1]] == [("B", 1)]
    assert (held.state, held.taken_by, held.changed) == ("pending", "order/1", True)
    assert held.expires_at == NOW + timedelta(minutes=90)
    other = ledger.settle(order(2, "c", ("A", 1), nodes=("N1",)))
    assert (taken(other, "2#0").outcome, other.granted) == ("other_order", [])
    ledger.settle(("goods", Move(StockPlace("B", "N1"), "outside", "available", Decimal(1), "EA")))
    last = ledger.settle(order(1, "c", ("A", 2), ("B", 1), nodes=("N1",), attempt=1))
    assert [w.thread_key for w, _, _ in last.granted] == ["order/1"]
    assert (held.state, taken(last, "1#1").outcome) == ("taken_over", "taken")


def test_a_claim_that_would_stay_longer_is_not_shortened_and_one_without_end_gets_one() -> None:
    """Keeping is bounded, and never takes time away."""
    for expires_at, then in (
        (NOW + timedelta(days=3), NOW + timedelta(days=3)),
        (None, NOW + timedelta(minutes=90)),
    ):
        ledger = Ledger({("A", "N1", ""): 1})
        ledger.settle(cart("c", ("A", 1), nodes=("N1",), expires_at=expires_at))
        ledger.settle(order(1, "c", ("A", 2), nodes=("N1",)))
        assert ledger.claims["c"].expires_at == then


def test_a_part_that_was_committed_before_stays_so() -> None:
    """Only what is open is taken over."""
    ledger = Ledger({("A", "N1", ""): 3})
    ledger.settle(cart("c", ("A", 2), nodes=("N1",)))
    settled = stock.Settled(1, balances=ledger.balances, claims=ledger.claims)
    lifecycle.end(settled, ledger.claims["c"], [lifecycle.Part("L1", Decimal(1))], "allocated", stock.Cause("x", b"t", NOW, "c"))  # fmt: skip

    ledger.settle(order(1, "c", ("A", 2), nodes=("N1",)))

    assert (ledger.bucket("A", "allocated"), ledger.bucket("A", "firm_claim"), ledger.bucket("A", "available")) == (1, 2, 0)  # fmt: skip
    assert ledger.claims["c"].state == "taken_over"


def test_an_order_in_another_unit_than_the_ledger_keeps_moves_nothing() -> None:
    """Orders are served in the ledger's unit only: the claim is kept while a person corrects the order's unit."""
    ledger = Ledger({("A", "N1", ""): 12})
    ledger.settle(cart("c", ("A", 12), nodes=("N1",)))

    settled = ledger.settle(order(1, "c", ("A", 1), unit="CS", nodes=("N1",)))

    assert (settled.granted, settled.entries, taken(settled, "1#0").outcome) == ([], [], "kept")
    assert ledger.bucket("A", "soft_claim") == 12


def test_what_is_taken_over_counts_as_sold_once() -> None:
    """The pace of an item is what channels' numbers are held back by: a checkout and its order are one sale."""
    ledger = Ledger({("A", "N1", ""): 5})
    ledger.settle(cart("c", ("A", 2), nodes=("N1",)))
    ledger.settle(order(1, "c", ("A", 3), nodes=("N1",)))

    assert ledger.balances["A", "N1", "", "", ""].sold_lately == pytest.approx(3)
