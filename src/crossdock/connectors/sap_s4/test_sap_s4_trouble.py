"""SAP S/4HANA: logon, sessions, and every way the twin misbehaves."""

import asyncio
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from crossdock.connect.contract import (
    Absent,
    CannotTell,
    Done,
    RetryLater,
    Unknown,
)
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.client import SapClient
from crossdock.connectors.sap_s4.conftest import (
    ACCOUNT,
    LINE,
    MANIFEST,
    REFERENCE,
    SECRETS,
    Sap,
    master_data,
    replace_line,
    start,
)
from crossdock.connectors.sap_s4.twin import build
from crossdock.errors import Misconfigured
from crossdock.model.money import Money


async def test_check_names_the_remedy(sap: Sap) -> None:
    """A good account says so; a wrong password or address names what to look at, never the secret."""
    wrong = replace(sap.account, secrets={"user": "CROSSDOCK", "password": "hunter2"})
    nowhere = replace(sap.account, base_url="http://127.0.0.1:9")

    assert "Logged on" in await sap.client.check()
    for account in (wrong, nowhere):
        with pytest.raises(Misconfigured, match="password") as raised:
            await SapClient(account, sap.transport).check()
        assert "hunter2" not in str(raised.value)


async def test_wrong_password_and_dead_host_did_nothing(sap: Sap) -> None:
    """Both are certain: the effect may simply be sent later."""
    wrong = SapClient(replace(sap.account, secrets={}), sap.transport)
    dead = SapClient(replace(sap.account, base_url="http://127.0.0.1:9"), sap.transport)

    for client in (wrong, dead):
        assert isinstance(await client.send(sap.order()), RetryLater)
        assert isinstance(await client.look_up(sap.order()), CannotTell)


async def test_one_token_fetch_serves_concurrent_calls(sap: Sap) -> None:
    """Ten calls at once on a new client fetch one token."""
    outcomes = await asyncio.gather(*(sap.client.send(sap.order(f"shop/{n}")) for n in range(10)))

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert sap.token_fetches == ["/sap/opu/odata/sap/API_SALES_ORDER_SRV/"]


