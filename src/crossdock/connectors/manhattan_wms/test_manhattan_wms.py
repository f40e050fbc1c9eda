"""The client against the twin over HTTP: every effect, every answer, and what goes wrong on the way."""

import asyncio
from pathlib import Path

import pytest

from crossdock.connect.contract import CannotTell, Done, Refused, RetryLater, Unknown
from crossdock.connect.transport import Answer
from crossdock.connectors.manhattan_wms.client import _outcome
from crossdock.connectors.manhattan_wms.conftest import (
    ADA,
    REFERENCE,
    Bench,
    account,
    attach,
    bench,
    call,
    cancel,
    eventually,
    release,
)
from crossdock.connectors.manhattan_wms.connector import CONNECTOR
from crossdock.connectors.manhattan_wms.gs1 import sscc
from crossdock.connectors.manhattan_wms.mapping import to_events
from crossdock.connectors.manhattan_wms.mapping_out import order_id
from crossdock.errors import Misconfigured
from crossdock.model.order import CancellationAnswered, OrderReleased
from crossdock.model.shipment import LabelAttached

# Client and twin


async def test_an_order_lives_from_release_to_departure(wms: Bench) -> None:
    """One release and one label bring allocation, packing and departure, and the stock follows."""
    await wms.stock(WID_1="10")
    released = await wms.send("warehouse_order.release", release())
    assert released == Done(
        document=order_id(REFERENCE),
        receipt=OrderReleased(warehouse_order=order_id(REFERENCE), tasks=("T-1",)),
        answer=released.answer,
    )
    await wms.status("packed")
    await eventually(lambda: len(wms.heard) == 3)
    [package] = wms.events()[2].data.packages
    attached = await wms.send("label.attach", attach(package.sscc))
    assert attached.receipt == LabelAttached(shipment="S-1")
    await eventually(lambda: len(wms.heard) == 4)

    assert [event.type for event in wms.events()] == [
        "stock.received.v1", "order.allocated.v1", "shipment.packed.v1", "shipment.departed.v1",
    ]  # fmt: skip
    assert wms.events()[2].data.people.ship_to == ADA.ship_to
    assert wms.events()[3].data.packages == (package,)
    assert wms.events()[3].data.carrier == "ups"
    assert wms.journal("shipment.departed") == [("S-1", "S-1")]
    assert (await wms.get("/_twin/stock"))["WID-1"] == {
        "quantity": "8", "allocated": "0", "lot": "", "unit": "UNIT",
    }  # fmt: skip
    [order] = await wms.get("/_twin/orders")
    assert (order["reference"], order["status"], order["shipment"]) == (REFERENCE, "departed", "S-1")


async def test_everything_sent_twice_is_done_once(wms: Bench) -> None:
    """Saving, attaching and cancelling again answer as before and change nothing."""
    await wms.stock(WID_1="10")
    first = await wms.send("warehouse_order.release", release())
    again = await wms.send("warehouse_order.release", release())
    assert first.receipt == again.receipt
    await wms.status("packed")
    labels = attach(sscc("4012345", 1))
    assert await wms.send("label.attach", labels) == await wms.send("label.attach", labels)

    assert wms.journal("warehouse_order.release") == [(REFERENCE, order_id(REFERENCE))]
    assert wms.journal("label.attach") == [("S-1", "S-1")]


async def test_cancelling_what_never_came_is_accepted(wms: Bench) -> None:
    """There is nothing to stop, and nothing is journalled."""
    outcomes = [await wms.send("warehouse_order.cancel", cancel("shopify-eu/9")) for _ in range(2)]

    expected = CancellationAnswered(accepted=True, reason="never received")
    assert [outcome.receipt for outcome in outcomes] == [expected, expected]
    assert wms.journal("warehouse_order.cancel") == []


async def test_refusals_carry_the_words_of_the_wms(tmp_path: Path) -> None:
    """Unknown facility, unknown item, unknown shipment and foreign packages are business refusals."""
    async with bench(tmp_path / "wms.db", items="WID-1") as wms:
        await wms.stock(WID_1="10")
        refused = [
            await wms.send("warehouse_order.release", release(location="MOON")),
            await wms.send("warehouse_order.release", release(item="NO-SUCH")),
            await wms.send("label.attach", attach("x", shipment="S-9")),
        ]
        await wms.send("warehouse_order.release", release())
        await wms.status("packed")
        refused.append(await wms.send("label.attach", attach("x")))

        assert [(x.code, x.cause) for x in refused] == [
            ("FACILITY_UNKNOWN", "master data"), ("ITEM_UNKNOWN", "master data"), ("SHIPMENT_NOT_FOUND", ""), ("OLPN_MISMATCH", ""),
        ]  # fmt: skip
        assert len(wms.journal("warehouse_order.release")) == 1


async def test_a_killed_twin_goes_on_where_it_was(tmp_path: Path) -> None:
    """Work under way stands in the books, not in memory."""
    async with bench(tmp_path / "wms.db") as before:
        await before.stock(WID_1="10")
        await before.send("warehouse_order.release", release())
    async with bench(tmp_path / "wms.db") as after:
        await after.status("packed")

        assert after.journal("warehouse_order.release") == [(REFERENCE, order_id(REFERENCE))]


async def test_waiting_callers_share_one_token(wms: Bench) -> None:
    """Five calls at once ask for a token once."""
    bodies = [release(f"shopify-eu/{number}") for number in range(5)]
    outcomes = await asyncio.gather(*(wms.send("warehouse_order.release", body) for body in bodies))

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(wms.twin.books.all("token")) == 1


