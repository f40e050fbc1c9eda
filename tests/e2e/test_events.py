"""Canonical events and orders over HTTP: single, in batches, and with an answer."""

import json

import pytest

from e2e.documents import DEEP, canonical, canonical_order, encoded, next_number
from e2e.running import Api, eventually
from e2e.trading import Trade


def adjustment(item: str = "") -> dict[str, object]:
    item = item or f"TEST-{next_number()}"
    place = {"item": item, "location": "SITE1"}
    return canonical("stock.adjusted.v1", f"stock/SITE1/{item}", place=place, change={"value": "5", "unit": "EA"})  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/events"), ("POST", "/v1/events/batch"), ("POST", "/v1/orders"), ("GET", "/v1/cases"), ("GET", "/v1/threads"),
        ("GET", "/v1/threads/counts"), ("GET", "/v1/find"), ("GET", "/v1/threads/story/order/shopify-eu/1"), ("GET", "/metrics"),
        ("GET", "/v1/lineage/1"), ("POST", "/v1/cases/1/retry"), ("GET", "/v1/cases/1"), ("GET", "/v1/effects"), ("POST", "/v1/effects/1/post-now"), ("POST", "/v1/cases/1/resolve"), ("POST", "/v1/threads/resume/order/shopify-eu/1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer xdk_nobody_0000", "Basic b3BlcmF0b3I6"])
async def test_nothing_is_read_or_written_without_a_live_token(
    api: Api, method: str, path: str, token: str
) -> None:
    """401 as a problem document, whatever was asked."""
    headers = {"Authorization": token} if token else {}

    answer = await api.call(method, path, b"{}", headers=headers, anonymous=True)

    assert answer.status == 401
    assert answer.problem["code"] == "unauthenticated"


async def test_one_event_is_appended_and_processed(api: Api) -> None:
    """202 with the thread's address; a repeat is 200 and changes nothing."""
    event = adjustment()

    first, second = await api.post("/v1/events", event), await api.post("/v1/events", event)

    assert (first.status, first.json()["verdict"]) == (202, "new")
    assert (second.status, second.json()["verdict"]) == (200, "duplicate")

    async def story() -> object:
        answer = await api.call("GET", first.headers["location"])
        return answer.status == 200 and answer.json()

    told = await eventually(story, what="the story of the item exists")
    assert told["thread"] == event["subject"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": "crossdock.logistics.order.teleported.v1"}, "/type"),
        ({"subject": "planet/mars"}, "/subject"),
        ({"source": "crossdock"}, "/source"),
        ({"id": ""}, "/id"),
        ({"time": "2026-11-20T10:00:00"}, "/time"),
        ({"data": {"place": {"item": 5}}}, "/data/place/item"),
        ({"specversion": None}, "/specversion"),
    ],
)
async def test_an_event_that_is_none_is_422_with_the_place(
    api: Api, change: dict[str, object], pointer: str
) -> None:
    """And it is kept: the sender was authenticated, the message must not vanish."""
    answer = await api.post("/v1/events", adjustment() | change)

    assert answer.status == 422
    assert answer.problem["errors"][0]["pointer"] == pointer

    async def case() -> object:
        return [c for c in (await api.get("/v1/cases", limit="500"))["cases"] if pointer in c["title"]]

    await eventually(case, what=f"a case names {pointer}")


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/batch", "/v1/orders"])
@pytest.mark.parametrize("body", [DEEP, b"[" * 200_000, b'{"id": ', b"", b"\x00"], ids=["deep object", "deep list", "cut", "empty", "nul"])  # fmt: skip
async def test_unreadable_json_is_400(api: Api, path: str, body: bytes) -> None:
    """Never 500, on no route, and the answer has a place."""
    answer = await api.call("POST", path, body, headers={"Idempotency-Key": str(next_number())})

    assert answer.status == 400
    assert answer.problem["code"] == "malformed"
    assert "pointer" in answer.problem["errors"][0]


async def test_a_batch_goes_on_past_a_bad_event(api: Api) -> None:
    """One verdict each, in order; the bad one is named by its place, kept, and stops nobody."""
    good = [adjustment(), adjustment()]
    bad = adjustment() | {"subject": "planet/mars"}

    answer = await api.post("/v1/events/batch", [good[0], bad, good[1]])

    assert answer.status == 200
    results = answer.json()["results"]
    assert [r["verdict"] for r in results] == ["new", "kept", "new"]
    assert results[1]["errors"][0]["pointer"] == "/subject"
    assert [results[0]["id"], results[2]["id"]] == [good[0]["id"], good[1]["id"]]

    async def told() -> object:
        answers = [await api.call("GET", f"/v1/threads/story/{e['subject']}") for e in good]
        return all(a.status == 200 for a in answers)

    await eventually(told, what="both good events were processed")


async def test_a_batch_decides_duplicates_within_itself(api: Api) -> None:
    """The same event twice in one batch is one event."""
    event = adjustment()

    answer = await api.post("/v1/events/batch", [event, event])

    assert [r["verdict"] for r in answer.json()["results"]] == ["new", "duplicate"]


@pytest.mark.parametrize("body", [{"a": 1}, "text", 5])
async def test_a_batch_is_a_list(api: Api, body: object) -> None:
    """Anything else is 400."""
    answer = await api.post("/v1/events/batch", body)

    assert answer.status == 400


