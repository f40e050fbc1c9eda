"""Signed intake: what partners send, in good faith, by mistake and on purpose."""

import asyncio
import re
from hashlib import blake2b

import pytest

from e2e.documents import DEEP, encoded, next_number, shop_order
from e2e.running import Answer, Api, eventually, rows

SHOP = ("shopify-eu", "webhooks")
INTERNALS = ("Traceback", "asyncpg", "msgspec", ".py", "litestar", "site-packages", "postgres", "select ")


def says_nothing_of_the_inside(answer: Answer) -> None:
    """An error is for the sender: no trace, no library, no SQL."""
    text = answer.body.decode()

    assert [word for word in INTERNALS if word in text] == []


async def test_a_signed_order_is_kept_before_it_is_acknowledged(api: Api) -> None:
    """202 with the thread's address, and the story is there."""
    order = shop_order()

    answer = await api.deliver(*SHOP, encoded(order), "orders/create")

    assert answer.status == 202
    assert answer.json()["verdict"] == "new"
    assert answer.json()["threads"] == [f"order/shopify-eu/{order['id']}"]

    async def story() -> int:
        return (await api.call("GET", answer.headers["location"])).status == 200

    await eventually(story, what="the link in Location leads to the story")


async def test_a_wrong_signature_is_refused_and_leaves_metadata_only(api: Api) -> None:
    """401; of the body nothing is kept but that it came, from whom, how big."""
    body = encoded(shop_order())
    headers = api.hub.signed(*SHOP, body, "orders/create")

    answer = await api.call(
        "POST", "/v1/in/shopify-eu/webhooks", body + b" ", headers=headers, anonymous=True
    )

    assert answer.status == 401
    assert answer.problem["code"] == "unauthenticated"
    says_nothing_of_the_inside(answer)
    kept = await rows(api.hub, "select size from rejected_delivery where system = 'shopify-eu' and size = $1", len(body) + 1)  # fmt: skip
    assert kept
    digest = blake2b(body + b" ", digest_size=16).digest()
    assert await rows(api.hub, "select 1 from message where content_hash = $1", digest) == []


@pytest.mark.parametrize("system", ["shopify-eu", "wms-1", "ups-1", "crm"])
async def test_no_signature_at_all_is_refused(api: Api, system: str) -> None:
    """Every system with a channel asks for proof."""
    channel = next(iter(api.hub.configured.manifest(system).inbound))

    answer = await api.call("POST", f"/v1/in/{system}/{channel}", b"{}", anonymous=True)

    assert answer.status == 401
    says_nothing_of_the_inside(answer)


@pytest.mark.parametrize("path", ["/v1/in/nobody/webhooks", "/v1/in/shopify-eu/nothing", "/v1/in/sap-1/webhooks"])  # fmt: skip
async def test_an_unknown_system_or_channel_is_404(api: Api, path: str) -> None:
    """Also a system that only receives has no channel."""
    answer = await api.call("POST", path, b"{}", anonymous=True)

    assert answer.status == 404
    assert answer.problem["code"] == "unknown-channel"


async def test_malformed_json_is_400_and_names_the_place(api: Api) -> None:
    """A signed body that is no JSON: the sender hears at which byte."""
    answer = await api.deliver(*SHOP, b'{"id": 5, }', "orders/create")

    assert answer.status == 400
    assert answer.problem["code"] == "malformed"
    assert answer.problem["errors"][0]["pointer"] == "byte 10"
    says_nothing_of_the_inside(answer)


@pytest.mark.parametrize("body", [b"", b"   ", b"\xff\xfe{}", b'{"id": NaN}', b"{'id': 1}"])
async def test_other_unreadable_bodies_are_400(api: Api, body: bytes) -> None:
    """Empty, not UTF-8, or only nearly JSON."""
    answer = await api.deliver(*SHOP, body, "orders/create")

    assert answer.status == 400
    assert answer.problem["errors"][0]["pointer"]
    says_nothing_of_the_inside(answer)


async def test_too_deep_json_is_400(api: Api) -> None:
    """Two hundred thousand levels are refused; the process that reads them lives on."""
    answer = await api.deliver(*SHOP, DEEP, "orders/create")

    assert answer.status == 400
    says_nothing_of_the_inside(answer)
    assert (await api.call("GET", "/health/live")).status == 200


async def test_an_oversized_body_is_413(api: Api) -> None:
    """The hub under test takes 2 MB."""
    body = encoded(shop_order(note="x" * 2_100_000))

    answer = await api.deliver(*SHOP, body, "orders/create")

    assert answer.status == 413
    assert answer.problem["code"] == "too-large"


