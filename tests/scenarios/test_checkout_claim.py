"""What a checkout claimed is its order's: whoever else comes in the same moment, and whatever the order waits for."""

import asyncio
import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from e2e.running import Answer, eventually
from scenarios.callers import act, ask, balance, fact, line, state_of, until_balance
from scenarios.goods import broken_law, make_known
from scenarios.goods_between import stocked
from scenarios.group import Group

HOUR = 3600
"""Seconds of the business clock, which goes twenty times as fast as ours."""


async def checkout(group: Group, claim: str, *lines: dict[str, Any], channel: str = "shopify-eu", **more: Any) -> Answer:  # fmt: skip
    """As the shop's checkout asks: softly, for a while, in the name of its channel."""
    given = {"kind": "soft", "expires_in_seconds": HOUR, "channel": channel}
    answer = await ask(group, claim, *lines, **(given | more))
    assert answer.status == 201, answer.body
    return answer


async def buy(group: Group, claim: str, *lines: tuple[str, int], shop: str = "shopify-eu", **more: Any) -> str:  # fmt: skip
    """An order that names a claim, as each shop can say it."""
    named = {"attributes": {"crossdock_claim": claim}} if shop == "shopify-eu" else {"meta": {"_crossdock_claim": claim}}  # fmt: skip
    return await group.buy(*lines, shop=shop, **named, **more)


