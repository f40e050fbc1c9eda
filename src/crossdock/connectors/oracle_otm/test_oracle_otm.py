"""The client against the twin over HTTP: both effects, every quirk, and a load from tender to bill."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from crossdock.connect.contract import Absent, CannotTell, Done, Refused, RetryLater, Unknown
from crossdock.connect.transport import Answer
from crossdock.connectors.oracle_otm.conftest import (
    EFFECT,
    SHIPMENT,
    Bench,
    account,
    bench,
    call,
    cancel,
    inbound,
    tender,
)
from crossdock.connectors.oracle_otm.connector import CONNECTOR
from crossdock.connectors.oracle_otm.mapping import release_xid
from crossdock.connectors.oracle_otm.notices import to_events
from crossdock.connectors.oracle_otm.talk import trouble
from crossdock.connectors.oracle_otm.twin_network import RATES
from crossdock.errors import Misconfigured, Rejected
from crossdock.model.party import Party, People
from crossdock.model.shipment import LoadCancelled, LoadTendered

LOAD = f"ACME.{release_xid(SHIPMENT, EFFECT)}"
THREAD = "shipment/wms-1/S-77"


async def test_a_load_lives_from_tender_to_bill(otm: Bench) -> None:
    """One tender brings acceptance, the carrier's way and a bill that adds up, all to the shipment's thread."""
    tendered = await otm.send("load.tender", tender())
    assert tendered == Done(document=LOAD, receipt=LoadTendered(load=LOAD), answer=tendered.answer)
    [bill] = await otm.told("freight.invoiced.v1")

    assert {event.thread for event in otm.events()} == {THREAD}
    [accepted] = otm.events("load.accepted.v1")
    assert (accepted.data.load, accepted.data.carrier) == (LOAD, "EXLA")
    assert accepted.data.freight.amount == Decimal("150.30")
    milestones = [event.data for event in otm.events("shipment.milestoneReached.v1")]
    assert [(m.milestone, m.classifier) for m in milestones] == [
        ("picked_up", "ACT"), ("in_transit", "ACT"), ("delivered", "EST"), ("arrived", "ACT"),
        ("out_for_delivery", "ACT"), ("delivered", "ACT"),
    ]  # fmt: skip
    assert {(m.tracking, m.carrier) for m in milestones} == {(accepted.data.pro, "EXLA")}
    assert [m.at is None for m in milestones] == [False, False, False, True, False, False]
    assert bill.data.total.amount == sum(charge.amount.amount for charge in bill.data.charges)
    assert bill.data.charges[0].amount == accepted.data.freight
    assert otm.journal("load.tender") == [(SHIPMENT, LOAD)]
    assert otm.journal("shipment.delivered") == [(SHIPMENT, accepted.data.pro)]
    assert otm.journal("freight.invoiced") == [(SHIPMENT, bill.data.invoice)]


async def test_a_tender_sent_twice_is_one_load(otm: Bench) -> None:
    """The id comes from the effect: OTM refuses the second, which is the first one's success."""
    assert await otm.client.look_up(call("load.tender", tender())) == Absent()
    first = await otm.send("load.tender", tender())
    again = await otm.send("load.tender", tender())
    found = await otm.client.look_up(call("load.tender", tender()))

    assert first.receipt == again.receipt == found.receipt
    assert otm.journal("load.tender") == [(SHIPMENT, LOAD)]


async def test_a_new_tender_of_the_same_shipment_is_a_new_load(otm: Bench) -> None:
    """After a cancelled load the shipment can be tendered again, and both loads tell themselves apart."""
    load = await otm.tendered()
    await otm.send("load.cancel", cancel(load))
    again = await otm.send("load.tender", tender(), effect="another")

    assert again.document != load
    [accepted] = await otm.told("load.accepted.v1")
    assert accepted.data.load == again.document


async def test_cancelling_before_pickup_stops_the_load_for_good(tmp_path: Path) -> None:
    """It is done once however often it is sent, and no carrier comes."""
    async with bench(tmp_path / "otm.db", pickup="on_departure") as otm:
        load = await otm.tendered()
        await otm.told("load.accepted.v1")
        first = await otm.send("load.cancel", cancel(load))
        again = await otm.send("load.cancel", cancel(load))
        await otm.put("/_twin/departures", {"shipments": [SHIPMENT]})
        await asyncio.sleep(0.2)

        assert first == again == Done(document=load, receipt=LoadCancelled(load=load))
        assert otm.journal("load.cancel") == [(SHIPMENT, load)]
        assert otm.journal("scan") == []
        assert (await otm.loads())[0]["status"] == "cancelled"