async def test_restarted_sap_forgets_sessions_and_keeps_books(tmp_path: Path) -> None:
    """After a restart the old token is refused, one refetch repairs it, and what was booked is still there."""
    books = tmp_path / "books.db"
    twin, runner, url, _ = await start(books)
    master_data(twin)
    transport = Transport()
    client = SapClient(replace(ACCOUNT, base_url=url), transport)
    before = Sap(twin, ACCOUNT, transport, client)
    order = before.order()
    await client.send(order)
    port = runner.addresses[0][1]
    await runner.cleanup()

    again = Twin(replace(twin.setup), MANIFEST.quirks)
    build(again)
    runner = web.AppRunner(again.app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    found, sent = await client.look_up(order), await client.send(before.order("shop/2"))
    await transport.close()
    await runner.cleanup()

    assert found.document == "0000000001"
    assert sent.document == "0000000002"


async def test_twin_guards_like_sap(sap: Sap) -> None:
    """No logon, no token, no If-Match, a stale ETag, a foreign client: each has its own status."""
    await sap.delivered()
    base = f"{sap.account.base_url}/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002"
    auth = {"authorization": aiohttp.encode_basic_auth(SECRETS["user"], SECRETS["password"])}
    url = f"{base}/PostGoodsIssue?DeliveryDocument='80000000'"
    async with aiohttp.ClientSession() as session:
        async with session.post(url) as answer:
            assert answer.status == 401
        async with session.get(f"{base}/?sap-client=200", headers=auth) as answer:
            assert answer.status == 401
        async with session.post(url, headers=auth) as answer:
            assert (answer.status, answer.headers["x-csrf-token"]) == (403, "Required")
        async with session.get(f"{base}/", headers=auth | {"x-csrf-token": "Fetch"}) as answer:
            cookies = "; ".join(f"{name}={value.value}" for name, value in answer.cookies.items())
            headers = auth | {"x-csrf-token": answer.headers["x-csrf-token"], "cookie": cookies}
        for etag, status in (("", 428), ("W/\"'0001'\"", 412), ("*", 400)):
            async with session.post(url, headers=headers | ({"if-match": etag} if etag else {})) as answer:
                assert answer.status == status


async def test_lost_answers_never_double_a_goods_issue(sap: Sap) -> None:
    """Every write loses its answer: each attempt gets one step further, and each step is booked once."""
    call = sap.goods_issue(await sap.ordered())
    sap.quirk(answer_lost=1)

    for attempt in (1, 2, 3):
        assert await sap.client.look_up(call) == Absent(half_done=attempt > 1)
        assert isinstance(await sap.client.send(replace(call, attempt=attempt)), Unknown)
    found = await sap.client.look_up(call)

    assert found.receipt.delivery == "80000000"
    assert [row[0] for row in sap.journal()[1:]] == ["delivery.create", "goods_issue.post"]


@pytest.mark.parametrize("kind", ["sales_order.create", "freight.accrue", "invoice.release"])
async def test_lost_answer_is_unknown_and_then_found(sap: Sap, kind: str) -> None:
    """The effect took place; only the look-up can know."""
    delivery = await sap.delivered() if kind == "invoice.release" else ""
    call = {"sales_order.create": sap.order, "freight.accrue": sap.freight}.get(
        kind, lambda: sap.invoice(delivery)
    )()
    sap.quirk(answer_lost=1)

    assert isinstance(await sap.client.send(call), Unknown)
    assert isinstance(await sap.client.look_up(call), Done)
    assert len(sap.journal(kind)) == 1


async def test_lost_answer_of_a_query_may_be_asked_again(sap: Sap) -> None:
    """A simulation books nothing, so nothing is unknown."""
    sap.quirk(answer_lost=1)

    assert isinstance(await sap.client.send(sap.check()), RetryLater)


async def test_unavailable_is_unknown_for_bookings_only(sap: Sap) -> None:
    """503 without a clear word: nobody can tell for a booking; the look-up can."""
    await sap.client.send(sap.order("warm/1"))
    sap.quirk(unavailable=1)

    assert isinstance(await sap.client.send(sap.order()), Unknown)
    assert await sap.client.look_up(sap.order()) == Absent()
    assert isinstance(await sap.client.send(sap.check()), RetryLater)
    assert len(sap.journal()) == 1


async def test_slow_answer_past_the_deadline_is_unknown(sap: Sap) -> None:
    """Our time is up before SAP's answer is there; it was booked all the same."""
    sap.quirk(slow=1)
    call = replace(sap.order(), timeout_seconds=0.3)

    assert isinstance(await sap.client.send(call), Unknown)
    assert (await sap.client.look_up(call)).document == "0000000001"


async def test_stale_csrf_token_is_fetched_once_more(sap: Sap) -> None:
    """Half of the tokens are refused: each call ends done or certainly not done, and never twice."""
    sap.quirk(csrf_stale=0.5)

    outcomes = [await sap.client.send(sap.order(f"shop/{number}")) for number in range(12)]

    assert {type(outcome) for outcome in outcomes} == {Done, RetryLater}
    assert len(sap.journal()) == sum(isinstance(outcome, Done) for outcome in outcomes) >= 6


async def test_etag_conflicts_are_read_again(sap: Sap) -> None:
    """Somebody changes every document once under our hands: all effects still succeed, once."""
    sap.quirk(etag_conflict=1)
    order = await sap.ordered()

    reserved = await sap.client.send(sap.reservation(order))
    posted = await sap.client.send(sap.goods_issue(order))
    proven = await sap.client.send(sap.milestone(posted.receipt.delivery, "delivered"))
    other = (await sap.client.send(sap.order("shop/2"))).document
    cancelled = await sap.client.send(sap.cancel(other))

    assert all(isinstance(outcome, Done) for outcome in (reserved, posted, proven, cancelled))
    assert sap.twin.books.get("delivery", posted.receipt.delivery)["conflicted"]
    assert len({(row[0], row[1]) for row in sap.journal()}) == len(sap.journal()) == 7


async def test_locks_are_waited_for(sap: Sap) -> None:
    """SAP says clearly that nothing was done, on every protocol; the user's name stays with SAP."""
    order, delivery = await sap.ordered(), "80000000"
    await sap.client.send(sap.goods_issue(order))
    sap.quirk(locked=1)
    calls = (
        sap.order("shop/2"),
        sap.cancel(order),
        sap.freight(),
        sap.invoice(delivery),
        sap.milestone(delivery),
    )

    outcomes = [await sap.client.send(call) for call in calls]

    assert all(isinstance(outcome, RetryLater) and not outcome.throttled for outcome in outcomes)
    assert all(outcome.after_seconds == 5 for outcome in outcomes)
    assert isinstance(await sap.client.send(sap.check()), Done)


async def test_lock_after_the_delivery_was_created_is_no_second_delivery(sap: Sap) -> None:
    """The next attempt finds the open delivery and goes on from there."""
    call = sap.goods_issue(await sap.ordered())
    sap.quirk(locked=0.5)

    outcomes = [await sap.client.send(replace(call, attempt=attempt)) for attempt in range(1, 20)]

    assert isinstance(outcomes[-1], Done)
    assert RetryLater in {type(outcome) for outcome in outcomes}
    assert len(sap.journal("delivery.create")) == len(sap.journal("goods_issue.post")) == 1


async def test_throttling_is_obeyed_and_spares_the_attempt(sap: Sap) -> None:
    """SAP's wish for a pause is passed on."""
    sap.quirk(throttle_429=1)

    assert await sap.client.send(sap.order()) == RetryLater(
        reason="SAP is busy (HTTP 429)", after_seconds=1.0, throttled=True
    )
    assert sap.journal() == []


async def test_gateway_page_says_nothing(sap: Sap) -> None:
    """An HTML 502 is unknown; the look-up tells the committed half from the other."""
    sap.quirk(gateway_html_502=1)
    calls = [sap.order(f"shop/{number}") for number in range(4)]

    outcomes = [await sap.client.send(call) for call in calls]
    found = [await sap.client.look_up(call) for call in calls]

    assert all(isinstance(outcome, Unknown) for outcome in outcomes)
    assert {type(answer) for answer in found} == {Done, Absent}
    assert len(sap.journal()) == sum(isinstance(answer, Done) for answer in found) == 2
    assert isinstance(await sap.client.send(sap.check()), RetryLater)


async def test_credit_block_lasts_until_it_is_released(sap: Sap) -> None:
    """By quirk or by list, a blocked reference stays blocked; a release makes later checks pass."""
    sap.quirk(credit_blocked=1)
    assert (await sap.client.send(sap.check())).receipt.credit == "blocked"
    sap.quirk(credit_blocked=0)
    base = sap.account.base_url
    async with aiohttp.ClientSession() as session:
        await session.put(f"{base}/_twin/credit", json={"blocked_references": ["shop/listed"]})
        blocked = [
            (await sap.client.send(sap.check(x))).receipt.credit for x in (REFERENCE, "shop/listed", "shop/3")
        ]
        await session.post(f"{base}/_twin/credit/release", json={"reference": REFERENCE})
    sap.quirk(credit_blocked=1)

    assert blocked == ["blocked", "blocked", "ok"]
    assert (await sap.client.send(sap.check())).receipt.credit == "ok"


async def test_materials_are_put_over_the_control_surface(sap: Sap) -> None:
    """Price, currency and availability come from the put row, the rest from defaults."""
    async with aiohttp.ClientSession() as session:
        await session.put(
            f"{sap.account.base_url}/_twin/materials", json={"NEW": {"price": "3.00", "available": "1"}}
        )

    checked = (await sap.client.send(sap.check(REFERENCE, replace_line(LINE, "1", "NEW")))).receipt

    assert checked.lines[0].confirmed.value == 1
    assert checked.net_total == Money(Decimal("6.00"), "EUR")


async def test_search_lag_hides_young_documents(tmp_path: Path) -> None:
    """A look-up within the lag does not see what was booked; after it, it does."""
    twin, runner, url, _ = await start(tmp_path / "books.db", search_lag_seconds="0.3")
    master_data(twin)
    transport = Transport()
    account = replace(ACCOUNT, base_url=url)
    sap = Sap(twin, account, transport, SapClient(account, transport))
    call = sap.order()
    booked_at = time.monotonic()
    await sap.client.send(call)

    hidden = await sap.client.look_up(call)
    await asyncio.sleep(max(0.0, booked_at + 0.4 - time.monotonic()))
    shown = await sap.client.look_up(call)
    await transport.close()
    await runner.cleanup()

    assert hidden == Absent()
    assert isinstance(shown, Done)
