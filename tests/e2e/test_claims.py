"""Claims over HTTP: granted whole or in part, repeated, used, given back, moved, expired; the ledger always adds up."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from crossdock.store.ledger_law import differences
from crossdock.store.pool import connect
from e2e.running import Answer, Api, RunningHub, eventually, rows


@pytest.fixture
async def ledger(hub: RunningHub) -> AsyncIterator[None]:
    """Whatever a test does, entries and balances say the same afterwards."""
    yield
    connection = await connect(hub.dsn)
    try:
        assert await differences(connection) == []
    finally:
        await connection.close()


pytestmark = pytest.mark.usefixtures("ledger")


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"


async def tell(api: Api, type_: str, subject: str, data: dict[str, Any]) -> None:
    event = {
        "specversion": "1.0", "id": uuid4().hex, "source": "wms-1", "type": f"crossdock.logistics.{type_}",
        "subject": subject, "data": data,
    }  # fmt: skip
    answer = await api.post("/v1/events", event)
    assert answer.status == 202, answer.body


async def receive(
    api: Api, item: str, quantity: str, *, location: str = "NODE-A", lot: str = "", unit: str = "EA", **more: str
) -> None:  # fmt: skip
    """Goods come in, and are there once the ledger has them."""
    place = {"item": item, "location": location, "lot": lot}
    amount = {"value": quantity, "unit": unit}
    before = await held(api, item, location, lot)
    await tell(
        api, "stock.received.v1", f"stock/{location}/{item}", {"place": place, "quantity": amount, **more}
    )

    async def there() -> bool:
        return await held(api, item, location, lot) > before

    await eventually(there, what=f"{quantity} of {item} are in the ledger", seconds=20)


async def held(
    api: Api, item: str, location: str = "NODE-A", lot: str = "", bucket: str = "available"
) -> Decimal:
    found = await rows(
        api.hub, f"select {bucket} from stock_balance where item = $1 and location = $2 and lot = $3", item, location, lot
    )  # fmt: skip
    return found[0][0] if found else Decimal(0)


def line(item: str, value: str, unit: str = "EA", **more: str) -> dict[str, Any]:
    return {"item": item, "quantity": {"value": value, "unit": unit}, **more}


async def ask(api: Api, claim: str, *lines: dict[str, Any], **more: Any) -> Answer:
    return await api.post("/v1/claims", {"claim": claim, "lines": lines, "nodes": ["NODE-A"], **more})


async def act(api: Api, claim: str, what: str, key: str = "", **body: Any) -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await api.call("POST", f"/v1/claims/{claim}/{what}", json.dumps(body).encode(), headers=headers)


async def test_a_claim_is_granted_whole_and_answered_again(api: Api) -> None:
    """Same id and body: the same answer, whatever became of it; another body: 409. Stock moved once."""
    item, claim = fresh("W"), fresh("c")
    await receive(api, item, "5")

    first = await ask(api, claim, line(item, "2"))
    again = await ask(api, claim, line(item, "2"))
    other = await ask(api, claim, line(item, "3"))

    assert (first.status, again.status, other.status) == (201, 200, 409)
    assert first.body == again.body
    assert other.problem["code"] == "claim-id-reused"
    told = first.json()
    assert told["state"] == "pending"
    assert told["lines"][0]["granted"] == {"value": "2", "unit": "EA"}
    assert told["lines"][0]["sources"] == [
        {"item": item, "location": "NODE-A", "quantity": {"value": "2", "unit": "EA"}}
    ]
    assert (await held(api, item), await held(api, item, bucket="firm_claim")) == (3, 2)
    feed = await api.call("GET", "/v1/feed", after=told["as_of"])
    assert feed.status == 200


async def test_a_refusal_names_line_wanted_and_available(api: Api) -> None:
    """Nothing moves, also of the lines that would have been there; two lines of one item count together."""
    item, other = fresh("W"), fresh("W")
    await receive(api, item, "3")
    await receive(api, other, "9")

    answer = await ask(api, fresh("c"), line(other, "1"), line(item, "2"), line(item, "2", line="gift"))

    assert answer.status == 409
    [place] = answer.problem["errors"]
    assert (place["line"], place["item"], place["wanted"], place["available"]) == (
        "gift",
        item,
        "2 EA",
        "1 EA",
    )
    assert (await held(api, item), await held(api, other)) == (3, 9)


async def test_a_partial_claim_takes_what_there_is_from_several_nodes(api: Api) -> None:
    """In the order the nodes are named; the rest is said to be missing."""
    item = fresh("W")
    await receive(api, item, "3")
    await receive(api, item, "4", location="NODE-B")

    answer = await ask(
        api, fresh("c"), line(item, "9"), mode="partial", nodes=["NODE-B", "NODE-A"], kind="soft"
    )

    told = answer.json()["lines"][0]
    assert told["granted"]["value"] == "7"
    assert [(x["location"], x["quantity"]["value"]) for x in told["sources"]] == [
        ("NODE-B", "4"),
        ("NODE-A", "3"),
    ]
    assert await held(api, item, "NODE-B", bucket="soft_claim") == 4


async def test_a_hundred_at_once_never_get_more_than_there_is(api: Api) -> None:
    """Sixty for a hundred callers: exactly sixty are granted."""
    item = fresh("W")
    await receive(api, item, "60")

    answers = await asyncio.gather(*(ask(api, fresh("c"), line(item, "1")) for _ in range(100)))

    assert sorted(x.status for x in answers) == [201] * 60 + [409] * 40
    assert (await held(api, item), await held(api, item, bucket="firm_claim")) == (0, 60)


async def test_parts_are_committed_released_and_repeated_once(api: Api) -> None:
    """A repeat under the same key moves nothing; more than is open is refused; the end is an end."""
    item, claim = fresh("W"), fresh("c")
    await receive(api, item, "10")
    await ask(api, claim, line(item, "6"))

    part = [{"line": "1", "quantity": {"value": "2"}}]
    first = await act(api, claim, "commit", "k1", lines=part)
    again = await act(api, claim, "commit", "k1", lines=part)
    reused = await act(api, claim, "commit", "k1")
    too_much = await act(api, claim, "release", lines=[{"line": "1", "quantity": {"value": "5"}}])

    assert first.body == again.body
    assert first.json()["state"] == "partly_posted"
    assert reused.problem["code"] == "idempotency-key-reused"
    assert too_much.problem["errors"][0]["available"] == "4"
    assert (await held(api, item, bucket="allocated"), await held(api, item, bucket="firm_claim")) == (2, 4)

    rest = await act(api, claim, "release")
    ended = await act(api, claim, "commit")

    share = rest.json()["lines"][0]
    assert (share["posted"]["value"], share["released"]["value"], share["open"]["value"]) == ("2", "4", "0")
    assert ended.problem["code"] == "claim-ended"
    assert await held(api, item) == 8
    assert (await api.get(f"/v1/claims/{claim}"))["state"] == "partly_posted"


async def test_a_claim_is_changed_and_moved_to_another_node(api: Api) -> None:
    """Up, down, soft to firm, from one node to another; or refused, and nothing moved."""
    item, claim = fresh("W"), fresh("c")
    await receive(api, item, "5")
    await receive(api, item, "3", location="NODE-B")
    await ask(api, claim, line(item, "2"), kind="soft")

    up = await act(api, claim, "change", lines=[{"line": "1", "quantity": {"value": "4"}}], kind="firm")
    assert up.status == 200, up.body
    assert (await held(api, item), await held(api, item, bucket="firm_claim")) == (1, 4)

    over = await act(api, claim, "change", lines=[{"line": "1", "quantity": {"value": "6"}}])
    assert over.problem["code"] == "not-enough-stock"
    far = await act(api, claim, "transfer", from_node="NODE-A", to_node="NODE-B")
    assert far.problem["errors"][0]["available"] == "3"

    moved = await act(
        api,
        claim,
        "transfer",
        from_node="NODE-A",
        to_node="NODE-B",
        lines=[{"line": "1", "quantity": {"value": "3"}}],
    )
    assert [(x["location"], x["open"]["value"]) for x in moved.json()["lines"]] == [
        ("NODE-A", "1"),
        ("NODE-B", "3"),
    ]
    assert (await held(api, item), await held(api, item, "NODE-B")) == (4, 0)
    down = await act(api, claim, "change", lines=[{"line": "1", "quantity": {"value": "1"}}])
    assert sum(Decimal(x["open"]["value"]) for x in down.json()["lines"]) == 1


async def test_an_expired_claim_goes_back_once_with_an_event(api: Api) -> None:
    """An extended one stays; the story of the expired one tells."""
    item, lost, kept = fresh("W"), fresh("c"), fresh("c")
    await receive(api, item, "5")
    await ask(api, lost, line(item, "2"), expires_in_seconds=1)
    await ask(api, kept, line(item, "1"), expires_in_seconds=1)
    assert (await act(api, kept, "extend", expires_in_seconds=3600)).status == 200

    async def expired() -> bool:
        return bool((await api.get(f"/v1/claims/{lost}"))["state"] == "expired")

    await eventually(expired, what="the claim expires", seconds=20)
    assert await held(api, item) == 4
    assert (await api.get(f"/v1/claims/{kept}"))["state"] == "pending"

    async def told() -> bool:
        return await api.phase(f"claim/{lost}") == "expired"

    await eventually(told, what="its thread heard of it", seconds=20)
    back = await rows(api.hub, "select 1 from stock_entry where claim = $1 and to_bucket = 'available'", lost)
    assert len(back) == 1


async def test_units_are_exact_and_kits_share_components(api: Api) -> None:
    """Two kits and a loose component need three of it; a case is twelve; a third of a case is no number of cases."""
    bolt, nut, kit = fresh("B"), fresh("N"), fresh("K")
    units = [{"unit": "CS", "numerator": 12}, {"unit": "TH", "numerator": 1, "denominator": 3}]
    await tell(api, "item.defined.v1", f"item/{bolt}", {"item": bolt, "base_unit": "EA", "units": units})
    parts = [
        {"item": bolt, "quantity": {"value": "2", "unit": "EA"}},
        {"item": nut, "quantity": {"value": "1", "unit": "EA"}},
    ]
    await tell(api, "item.defined.v1", f"item/{kit}", {"item": kit, "base_unit": "EA", "components": parts})
    await receive(api, bolt, "16")
    await receive(api, nut, "9")

    async def known() -> bool:
        return (await api.call("GET", f"/v1/master/item/{kit}")).status == 200

    await eventually(known, what="the kit is defined", seconds=20)
    cases = await ask(api, fresh("c"), line(bolt, "1", "CS"))
    assert cases.json()["lines"][0]["needed"] == {"value": "12", "unit": "EA"}
    third = await ask(api, fresh("c"), line(bolt, "1", "TH"))
    assert third.problem["errors"][0]["pointer"] == "/lines/0/quantity"
    wrong = await ask(api, fresh("c"), line(bolt, "1", "KGM"))
    assert "EA, CS, TH" in wrong.problem["detail"]

    short = await ask(api, fresh("c"), line(kit, "2"), line(bolt, "1"))
    assert short.status == 409
    both = fresh("c")
    partly = await ask(api, both, line(bolt, "1"), line(kit, "2"), mode="partial")
    assert [x["granted"]["value"] for x in partly.json()["lines"]] == ["1", "1"]
    assert (await held(api, bolt), await held(api, nut)) == (1, 8)
    done = await act(api, both, "commit", lines=[{"line": "2", "quantity": {"value": "1"}}])
    assert {x["item"]: x["posted"]["value"] for x in done.json()["lines"] if x["line"] == "2"} == {
        bolt: "2",
        nut: "1",
    }


async def test_lots_leave_first_expired_first(api: Api) -> None:
    """What is past its day, or quarantined, serves nobody."""
    item = fresh("W")
    await receive(api, item, "5", lot="OLD", expires_on="2020-01-01")
    await receive(api, item, "5", lot="LATE", expires_on="2199-06-01")
    await receive(api, item, "5", lot="SOON", expires_on="2199-01-01")
    place = {"item": item, "location": "NODE-A", "lot": "SOON"}
    held_back = {"place": place, "quantity": {"value": "3", "unit": "EA"}, "reason": "inspection"}
    await tell(api, "stock.held.v1", f"stock/NODE-A/{item}", held_back)

    async def aside() -> bool:
        return await held(api, item, lot="SOON", bucket="quarantine") == 3

    await eventually(aside, what="three are in quarantine", seconds=20)
    answer = await ask(api, fresh("c"), line(item, "4"))

    assert [(x["lot"], x["quantity"]["value"]) for x in answer.json()["lines"][0]["sources"]] == [
        ("SOON", "2"),
        ("LATE", "2"),
    ]
    assert (await ask(api, fresh("c"), line(item, "4"))).status == 409
    assert (await ask(api, fresh("c"), line(item, "1", lot="OLD"))).status == 409


async def test_a_token_needs_the_scope_and_a_body_its_form(api: Api) -> None:
    """403 without `claims`; a typing error, an id with a slash and a repeated line are told with their place."""
    made = api.hub.crossdock("token", "create", "reader", "--scope", "read").stdout.strip()
    headers = {"Authorization": f"Bearer {made}"}

    async def refused() -> bool:
        return (await api.call("GET", "/v1/claims/c1", headers=headers, anonymous=True)).status == 403

    await eventually(refused, what="the token is known, and lacks the scope", seconds=15)
    item = fresh("W")
    for body, pointer in (
        ({"claim": "a/b", "lines": [line(item, "1")]}, "/claim"),
        ({"claim": "c", "lines": []}, "/lines"),
        ({"claim": "c", "lines": [line(item, "1")], "nodess": []}, "/"),
        ({"claim": "c", "lines": [line(item, "-1")]}, "/lines/0/quantity/value"),
        ({"claim": "c", "lines": [line(item, "1", line="x"), line(item, "1", line="x")]}, "/lines"),
        ({"claim": "c", "lines": [line(item, "1")], "expires_in_seconds": 0}, "/expires_in_seconds"),
    ):
        answer = await api.post("/v1/claims", body)
        assert answer.problem["code"] == "invalid-claim"
        assert answer.problem["errors"][0]["pointer"] == pointer
    assert (await act(api, "nobody", "commit")).problem["code"] == "no-such-claim"