async def test_a_batch_is_bounded(api: Api) -> None:
    """A thousand events at most; the limit is stated."""
    answer = await api.post("/v1/events/batch", [1] * 1001)

    assert answer.status == 413
    assert "1000" in answer.problem["detail"]


async def test_a_single_event_is_bounded(api: Api) -> None:
    """One MiB; the limit is stated."""
    answer = await api.post("/v1/events", adjustment() | {"padding": "x" * 1_100_000})

    assert answer.status == 413


async def order_now(api: Api, order: dict[str, object], *, wait: str, key: str = "") -> object:
    return await api.call(
        "POST",
        "/v1/orders",
        encoded(order),
        headers={"Idempotency-Key": key or str(next_number())},
        wait=wait,
    )


async def test_an_order_that_nobody_decides_is_202_with_a_link(api: Api) -> None:
    """The ERP is away: the caller gets an address to look at, not a guess."""
    order = canonical_order()

    answer = await order_now(api, order, wait="200ms")

    assert answer.status == 202
    assert answer.json()["decision"] == "pending"
    assert answer.headers["location"] == f"/v1/threads/story/order/{order['reference']}"

    async def story() -> bool:
        return (await api.call("GET", answer.headers["location"])).status == 200

    await eventually(story, what="the link leads to the story")


async def test_an_order_is_decided_while_the_caller_waits(trading: Trade) -> None:
    """200 with the decision of a live ERP."""
    known = {"ordered": {"value": "2", "unit": "EA"}, "unit_price": {"amount": "12.50", "currency": "EUR"}}
    order = canonical_order() | {
        "lines": [{"line": "1", "item": "WID-1", **known}], "total": {"amount": "25.00", "currency": "EUR"}
    }  # fmt: skip

    answer = await order_now(trading.api, order, wait="20s")

    assert answer.status == 200
    assert answer.json()["decision"] in ("approved", "released", "allocated", "packed")


async def test_an_order_for_something_unknown_is_rejected_while_the_caller_waits(trading: Trade) -> None:
    """A no is an answer too."""
    order = canonical_order()
    order["lines"] = [order["lines"][0] | {"item": "GHOST-9"}]

    answer = await order_now(trading.api, order, wait="20s")

    assert answer.status == 200
    assert answer.json()["decision"] == "rejected"


async def test_an_order_needs_an_idempotency_key(api: Api) -> None:
    """A repeat must not order twice, so the caller must be able to repeat."""
    answer = await api.post("/v1/orders", canonical_order())

    assert answer.status == 400
    assert answer.problem["code"] == "idempotency-key-missing"


async def test_an_idempotency_key_is_for_one_order(api: Api) -> None:
    """The same order under the same key is the same order; another one is refused."""
    order, key = canonical_order(), str(next_number())
    other = order | {"total": {"amount": "1.00", "currency": "EUR"}}

    answers = [await order_now(api, o, wait="0s", key=key) for o in (order, order, other)]

    assert [a.status for a in answers] == [202, 202, 422]
    assert answers[2].problem["code"] == "idempotency-key-reused"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"reference": "elsewhere/1"}, "/reference"),
        ({"total": {"amount": "a lot", "currency": "EUR"}}, "/total/amount"),
        ({"lines": [{"line": "1", "item": "X", "ordered": {"value": "0", "unit": "EA"}, "unit_price": {"amount": "1", "currency": "EUR"}}]}, "/lines/0/ordered/value"),
    ],
)  # fmt: skip
async def test_an_order_that_makes_no_sense_is_422_with_the_place(
    api: Api, change: dict[str, object], pointer: str
) -> None:
    """The caller is told which field, and nothing is appended."""
    order = canonical_order()

    answer = await order_now(api, order | change, wait="0s")

    assert answer.status == 422
    assert answer.problem["errors"][0]["pointer"] == pointer
    assert (await api.call("GET", f"/v1/threads/story/order/{order['reference']}")).status == 404


@pytest.mark.parametrize("wait", ["soon", "-1s", "5m", "", "1e3"])
async def test_wait_is_a_number_with_a_unit(api: Api, wait: str) -> None:
    """Anything else is 400, before anything is taken."""
    answer = await order_now(api, canonical_order(), wait=wait)

    assert answer.status == 400
    assert answer.problem["code"] == "bad-wait"


async def test_every_error_has_the_promised_form(api: Api) -> None:
    """type, title, status, code, detail, retryable and a trace id to quote, as application/problem+json."""
    answers = [
        await api.call("GET", "/v1/nowhere"), await api.call("DELETE", "/v1/events"), await api.call("GET", "/v1/find"),
        await api.call("GET", "/v1/threads/story/order/shopify-eu/0"), await api.call("GET", "/v1/cases", limit="many"),
        await api.call("GET", "/v1/lineage/nothing"),
    ]  # fmt: skip

    assert [a.status for a in answers] == [404, 405, 400, 404, 400, 404]
    for answer in answers:
        assert {"type", "title", "status", "code", "detail", "retryable", "trace_id"} <= set(answer.problem)
        assert answer.problem["retryable"] is False
        assert "Traceback" not in json.dumps(answer.problem)