async def test_cancelling_after_pickup_is_refused(otm: Bench) -> None:
    """A truck that left is not called back."""
    load = await otm.tendered()
    await otm.told("shipment.milestoneReached.v1")

    refused = await otm.send("load.cancel", cancel(load))
    assert isinstance(refused, Refused)
    assert refused.code == "STATUS_CONFLICT"
    assert otm.journal("load.cancel") == []


async def test_cancelling_what_otm_does_not_know_is_refused(otm: Bench) -> None:
    """OTM's own 404 is an answer; nobody guesses that the load is gone."""
    assert (await otm.send("load.cancel", cancel("ACME.NONE"))).code == "NOT_FOUND"


async def test_the_way_begins_when_the_goods_leave(tmp_path: Path) -> None:
    """With `pickup = on_departure` no status comes before the departure, however early that was told."""
    async with bench(tmp_path / "otm.db", pickup="on_departure") as otm:
        await otm.tendered()
        await otm.told("load.accepted.v1")
        await asyncio.sleep(0.2)
        assert otm.events("shipment.milestoneReached.v1") == []
        await otm.put("/_twin/departures", {"shipments": [SHIPMENT]})
        await otm.status("delivered")

        assert len(otm.journal("shipment.delivered")) == 1


async def test_a_killed_twin_goes_on_where_it_was(tmp_path: Path) -> None:
    """Work under way stands in the books, not in memory."""
    async with bench(tmp_path / "otm.db", pace_seconds=0.05) as before:
        await before.tendered()
    async with bench(tmp_path / "otm.db") as after:
        await after.told("freight.invoiced.v1")

        assert len(after.journal("load.tender")) == 1


async def test_refusals_carry_otms_words(otm: Bench) -> None:
    """A ship-to without a city is OTM's business to refuse."""
    refused = await otm.send("load.tender", tender(people=People(ship_to=Party(name="Mara", country="DE"))))

    assert isinstance(refused, Refused)
    assert (refused.code, refused.cause) == ("LOCATION_INVALID", "address")
    assert "city" in refused.reason
    assert otm.journal("load.tender") == []


async def test_a_foreign_release_under_our_id_is_no_success(otm: Bench) -> None:
    """What does not name our shipment is not ours: a person must look."""
    await otm.send("load.tender", tender())
    with otm.twin.books.change():
        load = otm.twin.books.get("load", LOAD)
        otm.twin.books.put("load", LOAD, {**load, "reference": "wms-9/S-1"})

    found = await otm.client.look_up(call("load.tender", tender()))
    assert isinstance(found, CannotTell)
    assert found.for_ever
    assert isinstance(await otm.send("load.tender", tender()), Refused)


async def test_a_release_that_changed_meanwhile_is_read_again(otm: Bench) -> None:
    """A stale ETag is no refusal: the cancellation reads the release again and succeeds."""
    load = await otm.tendered()
    outcomes = await asyncio.gather(*(otm.send("load.cancel", cancel(load)) for _ in range(4)))

    assert outcomes == [Done(document=load, receipt=LoadCancelled(load=load))] * 4
    assert otm.journal("load.cancel") == [(SHIPMENT, load)]


async def test_basic_authentication_needs_no_token(tmp_path: Path) -> None:
    """With a user name set, no token is asked for."""
    user = {"username": "ACME.HUB", "password": "s3"}
    async with bench(tmp_path / "otm.db", secrets=user) as otm:
        client = CONNECTOR.open(account(otm.base_url, **user), otm.transport)

        assert "ACME" in await client.check()
        assert isinstance(await client.send(call("load.tender", tender())), Done)
        assert otm.twin.books.all("token") == []


async def test_wrong_credentials_book_nothing_and_name_the_setting(otm: Bench) -> None:
    """`check` says what to mend; `send` comes back later. Both ways of logging on."""
    for wrong, named in (
        ({"client_secret": "x"}, "client_secret"),
        ({"username": "u", "password": "x"}, "password"),
    ):
        client = CONNECTOR.open(account(otm.base_url, **wrong), otm.transport)
        with pytest.raises(Misconfigured) as caught:
            await client.check()
        assert named in caught.value.setting
        assert isinstance(await client.send(call("load.tender", tender())), RetryLater)
    assert otm.journal("load.tender") == []


