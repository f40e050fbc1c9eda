"""eppye-bots/bots#71, #250, #366, #235; odoo/documentation PR#3193: a message of an unknown partner is stuck and nobody knows; the sender never hears of an error.

A naive hub answers 200 to everything, or nothing at all, and what it did not understand lies in a folder.
"""

import json
import re
from typing import Any

from e2e.documents import encoded, next_number, shop_order
from e2e.running import Answer, eventually
from scenarios.group import Group

SHOP = ("shopify-eu", "webhooks")


def doctor(group: Group) -> dict[str, dict[str, Any]]:
    """What it says, by the name of each line."""
    ended = group.api.hub.crossdock("doctor", "--json")
    return {x["name"]: x for x in json.loads(ended.stdout)["checks"]}


async def looked_up(group: Group, answer: Answer) -> dict[str, Any]:
    """What the link of an answer leads to, once it is worked off."""

    async def look() -> Any:
        found = await group.api.call("GET", answer.headers["location"])
        return found.json() if found.status == 200 and found.json()["cases"] else None

    found = await eventually(look, what="the link tells what became of the message")
    assert isinstance(found, dict)
    return found


async def test_an_unknown_partner_hears_it_and_so_do_we(group: Group) -> None:
    """The sender is refused with the reason; doctor names who it was, how often, and what to do. Of the body nothing is kept."""
    stranger = f"stranger-{next_number()}"
    for _ in range(3):
        answer = await group.api.call("POST", f"/v1/in/{stranger}/orders", b'{"order": 1}', anonymous=True)
        assert (answer.status, answer.problem["code"]) == (404, "unknown-channel")
        assert stranger in answer.problem["detail"]

    found = doctor(group)["refused deliveries"]

    assert found["level"] == "warn"
    assert f"for {stranger}: there is no channel orders" in found["text"]
    assert "systems/NAME.yaml" in found["remedy"]


async def test_a_partner_whose_signature_is_wrong_hears_it_and_so_do_we(group: Group) -> None:
    """As after a change of secret on one side only."""
    body = encoded(shop_order())
    for _ in range(5):
        headers = group.api.hub.signed(*SHOP, body, "orders/create")
        answer = await group.api.call(
            "POST", "/v1/in/shopify-eu/webhooks", body + b" ", headers=headers, anonymous=True
        )
        assert (answer.status, answer.problem["code"]) == (401, "unauthenticated")

    assert "for shopify-eu: " in doctor(group)["refused deliveries"]["text"]


async def test_a_message_of_no_known_kind_is_kept_classified_and_answered(group: Group) -> None:
    """The answer says what is wrong and where to look it up; a case says who must do what; a repeat makes no second case."""
    body = encoded({"id": next_number(), "token": "of a cart"})

    answer = await group.api.deliver(*SHOP, body, "carts/update")

    told = answer.json()
    assert (answer.status, told["verdict"], told["problem"]) == (202, "kept", "unsupported")
    assert "carts/update" in told["detail"]
    story = await looked_up(group, answer)
    assert story["thread"] == f"message/{told['message']}"
    assert story["phase"] == "not translated"
    [case] = story["cases"]
    assert (case["owner"], case["cause"]) == ("integration", "contract change")
    shown = await group.api.get(f"/v1/cases/{case['number']}")
    assert "carts/update" in json.dumps(shown)
    assert "extend the mapping" in json.dumps(shown)

    again = await group.api.deliver(*SHOP, body, "carts/update")
    assert (again.status, again.json()["verdict"], again.json()["problem"]) == (
        200,
        "duplicate",
        "unsupported",
    )
    assert (await group.story(f"message/{told['message']}"))["cases"][0]["number"] == case["number"]


async def test_a_wrong_field_is_named_to_the_sender_and_to_us(group: Group) -> None:
    """The path is that of the sender's own document, in the answer as in the case."""
    order = shop_order()
    order["line_items"][0]["price"] = "tba"

    answer = await group.api.deliver(*SHOP, encoded(order), "orders/create")

    assert answer.status == 202
    assert answer.json()["errors"][0]["pointer"] == "/line_items/0/price"
    story = await looked_up(group, answer)
    assert "/line_items/0/price" in story["cases"][0]["title"]
    hits = (await group.api.get("/v1/find", q=answer.json()["message"]))["hits"]
    assert [x["found"]["thread"] for x in hits] == [story["thread"]]


def counted(group: Group) -> tuple[int, int]:
    """(messages not read, or in part; kinds of fields that nobody reads) of the newest messages."""
    lines = doctor(group)
    unread = re.search(r": (\d+) not read, or in part", lines["messages"]["text"])
    assert unread is not None, lines["messages"]
    return int(unread[1]), int(lines["unmapped fields"]["text"].split()[0])


async def test_what_is_not_read_is_counted(group: Group) -> None:
    """A field that came with a partner's release is seen before somebody misses it."""
    assert (await group.api.deliver(*SHOP, encoded(shop_order()), "orders/create")).status == 202
    unread, fields = counted(group)
    order = shop_order(**{f"gift_note_{next_number()}": "for Ada"})
    assert (await group.api.deliver(*SHOP, encoded(order), "orders/create")).status == 202
    assert (await group.api.deliver(*SHOP, encoded({"id": next_number()}), "carts/update")).status == 202

    assert counted(group) == (unread + 1, fields + 1)
