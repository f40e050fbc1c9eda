"""DOMAIN check 11: goods issues reversed and posted anew, closed periods, and departures told across a month's end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from e2e.running import Answer, eventually
from scenarios.goods import broken_law
from scenarios.group import Group

ONE = {"WID-1": Decimal(1)}
OPEN = {"open_from": "2000-01-01"}


@pytest.fixture
async def bob(group: Group) -> AsyncIterator[str]:
    """A second person's token."""
    made = group.api.hub.crossdock(
        "token", "create", f"bob {uuid4().hex[:6]}", "--scope", "operator", "--json"
    )
    token = json.loads(made.stdout)["token"]

    async def known() -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return (await group.api.call("GET", "/v1/threads", headers=headers, anonymous=True)).status == 200

    await eventually(known, what="the hub knows the second person")
    yield token
    await group.twin("sap-1", "/periods", OPEN, "PUT")


@asynccontextmanager
async def kept_at_the_dock(group: Group) -> AsyncIterator[None]:
    """Labels do not reach the warehouse, so that its own trucks stay away; carriers show nothing."""
    hold = {"scope": "target", "name": "wms-1", "kind": "label.attach", "reason": "a test drives the trucks"}
    placed = await group.api.post("/v1/holds", hold)
    assert placed.status == 201, placed.body
    try:
        async with group.quirks("ups-1", silent=1.0):
            yield
    finally:
        lifted = json.dumps({"reason": "done"}).encode()
        number = placed.json()["hold"]["id"]
        assert (await group.api.call("DELETE", f"/v1/holds/{number}", lifted)).status == 200


async def labelled(group: Group) -> tuple[str, str]:
    """(an order of one piece, its shipment): packed, with a label, at the dock."""
    reference = await group.buy(("WID-1", 1))
    [thread] = await group.until_shipments(reference, 1, "labelled")
    return reference, thread.partition("/")[2]


async def departs(group: Group, shipment: str, at: datetime) -> None:
    """The warehouse's word."""
    event: dict[str, Any] = {
        "specversion": "1.0", "id": uuid4().hex, "source": "wms-1", "type": "crossdock.logistics.shipment.departed.v1",
        "subject": f"shipment/{shipment}", "time": at.isoformat(),
        "data": {"shipment": shipment.partition("/")[2], "location": "SITE1", "packages": []},
    }  # fmt: skip
    assert (await group.api.post("/v1/events", event)).status == 202


async def posted(group: Group, reference: str, effect: str) -> list[dict[str, Any]]:
    """What the ERP's own books have of this order, oldest first: document, day, what it reverses."""
    rows = await group.journal("sap-1", effect)
    return [
        {"document": x["key"]} | x["detail"] for x in rows if x["reference"].partition("|")[2] == reference
    ]


async def freight(group: Group, shipment: str, effect: str) -> list[Decimal]:
    rows = await group.journal("sap-1", effect)
    return [Decimal(x["detail"]["amount"]) for x in rows if x["reference"].startswith(shipment)]


async def until_posted(group: Group, reference: str, effect: str, count: int) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]]:
        found = await posted(group, reference, effect)
        return found if len(found) >= count else []

    found = await eventually(look, what=f"the ERP has {count} {effect} of {reference}")
    assert isinstance(found, list)
    assert len(found) == count
    return found


async def reverse(group: Group, shipment: str, token: str = "", **body: Any) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    said = json.dumps({"reason": "booked wrongly"} | body).encode()
    path = f"/v1/shipments/reverse-goods-issue/{shipment}"
    return await group.api.call("POST", path, said, headers=headers, anonymous=bool(token))