async def test_nobody_there_is_certainly_not_done(otm: Bench) -> None:
    """A refused connection is no unclear case."""
    client = CONNECTOR.open(account("http://127.0.0.1:9"), otm.transport)

    assert isinstance(await client.send(call("load.tender", tender())), RetryLater)


async def test_only_tenders_are_looked_up(otm: Bench) -> None:
    """A cancellation is repeated instead, and an unknown kind is refused."""
    answer = await otm.client.look_up(call("load.cancel", cancel(LOAD)))

    assert isinstance(answer, CannotTell)
    assert answer.for_ever
    assert (await otm.send("label.void", b"{}")).code == "unsupported"


OTM_404 = b'{"title": "Not Found", "status": "404", "o:errorDetails": []}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=503, headers={}, body=b""), Unknown),
        (Answer(status=503, headers={"retry-after": "7"}, body=b""), RetryLater),
        (Answer(status=429, headers={}, body=b""), RetryLater),
        (Answer(status=502, headers={}, body=b"<html>"), Unknown),
        (Answer(status=404, headers={}, body=b"<html>"), RetryLater),
        (Answer(status=404, headers={}, body=OTM_404), Refused),
        (Answer(status=403, headers={}, body=OTM_404), RetryLater),
        (Answer(status=400, headers={}, body=b'{"detail": "no"}'), Refused),
    ],
)
def test_answers_become_outcomes(answer: Answer, expected: type) -> None:
    """What may have been booked is unknown; what cannot have been is not."""
    assert isinstance(trouble(answer, books=True), expected)


# Quirks


async def test_quirk_answer_lost(otm: Bench) -> None:
    """The load is tendered though nobody heard so; the look-up finds it by the id of the effect."""
    otm.quirk("answer_lost")
    assert isinstance(await otm.send("load.tender", tender()), Unknown)
    otm.quirk("answer_lost", 0)

    found = await otm.client.look_up(call("load.tender", tender()))
    assert found == Done(document=LOAD, receipt=LoadTendered(load=LOAD))
    assert await otm.client.look_up(call("load.tender", tender(), effect="another")) == Absent()


async def test_quirk_unavailable(otm: Bench) -> None:
    """A bare 503 leaves open what happened; here nothing did."""
    otm.quirk("unavailable")

    assert isinstance(await otm.send("load.tender", tender()), Unknown)
    assert await otm.client.look_up(call("load.tender", tender())) == Absent()


async def test_quirk_slow(otm: Bench) -> None:
    """An answer that comes after the time-out counts as none."""
    otm.quirk("slow")

    assert isinstance(await otm.send("load.tender", tender(), timeout_seconds=0.2), Unknown)
    assert len(otm.journal("load.tender")) == 1


async def test_quirk_throttle_429(otm: Bench) -> None:
    """Throttling is no attempt, and its wish for time is passed on."""
    otm.quirk("throttle_429")

    outcome = await otm.send("load.tender", tender())
    assert outcome == RetryLater(reason="throttled (HTTP 429)", after_seconds=1.0, throttled=True)
    assert otm.journal("load.tender") == []


async def test_quirk_token_expired(otm: Bench) -> None:
    """A token refused before its time is renewed within the same call."""
    otm.quirk("token_expired")
    outcomes = [await otm.send("load.tender", tender(f"wms-1/S-{n}"), effect=str(n)) for n in range(3)]

    assert all(isinstance(outcome, Done) for outcome in outcomes)


async def test_quirk_carrier_declines(otm: Bench) -> None:
    """All are asked once, in order of price; the last no says that nobody is left."""
    otm.quirk("carrier_declines")
    await otm.tendered()
    declined = [event.data for event in await otm.told("load.declined.v1", len(RATES))]
    await asyncio.sleep(0.1)

    assert [one.carrier for one in declined] == ["EXLA", "RDWY", "ODFL", "SAIA"]
    assert [one.exhausted for one in declined] == [False, False, False, True]
    assert declined[0].reason == "EQUIPMENT"
    assert otm.events("load.accepted.v1") == []


async def test_after_a_decline_the_next_carrier_takes_it(otm: Bench) -> None:
    """One no is not the end."""
    otm.quirk("carrier_declines")
    await otm.tendered()
    await otm.told("load.declined.v1")
    otm.quirk("carrier_declines", 0)
    [accepted] = await otm.told("load.accepted.v1")

    assert accepted.data.carrier not in [event.data.carrier for event in otm.events("load.declined.v1")]


