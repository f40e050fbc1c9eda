"""A piece is in one place: every other word about it is kept, and a person is told of both."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.envelope import Recorded
from crossdock.model.movement import InboundAccepted
from crossdock.model.registry import TYPE_OF
from crossdock.model.serial import SerialMoved
from crossdock.processes import serial
from crossdock.processes.intents import CloseCase, Intent, OpenCase
from crossdock.processes.policy import Policy

THREAD = "serial/DRILL-1/SN-1"
BORN = datetime(2026, 3, 5, 9, tzinfo=UTC)
Told = tuple[int, dict[str, str]]


def fact(
    hour: int, did: str, location: str = "SITE1", thread: str = "stock/SITE1/DRILL-1", **more: str
) -> Told:
    return hour, {"did": did, "location": location, "thread": thread, **more}


def packed(
    hour: int, did: str = "packed", number: str = "S-1", location: str = "SITE1", order: str = "shop/1"
) -> Told:
    return fact(hour, did, location, f"shipment/wms-1/{number}", sscc=f"SSCC-{number}", order=order)


def told(*facts: Told) -> tuple[serial.State, list[Intent]]:
    state, intents = serial.initial(THREAD), list[Intent]()
    for hour, said in facts:
        state = _hear(state, SerialMoved("DRILL-1", "SN-1", **said), hour, intents)  # type: ignore[arg-type]
    return state, intents


def _hear(
    state: serial.State, data: SerialMoved | InboundAccepted, hour: int, intents: list[Intent]
) -> serial.State:
    at = BORN + timedelta(hours=hour)
    event = Recorded(
        thread=THREAD,
        type=TYPE_OF[type(data)],
        data=data,
        id="x",
        source="crossdock",
        occurred_at=at,
        recorded_at=at,
    )
    step = serial.step(state, event, Policy())
    intents += step.intents
    assert isinstance(step.state, serial.State)
    return step.state


def places(state: serial.State) -> list[tuple[str, str]]:
    return [(x.where, x.location) for x in state.places]


def test_a_piece_is_where_it_was_moved_to() -> None:
    """From the dock into a box, to the customer, back, into another box: one place at any time, and no case."""
    life = [
        fact(0, "received"), packed(1), packed(2, "shipped"), fact(3, "returned", thread="return/wms-1/R-1", order="shop/1"),
        packed(4, number="S-2", order="shop/2"), packed(5, "shipped", "S-2", order="shop/2"),
    ]  # fmt: skip
    where = ["on hand", "packed", "left", "on hand", "packed", "left"]
    for count, expected in enumerate(where, 1):
        state, intents = told(*life[:count])
        assert places(state) == [(expected, "SITE1")]
        assert intents == []
    assert state.places[0].sscc == "SSCC-S-2"
    assert state.places[0].order == "shop/2"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([fact(0, "received", document="R-1"), fact(1, "received", "SITE2", "stock/SITE2/DRILL-1", document="R-2")],
         ("on hand at SITE1 (R-1)", "on hand at SITE2 (R-2)")),
        ([fact(0, "received"), packed(1), packed(2, number="S-2", order="shop/2")], ("packed in SSCC-S-1", "packed in SSCC-S-2")),
        ([fact(0, "received"), packed(1), packed(1)], ("packed in SSCC-S-1", "2 places")),
        ([fact(0, "received"), packed(1, location="SITE2")], ("on hand at SITE1", "packed in SSCC-S-1 at SITE2")),
        ([packed(1, "shipped"), fact(2, "received", "SITE2")], ("in SSCC-S-1 to order shop/1", "on hand at SITE2")),
        ([fact(0, "received"), fact(1, "returned", "SITE2", document="R-9")], ("on hand at SITE1", "on hand at SITE2 (R-9)")),
        ([fact(1, "returned", "SITE2", document="R-9")], ("came back at SITE2 (R-9) and had not left",)),
        ([packed(1, "shipped"), fact(2, "returned", order="shop/2")], ("from order shop/2 and had left to order shop/1",)),
    ],
)  # fmt: skip
def test_two_words_about_one_piece_are_a_case_that_says_both(
    facts: list[Told], words: tuple[str, ...]
) -> None:
    """Received where another has it, packed twice, back without having left: neither word is believed alone."""
    _, intents = told(*facts)

    [case] = [x for x in intents if isinstance(x, OpenCase)]
    assert case.owner == "warehouse"
    for part in words:
        assert part in case.title


def test_what_takes_the_piece_away_elsewhere_settles_it() -> None:
    """One of two places says that it is gone: the case closes by itself."""
    state, intents = told(
        fact(0, "received"), fact(1, "received", "SITE2", "stock/SITE2/DRILL-1"), fact(2, "gone")
    )

    assert places(state) == [("on hand", "SITE2")]
    assert isinstance(intents[-1], CloseCase)


def test_a_person_who_accepts_believes_the_newest_word() -> None:
    """The older place is let go, and the case closes."""
    state, intents = told(fact(0, "received"), fact(1, "received", "SITE2", "stock/SITE2/DRILL-1"))
    state = _hear(state, InboundAccepted("places", "ann"), 2, intents)

    assert places(state) == [("on hand", "SITE2")]
    assert isinstance(intents[-1], CloseCase)


def test_a_transfer_carries_it_whatever_is_told_first() -> None:
    """The receiving warehouse's clock and message may run ahead of the sender's."""
    sent = fact(2, "sent", thread="transfer/hub/T-1")
    for arrived in (
        fact(1, "received", "SITE2", "transfer/hub/T-1"),
        fact(3, "received", "SITE2", "transfer/hub/T-1"),
    ):
        for order in permutations((fact(0, "received"), sent, arrived)):
            state, _ = told(*order)
            assert places(state) == [("on hand", "SITE2")]


SAID = st.builds(
    fact, st.integers(0, 30), st.sampled_from([*serial._STEPS]), st.sampled_from(["SITE1", "SITE2"]),
    st.sampled_from(["shipment/wms-1/S-1", "shipment/wms-1/S-2", "transfer/hub/T-1"]), order=st.sampled_from(["", "shop/1", "shop/2"]),
)  # fmt: skip


@given(st.lists(SAID, max_size=9).flatmap(lambda life: st.tuples(st.just(life), st.permutations(life))))
def test_in_whatever_order_it_is_told_it_is_in_the_same_place(life: tuple[list[Told], list[Told]]) -> None:
    """Facts that come late change what they should: the state is that of the facts in the order of their instants."""
    first, second = (told(*x)[0] for x in life)

    assert (first.places, first.doubt, first.facts) == (second.places, second.doubt, second.facts)


@given(st.lists(st.sampled_from([*serial._STEPS]), min_size=61, max_size=130))
def test_a_long_life_is_kept_short(steps: list[str]) -> None:
    """Told in order, the facts that are not kept any more count as if they were."""
    life = [fact(hour, did) for hour, did in enumerate(steps)]
    state, _ = told(*life)
    facts = [
        serial.Fact(
            BORN + timedelta(hours=hour),
            serial.ORDER[said["did"]],
            said["did"],
            said["location"],
            said["thread"],
        )  # type: ignore[index,arg-type]
        for hour, said in life
    ]

    assert len(state.facts) <= serial.FACTS_MAX
    assert (state.places, state.doubt) == serial.lived((), "", facts)