async def both_reverse(group: Group, shipment: str, bob: str, **body: Any) -> None:
    """One asks as soon as there is something to reverse, and the story says so; the other one's word counts."""

    async def asked() -> bool:
        answer = await reverse(group, shipment, **body)
        assert answer.status in (202, 409), answer.body
        return answer.status == 202 and answer.json()["state"] == "asked"

    await eventually(asked, what="the reversal is asked for")

    async def waits() -> bool:
        found = (await group.story(f"shipment/{shipment}"))["waiting"]
        return any("word of a second person" in x["text"] for x in found)

    await eventually(waits, what="the story says that a second person is waited for")
    again = await reverse(group, shipment, **body)
    assert (again.status, again.problem["type"].rpartition("/")[2]) == (403, "two-people")
    confirmed = await reverse(group, shipment, bob, **body)
    assert (confirmed.status, confirmed.json()["state"]) == (202, "to be reversed"), confirmed.body


async def delivery_of(group: Group, reference: str) -> dict[str, Any]:
    [found] = [
        x for x in (await group.twin("sap-1", "/deliveries")).values() if x["order_reference"] == reference
    ]
    assert isinstance(found, dict)
    return found


async def test_a_departure_heard_after_its_month_was_closed(group: Group, bob: str) -> None:
    """Left on the 31st at night, heard in the new month: the ERP refuses the day, finance decides another, once and for all."""
    await group.twin("sap-1", "/periods", {"open_from": "2026-11-01"}, "PUT")
    async with kept_at_the_dock(group):
        reference, shipment = await labelled(group)
        await departs(group, shipment, datetime(2026, 10, 31, 22, 30, tzinfo=UTC))
        case = await group.until_case(f"order/{reference}", "period closed")
        assert case["owner"] == "finance"
        assert "Posting period 010 2026" in case["title"]
        assert await posted(group, reference, "goods_issue.post") == []

        said = group.api.hub.crossdock(
            "cases", "retry", f"C-{case['number']}", "--posting-on", "2026-11-02", "--reason", "agreed with accounting"
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        [issue] = await until_posted(group, reference, "goods_issue.post", 1)
    assert issue["posted_on"] == "2026-11-02"
    assert len(await posted(group, reference, "delivery.create")) == 1
    await group.until(reference, "completed")
    assert await group.booked(reference, "invoice.release") == ONE
    timeline = [x["text"] for x in (await group.story(f"order/{reference}"))["timeline"]]
    assert any("agreed with accounting" in x for x in timeline)


async def test_the_posting_date_is_the_day_at_the_node(group: Group, bob: str) -> None:
    """A quarter past midnight in Amsterdam is the new month, whatever UTC says: no case, goods issue and freight on the first."""
    await group.twin("sap-1", "/periods", {"open_from": "2026-11-01"}, "PUT")
    async with kept_at_the_dock(group):
        reference, shipment = await labelled(group)
        await departs(group, shipment, datetime(2026, 10, 31, 23, 15, tzinfo=UTC))
        [issue] = await until_posted(group, reference, "goods_issue.post", 1)
        assert issue["posted_on"] == "2026-11-01"

        async def accrued() -> list[dict[str, Any]]:
            rows = await group.journal("sap-1", "freight.accrue")
            return [x["detail"] for x in rows if x["reference"] == shipment]

        [accrual] = await eventually(accrued, what="the freight is accrued")
        assert accrual["posted_on"] == "2026-11-01"
    await group.until(reference, "completed")


async def test_only_what_is_booked_on_a_day_gets_another(group: Group) -> None:
    """A case of something else is retried without a date; a date that is none is said to be so."""
    async with group.quirks("sap-1", credit_blocked=1.0):
        reference = await group.buy(("WID-1", 1))
        case = await group.until_case(f"order/{reference}", "credit")
    path = f"/v1/cases/{case['number']}/retry"
    answer = await group.api.post(path, {"reason": "x", "posting_on": "2026-11-02"})
    assert (answer.status, answer.problem["type"].rpartition("/")[2]) == (409, "no-posting-date")
    wrong = await group.api.post(path, {"reason": "x", "posting_on": "tomorrow"})
    assert (wrong.status, wrong.problem["type"].rpartition("/")[2]) == (400, "bad-query")
    assert "2026-12-01" in wrong.problem["detail"]
    await group.cancel(reference)


async def test_two_people_reverse_a_goods_issue_and_finance_has_it_posted_anew(
    group: Group, bob: str
) -> None:
    """One alone only asks; the ERP's books have a reversal and then a second document, one invoice, and the freight as it was."""
    async with group.quirks("ups-1", silent=1.0):
        reference = await group.buy(("WID-1", 1))
        thread = f"order/{reference}"
        [first] = await until_posted(group, reference, "goods_issue.post", 1)
        [shipment] = [x.partition("/")[2] for x in await group.shipments(reference)]

        await both_reverse(group, shipment, bob)
        [reversal] = await until_posted(group, reference, "goods_issue.reverse", 1)
        assert reversal["reverses"] == first["document"]
        case = await group.until_case(thread, "goods issue reversed")
        assert case["owner"] == "finance"
        [invoice] = [x for x in (await group.story(thread))["waiting"] if x["gate"] == "invoice.release"]
        assert "goods issue from SAP" in invoice["text"]
        [issue] = [x for x in (await group.story(thread))["waiting"] if x["gate"] == "goods_issue.post"]
        assert issue["missing"][0]["called"] == "finance"
        assert len(await posted(group, reference, "goods_issue.post")) == 1
        nothing = await reverse(group, shipment)
        assert (nothing.status, nothing.problem["type"].rpartition("/")[2]) == (409, "nothing-to-reverse")

        await group.retry(case)
        [_, second] = await until_posted(group, reference, "goods_issue.post", 2)
        assert second["document"] > reversal["document"] > first["document"]
    await group.until(reference, "completed")
    assert len(await posted(group, reference, "delivery.create")) == 1
    assert await group.booked(reference, "invoice.release") == ONE
    assert await group.cases(thread) == []
    assert len(await freight(group, shipment, "freight.accrue")) == 1
    assert await freight(group, shipment, "freight.adjust") == []
    day = await group.api.get("/v1/day")
    assert [x["kind"] for x in day["differences"] if x["thread"] == thread] == []


async def test_what_never_left_is_put_back_and_leaves_later(group: Group, bob: str) -> None:
    """Goods issue and accrual are taken back, the boxes are in the house; the real departure makes both anew, the told one none."""
    told = datetime.now(UTC) - timedelta(hours=2)
    async with kept_at_the_dock(group):
        before = (await group.stock("WID-1"))["SITE1"]
        reference, shipment = await labelled(group)
        await departs(group, shipment, told)
        await until_posted(group, reference, "goods_issue.post", 1)
        [accrued] = await eventually(
            lambda: freight(group, shipment, "freight.accrue"), what="the freight is accrued"
        )
        await both_reverse(group, shipment, bob, never_left=True)

        await until_posted(group, reference, "goods_issue.reverse", 1)
        assert await eventually(
            lambda: freight(group, shipment, "freight.adjust"), what="the accrual comes off"
        ) == [-accrued]
        assert await group.line(reference, "WID-1") == {"ordered": Decimal(1), "picked": Decimal(1)}
        picked = (await group.stock("WID-1"))["SITE1"]["picked"]
        assert picked == before["picked"] + 1
        assert await group.cases(f"order/{reference}") == []

        await departs(group, shipment, told)  # told again, under another id
        await departs(group, shipment, datetime.now(UTC))
        [_, second] = await until_posted(group, reference, "goods_issue.post", 2)
        assert second["quantities"] == {"WID-1": "1.000"}

        async def accrued_again() -> bool:
            return await freight(group, shipment, "freight.accrue") == [accrued, accrued]

        await eventually(accrued_again, what="the freight is accrued anew")
    await group.until(reference, "completed")
    assert await group.booked(reference, "invoice.release") == ONE
    assert await group.line(reference, "WID-1") == {
        "ordered": Decimal(1), "shipped": Decimal(1), "delivered": Decimal(1),
    }  # fmt: skip
    assert await broken_law(group) == []


async def test_what_a_carrier_has_scanned_did_leave(group: Group) -> None:
    """Nobody can say of a delivered parcel that it never left."""
    reference = await group.buy(("WID-1", 1))
    await group.until(reference, "completed")
    [thread] = await group.shipments(reference)

    answer = await reverse(group, thread.partition("/")[2], never_left=True)

    assert answer.status == 409
    assert "it left" in answer.problem["detail"]
    assert (await reverse(group, "wms-1/nobody")).status == 404
    forged: dict[str, Any] = {
        "specversion": "1.0", "id": uuid4().hex, "source": "operator/somebody", "subject": thread,
        "type": "crossdock.logistics.goodsIssue.reversalRequested.v1", "data": {"by": "somebody", "reason": "x"},
    }  # fmt: skip
    said = await group.api.post("/v1/events", forged)
    assert (said.status, said.problem["errors"][0]["pointer"]) == (422, "/source")


async def test_somebody_reverses_in_the_erp_what_was_billed(group: Group) -> None:
    """SAP wants the invoice cancelled first; told of it the hub has finance decide, and then posts and bills anew, once."""
    reference = await group.buy(("WID-1", 1))
    thread = f"order/{reference}"
    await group.until(reference, "completed")
    number, day = (await delivery_of(group, reference))["number"], {"on": "2026-11-30"}
    with pytest.raises(Exception, match="400"):
        await group.twin("sap-1", f"/deliveries/{number}/reverse", day, "POST")
    cancelled = (await group.twin("sap-1", f"/deliveries/{number}/cancel_billing", {}, "POST"))["cancelled"]
    document = (await group.twin("sap-1", f"/deliveries/{number}/reverse", day, "POST"))["document"]
    event: dict[str, Any] = {
        "specversion": "1.0", "source": "sap-1", "type": "crossdock.logistics.goodsIssue.reversed.v1", "subject": thread,
        "data": {"document": document, "delivery": number},
    }  # fmt: skip
    for _ in range(2):
        assert (await group.api.post("/v1/events", event | {"id": uuid4().hex})).status == 202

    case = await group.until_case(thread, "goods issue reversed")
    assert case["owner"] == "finance"
    assert f"Invoice {cancelled}" in case["detail"]
    assert (await group.story(thread))["phase"] == "delivered"
    assert len(await posted(group, reference, "goods_issue.post")) == 1

    await group.retry(case)
    await until_posted(group, reference, "goods_issue.post", 2)
    await group.until(reference, "completed")
    [old, new] = await until_posted(group, reference, "invoice.release", 2)
    assert (old["document"], new["delivery"]) == (cancelled, number)
    assert await group.cases(thread) == []


async def test_a_billed_goods_issue_is_reversed_once_finance_has_cancelled_the_invoice(
    group: Group, bob: str
) -> None:
    """The request makes a case and no call; a closed period refuses the reversal, another day is decided for it."""
    reference = await group.buy(("WID-1", 1))
    thread = f"order/{reference}"
    await group.until(reference, "completed")
    [shipment] = [x.partition("/")[2] for x in await group.shipments(reference)]
    await both_reverse(group, shipment, bob, posting_on="2026-10-30")
    case = await group.until_case(thread, "goods issue reversed")
    assert "Cancel invoice" in case["detail"]
    [gate] = [x for x in (await group.story(thread))["waiting"] if x["gate"] == "goods_issue.reverse"]
    assert gate["missing"][0]["called"] == "finance"
    assert await posted(group, reference, "goods_issue.reverse") == []

    number = (await delivery_of(group, reference))["number"]
    await group.twin("sap-1", f"/deliveries/{number}/cancel_billing", {}, "POST")
    await group.twin("sap-1", "/periods", {"open_from": "2026-11-01"}, "PUT")
    await group.retry(case)
    closed = await group.until_case(thread, "period closed")
    answer = await group.api.post(
        f"/v1/cases/{closed['number']}/retry", {"reason": "the new month", "posting_on": "2026-11-02"}
    )  # fmt: skip
    assert answer.status == 202, answer.body
    [reversal] = await until_posted(group, reference, "goods_issue.reverse", 1)
    assert reversal["posted_on"] == "2026-11-02"

    await group.retry(await group.until_case(thread, "goods issue reversed"))
    await until_posted(group, reference, "goods_issue.post", 2)
    await group.until(reference, "completed")
    assert len(await posted(group, reference, "invoice.release")) == 2
