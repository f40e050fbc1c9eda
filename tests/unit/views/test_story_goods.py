"""What the story of goods says: what they are, their lines in the columns of an order's, and the stations they passed."""

from decimal import Decimal
from typing import Any

from crossdock.model import movement as m
from crossdock.views import story_goods
from crossdock.views.story_material import Material
from crossdock.views.story_milestones import milestones
from unit.processes import test_inbound as inbound
from unit.processes import test_transfer as transfer
from unit.processes.goods import NOW, Goods


def stations(made: Goods) -> dict[str, str]:
    """Label → how it stands, as the page draws it."""
    row: dict[str, Any] = {
        "done": made.summary.done, "parked": None, "waiting_since": NOW, "updated_at": NOW, "now": NOW, "thread": b"", "thread_key": made.thread,
    }  # fmt: skip
    return {x.label: x.standing or x.classifier for x in milestones(Material(row, made.state))}


def headline(made: Goods) -> str:
    found = story_goods.headline(made.state)
    return f"{found.title}: {', '.join(found.facts)}"


def test_an_inbound_delivery_is_told_by_its_number() -> None:
    """Where it goes, from whom, when; before its order only where it was received."""
    made = inbound.ordered()
    assert headline(made) == "Inbound 4500000017: to SITE1, 1 line, from SUP-1, due 01 Dec"
    early = inbound.goods()
    early.hear(inbound.came("R-1", ("10", "WID-1", 1)))
    assert headline(early) == "Inbound 4500000017: received at SITE1"


def test_its_lines_say_what_came_of_what_was_expected() -> None:
    """Extras only where there is something in them."""
    made = inbound.ordered()
    made.hear(inbound.came("R-1", ("10", "WID-1", 40)))
    made.hear(inbound.came("R-2", ("10", "WID-1", 5), condition="damaged"))
    made.hear(m.InboundClosed("SITE1"))

    [line] = story_goods.lines(made.state)

    assert (line.ordered, line.open, line.delivered) == (100, 0, 45)
    assert line.extras == {"short": Decimal(55), "damaged": Decimal(5)}


def test_the_stations_of_an_inbound_delivery() -> None:
    """The one that everybody waits for is marked."""
    made = inbound.ordered()
    assert stations(made) == {
        "expected": "actual",
        "announced": "actual",
        "received": "waiting",
        "goods receipt": "open",
    }
    made.hear(inbound.came("R-1", ("10", "WID-1", 100)))
    assert stations(made)["goods receipt"] == "waiting"
    made.hear(m.GoodsReceiptPosted("5", "R-1"), about="R-1")
    assert set(stations(made).values()) == {"actual"}


def test_a_transfer_says_between_whom_and_whose_goods() -> None:
    """Companies and title only where there are two."""
    made = transfer.on_the_road(title_passes="departure", incoterm="FCA")
    assert headline(made) == (
        "Transfer T-1: from SITE1 to SITE2, 1 line, Acme EU to Acme US, title at departure, FCA"
    )
    [line] = story_goods.lines(made.state)
    assert (line.ordered, line.open, line.reserved, line.shipped, line.delivered) == (20, 0, 0, 20, 0)
    assert (line.price, line.currency, line.extras) == (Decimal("9.50"), "EUR", {"in_transit": Decimal(20)})


def test_the_stations_of_a_transfer() -> None:
    """A difference is a station of its own."""
    made = transfer.on_the_road()
    assert stations(made)["received"] == "open"
    assert stations(made)["goods issue"] == "waiting"
    assert "differences settled" not in stations(made)
    made.hear(m.InboundClosed("SITE2", "TS-1"), "wms-2")
    assert stations(made)["differences settled"] == "open"
    made.hear(m.InboundAccepted("variance"))
    assert stations(made)["differences settled"] == "actual"
    gone = transfer.ordered()
    gone.hear(m.TransferCancelled("x"))
    assert list(stations(gone))[-1] == "cancelled"
