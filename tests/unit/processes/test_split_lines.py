"""A line that several nodes serve: the ERP has an item for each, since each issues its own goods."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crossdock.processes.lines import Line, promised
from crossdock.processes.order_state import State, as_booked, as_ordered, lines_mark

shares = st.lists(
    st.tuples(st.sampled_from(("SITE1", "SITE2", "SITE3", "")), st.integers(1, 9)), min_size=1, max_size=5
)


def order(*told: tuple[str, int]) -> State:
    """One line in shares of (node, pieces); without a node they wait for stock."""
    lines = tuple(
        Line("1", "A", "EA", Decimal(10), Decimal(n), backordered=Decimal(0 if node else n), reserved=Decimal(n if node else 0), location=node)
        for node, n in told
    )  # fmt: skip
    return State(lines=lines)


@given(shares)
def test_the_shares_add_up_to_the_line(told: list[tuple[str, int]]) -> None:
    """Whatever is not served yet goes with a node that is; no node stands twice."""
    state = order(*told)
    booked = as_booked(state)

    assert sum(x.ordered.value for x in booked) == sum(x.ordered.value for x in as_ordered(state))
    places = [x.location for x in booked]
    assert len(set(places)) == len(places)
    assert sum(x.ordered.value for x in booked) == sum(promised(x) for x in state.lines)


def test_each_node_has_what_it_sends() -> None:
    """And a line of one node is one line."""
    assert [(x.location, x.ordered.value) for x in as_booked(order(("SITE1", 60), ("SITE2", 10), ("", 5)))] == [
        ("SITE1", 65), ("SITE2", 10),
    ]  # fmt: skip
    assert [(x.location, x.ordered.value) for x in as_booked(order(("SITE1", 60), ("SITE1", 10)))] == [
        ("SITE1", 70)
    ]


def test_the_erp_hears_when_another_node_serves_some_of_it() -> None:
    """Though the customer gets no more and no less; where one node serves all of it, which one is nothing new."""
    assert lines_mark(order(("SITE1", 70))) != lines_mark(order(("SITE1", 60), ("SITE2", 10)))
    assert lines_mark(order(("SITE1", 70))) == lines_mark(order(("SITE2", 70)))