async def decision(group: Group, reference: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        story = await group.story(f"order/{reference}")
        return next((x for x in story["decisions"] if x["about"] == "stock of its checkout"), None)

    found = await eventually(look, what=f"{reference} says what became of its checkout's claim")
    assert isinstance(found, dict)
    return found


async def test_the_last_piece_is_for_the_order_whose_checkout_has_it(group: Group) -> None:
    """Twenty orders and claims come in the same moment: one order gets the piece, nobody is promised another."""
    await make_known(group, "LAST-1")
    await stocked(group, "LAST-1", 1)
    await checkout(group, "last-a", line("LAST-1", "1"))

    async def rival(number: int) -> Answer | str:
        if number % 2:
            return await ask(group, f"last-rival-{number}", line("LAST-1", "1"))
        return await group.buy(("LAST-1", 1))

    mine, *rivals = await asyncio.gather(
        buy(group, "last-a", ("LAST-1", 1)), *(rival(number) for number in range(20))
    )

    await group.until(mine, "completed")
    for other in rivals:
        if isinstance(other, str):
            await group.until(other, "held")
            assert (await group.line(other, "LAST-1"))["open"] == 1
        else:
            assert (other.status, other.problem["code"]) == (409, "not-enough-stock")
    assert await group.left(mine) == {"LAST-1": 1}
    assert await state_of(group, "last-a") == "taken_over"
    assert await balance(group, "LAST-1", "SITE1") == {}
    assert await broken_law(group) == []
    for other in rivals:
        if isinstance(other, str):
            await group.cancel(other)


async def test_the_claim_and_the_order_name_each_other(group: Group) -> None:
    """Both ways, over the API: who asks for the claim learns where it went, and cannot use it any more."""
    await make_known(group, "LINK-1")
    await stocked(group, "LINK-1", 5, "SITE2")
    await checkout(group, "link-a", line("LINK-1", "3"), node="SITE2", channel="woo-us")

    reference = await buy(group, "link-a", ("LINK-1", 2), shop="woo-us")

    found = await decision(group, reference)
    assert (found["answer"], found["because"]) == ("claim link-a", "taken over")
    view = await group.api.get("/v1/claims/link-a")
    assert (view["state"], view["taken_by"], view["channel"]) == (
        "taken_over",
        f"order/{reference}",
        "woo-us",
    )
    assert [(x["posted"]["value"], x["released"]["value"]) for x in view["lines"]] == [("2", "1")]
    for what in ("commit", "release", "extend", "change"):
        body: dict[str, Any] = {"extend": {"expires_in_seconds": 60}, "change": {"kind": "firm"}}.get(
            what, {}
        )
        answer = await act(group, "link-a", what, **body)
        assert (answer.status, answer.problem["code"]) == (409, "claim-taken-over")
        assert reference in answer.problem["detail"]
    assert f"order/{reference}" in [x["thread"] for x in (await group.story("claim/link-a"))["linked"]]
    assert "claim/link-a" in [x["thread"] for x in (await group.story(f"order/{reference}"))["linked"]]
    await group.until(reference, "completed")
    await until_balance(group, "LINK-1", "SITE2", available=3)
    assert await broken_law(group) == []


async def test_an_order_that_waits_for_credit_has_its_goods_already(group: Group) -> None:
    """Stock is otherwise set aside after the ERP's check; what was claimed for an order is its own from the beginning."""
    await make_known(group, "CRED-1")
    await stocked(group, "CRED-1", 1)
    await checkout(group, "cred-a", line("CRED-1", "1"), expires_in_seconds=200)
    async with group.quirks("sap-1", credit_blocked=1.0):
        reference = await buy(group, "cred-a", ("CRED-1", 1))
        await group.until(reference, "held")

        await asyncio.sleep(12)  # more than the claim's own 200 seconds

        assert (await group.line(reference, "CRED-1"))["reserved"] == 1
        assert await balance(group, "CRED-1", "SITE1") == {"firm_claim": 1}
    await group.cancel(reference)
    await until_balance(group, "CRED-1", "SITE1", available=1)
    assert await broken_law(group) == []


async def test_an_order_that_cannot_be_served_yet_keeps_what_its_checkout_has(group: Group) -> None:
    """It lies where no orders are served from: it waits with the order, beyond its own end, and goes back once that is served."""
    await make_known(group, "KEPT-1")
    await fact(group, "stock.received.v1", "STORE-9", "KEPT-1", {"quantity": {"value": "1", "unit": "EA"}})
    await until_balance(group, "KEPT-1", "STORE-9", available=1)
    await checkout(group, "kept-a", line("KEPT-1", "1"), node="STORE-9", expires_in_seconds=100)

    reference = await buy(group, "kept-a", ("KEPT-1", 1))

    await group.until(reference, "held")
    assert (await decision(group, reference))["because"].startswith("kept for the order")
    await asyncio.sleep(8)  # more than the claim's own 100 seconds
    view = await group.api.get("/v1/claims/kept-a")
    assert (view["state"], view["taken_by"]) == ("pending", f"order/{reference}")
    assert (await act(group, "kept-a", "release")).problem["code"] == "claim-taken-over"
    await stocked(group, "KEPT-1", 1)
    await group.until(reference, "completed")
    assert await state_of(group, "kept-a") == "taken_over"
    await until_balance(group, "KEPT-1", "STORE-9", available=1)
    assert await group.left(reference) == {"KEPT-1": 1}
    assert await broken_law(group) == []


async def test_an_order_that_is_cancelled_while_its_claim_is_kept_lets_it_go_in_time(group: Group) -> None:
    """Nobody keeps what nobody wants: a claim without an end of its own ends by itself."""
    await make_known(group, "GONE-1")
    await fact(group, "stock.received.v1", "STORE-9", "GONE-1", {"quantity": {"value": "1", "unit": "EA"}})
    await until_balance(group, "GONE-1", "STORE-9", available=1)
    await checkout(group, "gone-a", line("GONE-1", "1"), node="STORE-9", expires_in_seconds=None)
    reference = await buy(group, "gone-a", ("GONE-1", 1))
    await group.until(reference, "held")

    await group.cancel(reference)

    async def expired() -> bool:
        return await state_of(group, "gone-a") == "expired"

    await eventually(expired, what="the claim that was kept ends")
    await until_balance(group, "GONE-1", "STORE-9", available=1)


async def test_what_cannot_be_taken_over_says_why_and_the_order_claims_as_usual(group: Group) -> None:
    """Of another channel, of another order, released, never asked for: each order is served all the same."""
    await make_known(group, "WHY-1")
    await stocked(group, "WHY-1", 20)
    await checkout(group, "why-other", line("WHY-1", "1"), channel="woo-us")
    await checkout(group, "why-two", line("WHY-1", "1"))
    await checkout(group, "why-back", line("WHY-1", "1"))
    assert (await act(group, "why-back", "release")).status == 200
    first = await buy(group, "why-two", ("WHY-1", 1))
    assert (await decision(group, first))["because"] == "taken over"
    reasons = {
        "why-other": "no order of this channel may", "why-two": "another order named it first", "why-back": "over by then",
        "why-nobody": "nobody asked for it", "\x00": "nobody asked for it",
    }  # fmt: skip

    for claim, reason in reasons.items():
        reference = await buy(group, claim, ("WHY-1", 1))
        assert reason in (await decision(group, reference))["because"]
        await group.until(reference, "completed")

    assert await state_of(group, "why-other") == "pending"
    assert (await act(group, "why-other", "release")).status == 200
    assert await broken_law(group) == []


async def test_a_webhook_that_comes_again_and_again_takes_over_once(group: Group) -> None:
    """A storm of copies, and the order edited afterwards: its goods stay its own, and the claim is used once."""
    await make_known(group, "TWICE-1")
    await stocked(group, "TWICE-1", 2)
    await checkout(group, "twice-a", line("TWICE-1", "2"))
    async with group.quirks("shopify-eu", update_storm=1.0):
        reference = await buy(group, "twice-a", ("TWICE-1", 2))
        await group.until(reference, "completed")

    assert await group.left(reference) == {"TWICE-1": 2}
    assert await state_of(group, "twice-a") == "taken_over"
    assert await balance(group, "TWICE-1", "SITE1") == {}
    assert await broken_law(group) == []


async def test_an_order_posted_as_an_event_names_its_claim_too(group: Group) -> None:
    """Whoever writes canonical events has a field for it, and the order's channel decides."""
    await make_known(group, "EVENT-1")
    await stocked(group, "EVENT-1", 1)
    await checkout(group, "event-a", line("EVENT-1", "1"))
    order = {
        "number": "E-1", "reference": "shopify-eu/event-1", "channel": "shopify-eu", "claim": "event-a",
        "lines": [{"line": "1", "item": "EVENT-1", "ordered": {"value": "1", "unit": "EA"}, "unit_price": {"amount": "10.00", "currency": "EUR"}}],
        "total": {"amount": "10.00", "currency": "EUR"}, "destination": {"country": "DE"},
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": "event-order-1", "source": "shopify-eu", "type": "crossdock.logistics.order.received.v1",
        "subject": "order/shopify-eu/event-1", "data": order,
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body

    assert (await decision(group, "shopify-eu/event-1"))["because"] == "taken over"
    assert (await group.api.get("/v1/claims/event-a"))["taken_by"] == "order/shopify-eu/event-1"


HOW_TO = Path(__file__).parents[2] / "docs" / "howto" / "checkout-claims.md"
COMMAND = re.compile(r"```console\n\$ curl (.*)\n(.*)\n```")


async def test_the_how_to_says_what_happens(group: Group) -> None:
    """Each command of the page, in its order, is answered as the page shows."""
    await make_known(group, "TEA-1")
    await stocked(group, "TEA-1", 2)
    examples = COMMAND.findall(HOW_TO.read_text())
    assert len(examples) == 5

    for command, shown in examples:
        words = shlex.split(command)
        headers = [words[n + 1].partition(": ") for n, x in enumerate(words) if x == "-H"]
        [address] = [x for x in words if x.startswith("$HUB")]
        path, _, query = address.removeprefix("$HUB").partition("?")
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        sent = {name: value for name, _, value in headers if name != "Authorization"}
        assert ("Authorization", ": ", "Bearer $TOKEN") in headers
        answer = await group.api.call(
            "POST" if body else "GET", path, body, headers=sent, **dict(parse_qsl(query))
        )
        wanted = json.loads(shown)
        if "code" in wanted:
            assert (answer.status, answer.problem["code"]) == (wanted["status"], wanted["code"])
        else:
            assert answer.status < 300, answer.body
            assert wanted.items() <= answer.json().items()