async def test_an_expired_token_is_renewed_before_it_is_used(tmp_path: Path) -> None:
    """The client keeps to the lifetime it was told."""
    async with bench(tmp_path / "wms.db", token_seconds="0.05") as wms:
        await wms.send("warehouse_order.release", release())
        await asyncio.sleep(0.06)
        outcome = await wms.send("warehouse_order.release", release())

        assert isinstance(outcome, Done)
        assert len(wms.twin.books.all("token")) == 2


async def test_wrong_credentials_book_nothing_and_name_the_setting(wms: Bench) -> None:
    """`check` says what to mend; `send` comes back later."""
    client = CONNECTOR.open(account(wms.base_url, client_secret="wrong"), wms.transport)
    with pytest.raises(Misconfigured) as caught:
        await client.check()
    outcome = await client.send(call("warehouse_order.release", release()))

    assert "client_secret" in caught.value.setting
    assert isinstance(outcome, RetryLater)
    assert not outcome.throttled


async def test_password_grant(tmp_path: Path) -> None:
    """With a user the client asks for the password grant; the facility is named by the check."""
    user = {"username": "ada", "password": "s3"}
    async with bench(tmp_path / "wms.db", secrets=user) as wms:
        client = CONNECTOR.open(account(wms.base_url, **user), wms.transport)

        assert "SITE1" in await client.check()


async def test_nobody_there_is_certainly_not_done(wms: Bench) -> None:
    """A refused connection is no unclear case."""
    client = CONNECTOR.open(account("http://127.0.0.1:9"), wms.transport)

    assert isinstance(await client.send(call("warehouse_order.release", release())), RetryLater)


async def test_look_up_is_not_offered(wms: Bench) -> None:
    """Upserts are repeated instead."""
    answer = await wms.client.look_up(call("warehouse_order.release", release()))

    assert isinstance(answer, CannotTell)
    assert answer.for_ever


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=503, headers={}, body=b""), Unknown),
        (Answer(status=503, headers={"retry-after": "7"}, body=b""), RetryLater),
        (Answer(status=502, headers={}, body=b"<html>"), Unknown),
        (Answer(status=200, headers={}, body=b"<html>"), Unknown),
        (Answer(status=200, headers={}, body=b'{"success": true}'), Unknown),
        (Answer(status=200, headers={}, body=b'{"success": false}'), Refused),
        (Answer(status=404, headers={}, body=b"<html>"), RetryLater),
        (Answer(status=400, headers={}, body=b'{"success": false, "messages": {"Message": []}}'), Refused),
    ],
)
def test_answers_become_outcomes(answer: Answer, expected: type) -> None:
    """What may have been booked is unknown; what cannot have been is not."""
    assert isinstance(_outcome(call("warehouse_order.release", release()), answer), expected)


# Quirks


async def test_quirk_answer_lost(wms: Bench) -> None:
    """The order is taken though nobody heard so; sending again is harmless."""
    wms.quirk("answer_lost")
    assert isinstance(await wms.send("warehouse_order.release", release()), Unknown)
    wms.quirk("answer_lost", 0)
    assert isinstance(await wms.send("warehouse_order.release", release()), Done)

    assert len(wms.journal("warehouse_order.release")) == 1


async def test_quirk_unavailable(wms: Bench) -> None:
    """A bare 503 leaves open what happened; here nothing did."""
    wms.quirk("unavailable")

    assert isinstance(await wms.send("warehouse_order.release", release()), Unknown)
    assert wms.journal("warehouse_order.release") == []


async def test_quirk_slow(wms: Bench) -> None:
    """An answer that comes after the time-out counts as none."""
    wms.quirk("slow")

    assert isinstance(await wms.send("warehouse_order.release", release(), timeout_seconds=0.2), Unknown)
    assert len(wms.journal("warehouse_order.release")) == 1


async def test_quirk_throttle_429(wms: Bench) -> None:
    """Throttling is no attempt, and its wish for time is passed on."""
    wms.quirk("throttle_429")

    outcome = await wms.send("warehouse_order.release", release())
    assert outcome == RetryLater(reason="throttled (HTTP 429)", after_seconds=1.0, throttled=True)
    assert wms.journal("warehouse_order.release") == []


async def test_quirk_token_expired(wms: Bench) -> None:
    """A token refused before its time is renewed within the same call."""
    wms.quirk("token_expired")
    outcomes = [await wms.send("warehouse_order.release", release()) for _ in range(3)]

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(wms.journal("warehouse_order.release")) == 1


async def test_quirk_duplicate_event(wms: Bench) -> None:
    """All copies carry one source id."""
    wms.quirk("duplicate_event")
    await wms.stock(WID_1="10")
    await eventually(lambda: len(wms.heard) >= 2)

    assert {to_events(one, account()).source_id for one in wms.heard} == {"SITE1-1"}


async def test_quirk_lost_event(wms: Bench) -> None:
    """The books change, and the number that was used up tells that something was never sent."""
    wms.quirk("lost_event")
    await wms.stock(WID_1="10")
    wms.quirk("lost_event", 0.0)
    await wms.stock(WID_2="10")
    await eventually(lambda: wms.heard)

    assert [to_events(one, account()).source_id for one in wms.heard] == ["SITE1-2"]


async def test_quirk_reordered_event(wms: Bench) -> None:
    """Messages are held back by different times; their sequence still tells the order."""
    wms.quirk("reordered_event")
    await wms.stock(WID_1="10", WID_2="10", WID_3="10", WID_4="10")
    due = [row[0] for row in wms.twin.books.rows("select due from outbox order by id")]

    assert due != sorted(due)