async def test_an_oversized_body_without_a_length_is_413(api: Api) -> None:
    """A sender that does not say how much comes is stopped when it is too much."""

    async def pieces() -> object:
        for _ in range(40):
            yield b"x" * 65536

    async with api.session.post(f"{api.hub.url}/v1/in/shopify-eu/webhooks", data=pieces()) as answer:
        assert answer.status == 413


async def test_what_cannot_be_translated_is_kept_and_becomes_a_case(api: Api) -> None:
    """202 with the path of the offending field; the case names it (of the line that had it first), find finds the message."""
    order = shop_order()
    order["line_items"][1]["quantity"] = -4

    answer = await api.deliver(*SHOP, encoded(order), "orders/create")

    assert answer.status == 202
    found = answer.json()
    assert found["verdict"] == "kept"
    assert found["errors"][0]["pointer"] == "/line_items/1/quantity"

    [thread] = found["threads"]

    async def case() -> bool:
        answer = await api.call("GET", f"/v1/threads/story/{thread}")
        titles = [x["title"] for x in answer.json()["cases"]] if answer.status == 200 else []
        return any(re.search(r"sent a message .* at /line_items/\d+/quantity", x) for x in titles)

    await eventually(case, what="a case names the field")

    async def hit() -> bool:
        hits = (await api.get("/v1/find", q=thread.partition("/")[2]))["hits"]
        return [hit["found"]["thread"] for hit in hits] == [thread]

    await eventually(hit, what="find finds the message")


async def test_an_unsupported_topic_is_kept_and_said(api: Api) -> None:
    """Authenticated, but of no kind that we know: nothing is lost, a person decides."""
    answer = await api.deliver(*SHOP, encoded({"id": next_number()}), "carts/update")

    assert answer.status == 202
    assert answer.json()["problem"] == "unsupported"


async def test_the_same_delivery_again_is_a_duplicate(api: Api) -> None:
    """200 and nothing new; a counter says how often it came."""
    body = encoded(shop_order())
    first = await api.deliver(*SHOP, body, "orders/create")

    again = [await api.deliver(*SHOP, body, "orders/create") for _ in range(3)]

    assert [(a.status, a.json()["verdict"]) for a in again] == [(200, "duplicate")] * 3
    [kept] = await rows(api.hub, "select seen from dedupe where event_id = $1", first.json()["id"])
    assert kept["seen"] == 4


async def test_the_same_id_with_another_body_is_kept_and_put_before_a_person(api: Api) -> None:
    """Neither version is dropped: the order goes on as first taken, and a case tells of the change."""
    order = shop_order()
    body = encoded(order)
    headers = api.hub.signed(*SHOP, body, "orders/create")
    same_id = {"x-shopify-event-id": headers["x-shopify-event-id"]}
    await api.deliver(*SHOP, body, "orders/create")
    order["line_items"][0]["quantity"] = 7

    answer = await api.deliver(*SHOP, encoded(order), "orders/create", **same_id)

    assert answer.status == 202
    assert answer.json()["verdict"] == "different"

    async def case() -> object:
        return [c for c in (await api.get("/v1/cases", limit="500"))["cases"] if order["name"] in c["title"]]

    [found] = await eventually(case, what="a case tells that the order was changed")
    assert found["cause"] == "order change"


async def test_twenty_at_once_make_one_event(api: Api) -> None:
    """Concurrent copies of one delivery are decided in the database, not by luck."""
    body = encoded(shop_order())

    answers = await asyncio.gather(*(api.deliver(*SHOP, body, "orders/create") for _ in range(20)))

    verdicts = sorted(a.json()["verdict"] for a in answers)
    assert verdicts == ["duplicate"] * 19 + ["new"]
    [thread] = answers[0].json()["threads"]
    [counted] = await rows(api.hub, "select count(*) from event where thread_key = $1 and source = $2", thread, "shopify-eu")  # fmt: skip
    assert counted[0] == 1


async def test_personal_data_is_not_stored_in_clear(api: Api) -> None:
    """Raw body and personal fields are sealed: the database does not hold the customer's street."""
    street = f"Testweg {next_number()}"
    order = shop_order()
    order["shipping_address"]["address1"] = street

    answer = await api.deliver(*SHOP, encoded(order), "orders/create")

    async def stated() -> object:
        return await rows(api.hub, "select 1 from thread_state where thread_key = $1", answer.json()["threads"][0])  # fmt: skip

    await eventually(stated, what="the order has a state")
    for table, column in (
        ("message", "sealed"), ("event", "data"), ("event", "sealed"), ("thread_state", "state"), ("effect_body", "sealed"),
    ):  # fmt: skip
        sql = f"select 1 from {table} where position($1::bytea in {column}) > 0"
        assert await rows(api.hub, sql, street.encode()) == [], f"{table}.{column}"