async def test_quirk_duplicate_event(otm: Bench) -> None:
    """All copies carry one source id."""
    otm.quirk("duplicate_event")
    await otm.tendered()
    await otm.told("load.accepted.v1", 2)

    accepted = [one for one in otm.heard if to_events(one, account()).events[0].type == "load.accepted.v1"]
    assert len({to_events(one, account()).source_id for one in accepted}) == 1


@pytest.mark.parametrize("quirk", ["reordered_event", "late_status"])
async def test_quirks_that_hold_messages_back(otm: Bench, quirk: str) -> None:
    """Messages are held back by different times, so that later ones overtake; each says when it happened."""
    otm.quirk(quirk)
    await otm.tendered()
    await otm.status("delivered")
    rows = otm.twin.books.rows("select due from outbox where topic = 'trackingEvents' order by id")

    assert [row[0] for row in rows] != sorted(row[0] for row in rows)


async def test_quirk_garbage_status(otm: Bench) -> None:
    """Garbage moves nothing and keeps the carrier's words; the good status beside it is read."""
    otm.quirk("garbage_status")
    await otm.tendered()
    told = [event.data for event in await otm.told("shipment.milestoneReached.v1", 12)]

    garbage = [one for one in told if one.milestone == "unknown"]
    assert len(garbage) == 6
    assert {(one.raw, one.at, one.local_at) for one in garbage} == {("ZZ9 NS", None, "31.02. 24:61")}
    assert [one.milestone for one in told if one not in garbage][-1] == "delivered"


async def test_quirk_reweighed(otm: Bench) -> None:
    """The bill names the heavier weight and its price, and still adds up."""
    otm.quirk("reweighed")
    await otm.tendered()
    [bill] = await otm.told("freight.invoiced.v1")

    assert bill.data.reweighed.value > Decimal("420.5")
    assert "RWT" in [charge.code for charge in bill.data.charges]
    assert bill.data.total.amount == sum(charge.amount.amount for charge in bill.data.charges)


async def test_quirk_duplicate_freight_bill(otm: Bench) -> None:
    """The same bill comes under two message ids; the books hold it once."""
    otm.quirk("duplicate_freight_bill")
    await otm.tendered()
    first, second = await otm.told("freight.invoiced.v1", 2)
    bills = [one for one in otm.heard if b'"/invoices"' in one.body]

    assert first.data == second.data
    assert len({to_events(one, account()).source_id for one in bills}) == 2
    assert len(otm.journal("freight.invoiced")) == 1


async def test_quirk_double_billed(otm: Bench) -> None:
    """The same freight comes under two invoice numbers; the books hold both."""
    otm.quirk("double_billed")
    await otm.tendered()
    first, second = await otm.told("freight.invoiced.v1", 2)

    assert first.data.invoice != second.data.invoice
    assert first.data.total == second.data.total
    assert len(otm.journal("freight.invoiced")) == 2


# What the fixtures cannot show of the mapping


def test_ids_are_otms_own_and_tell_effects_apart() -> None:
    """At most 50 characters of what OTM takes, stable for an effect, new for another."""
    long = release_xid("wms/Ä " + "9" * 80, "e-1")

    assert len(long) <= 50
    assert set(long) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert release_xid("wms-1/S-77", "e-1") == release_xid("wms-1/S-77", "e-1")
    assert release_xid("wms-1/S-77", "e-1") != release_xid("wms-1/S-77", "e-2")


async def test_weights_reach_otm_as_they_were_written(otm: Bench) -> None:
    """No binary fraction creeps in between the canonical payload and OTM's books."""
    await otm.send("load.tender", tender(weight="0.1234567890123456789"))

    assert otm.twin.books.get("load", LOAD)["weight"] == "0.1234567890123456789"


def test_what_cannot_be_addressed_is_rejected_by_path() -> None:
    """A ship-to in a country that does not exist."""
    nowhere = People(ship_to=Party(name="Mara", country="XX"))
    with pytest.raises(Rejected) as country:
        tender(people=nowhere)
    assert country.value.path == "/destination/country"


def test_two_of_our_shipments_in_one_document_are_rejected() -> None:
    """Which of them the status is about cannot be told."""
    fixture = Path(__file__).parent / "fixtures" / "in_status_departed_pickup.json"
    given = json.loads(fixture.read_text())
    body = given["body"]["transactions"]["items"][0]["body"]
    other = {"shipmentRefnumQualGid": "ACME.HUB_SHIPMENT", "shipmentRefnumValue": "wms-1/S-78"}
    body["shipmentRefnums"]["items"].append(other)

    with pytest.raises(Rejected):
        to_events(inbound(json.dumps(given["body"]).encode()), account())
