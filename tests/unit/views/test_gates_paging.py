"""What stands before a gate, page by page: each once, the oldest first."""

from datetime import UTC, datetime, timedelta

from crossdock.processes.gates import BY_NAME, Closed, Missing
from crossdock.views.gates import LISTED_MAX, Stands, _Count

BEGAN = datetime(2026, 1, 13, tzinfo=UTC)
ALL = 2 * LISTED_MAX + 7
GATE = BY_NAME["invoice.release"]


def page(after: int) -> _Count:
    """Whatever the order in which threads are read."""
    counted = _Count(after)
    for place in sorted(range(ALL), key=lambda x: x * 7919 % ALL):
        since = BEGAN + timedelta(minutes=place)
        closed = Closed(GATE, f"wms-1/S-{place}", (Missing("goods issue", "goods issue", "sap-1"),), since)
        counted.add(closed, Stands(f"order/{place}", closed.thing, since))
    return counted


def test_pages_hold_each_thing_once_and_in_order() -> None:
    """The last page says that there is no other, and every page how many there are."""
    pages = [page(after) for after in range(3)]

    listed = [stands.thread for one in pages for stands in one.named()]
    assert listed == [f"order/{place}" for place in range(ALL)]
    assert [one.more for one in pages] == [True, True, False]
    assert {one.count for one in pages} == {ALL}
    assert page(3).named() == []
