"""Corrections over HTTP and by command: what cannot be read is corrected here, and counts as if it had come so."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from e2e.documents import encoded, next_number, shop_order
from e2e.running import Api, eventually, rows

SHOP = ("shopify-eu", "webhooks")


async def broken_order(api: Api) -> tuple[str, dict[str, object]]:
    """A message of the shop with a quantity that no mapping takes; its id, and the order."""
    order = shop_order()
    order["line_items"][1]["quantity"] = -4
    answer = await api.deliver(*SHOP, encoded(order), "orders/create")
    [thread] = answer.json()["threads"]

    async def told() -> bool:
        return await api.phase(thread) == "not translated"

    await eventually(told, what="the message has a story")
    return thread.partition("/")[2], order


async def test_a_corrected_message_is_taken_in_and_its_case_closes(api: Api) -> None:
    """The order is there as the shop's own, the message's story says who and why, the original stays."""
    message, order = await broken_order(api)
    wish = {
        "message": message,
        "set": {"/line_items/1/quantity": 4},
        "reason": "four, says the shop by phone",
    }

    answer = await api.post("/v1/corrections", wish)

    assert answer.status == 201, answer.body
    made = answer.json()
    assert made["state"] == "applied"
    assert made["gave"] == [f"order/shopify-eu/{order['id']}"]
    assert made["changes"] == [{"path": "/line_items/1/quantity", "before": "-4", "after": "4"}]

    async def corrected() -> bool:
        return await api.phase(f"message/{message}") == "corrected"

    await eventually(corrected, what="the message is corrected")
    story = await api.get(f"/v1/threads/story/message/{message}")
    assert story["cases"] == []
    assert any("four, says the shop by phone" in x["text"] for x in story["timeline"])
    await eventually(lambda: api.phase(f"order/shopify-eu/{order['id']}"), what="the order is there")
    assert (await api.get(f"/v1/threads/story/order/shopify-eu/{order['id']}"))["lines"][1]["ordered"] == "4"
    kept = (await api.get(f"/v1/messages/{message}"))["body"]
    assert json.loads(kept)["line_items"][1]["quantity"] == -4


async def test_a_correction_that_is_wrong_too_is_refused_with_the_field(api: Api) -> None:
    """Nothing is kept of it, and the case stays."""
    message, _ = await broken_order(api)
    wish = {"message": message, "set": {"/line_items/1/quantity": "many"}, "reason": "a guess"}

    answer = await api.post("/v1/corrections", wish)

    assert answer.status == 422
    assert answer.problem["errors"][0]["pointer"] == "/line_items/1/quantity"
    assert (await api.get("/v1/corrections", target=message))["corrections"] == []
    assert await api.phase(f"message/{message}") == "not translated"


async def test_a_dry_run_keeps_nothing(api: Api) -> None:
    """What would follow is told, and nobody hears of it."""
    message, order = await broken_order(api)
    wish = {"message": message, "set": {"/line_items/1/quantity": 4}, "dry_run": True}

    found = (await api.post("/v1/corrections", wish)).json()

    assert [x["thread"] for x in found["would"]] == [f"order/shopify-eu/{order['id']}"]
    assert await api.phase(f"order/shopify-eu/{order['id']}") == ""


async def test_a_corrected_body_is_sealed(api: Api) -> None:
    """The street that a person typed stands nowhere in clear, and no list shows it."""
    message, _ = await broken_order(api)
    street = f"Musterweg {next_number()}"
    values = {"/line_items/1/quantity": 4, "/shipping_address/address1": street}

    answer = await api.post("/v1/corrections", {"message": message, "set": values, "reason": "both wrong"})

    assert answer.status == 201
    assert street.encode() not in answer.body
    assert answer.json()["hidden"] == 1
    for table, column in (
        ("message", "sealed"),
        ("event", "data"),
        ("event", "sealed"),
        ("thread_state", "state"),
    ):
        sql = f"select 1 from {table} where position($1::bytea in {column}) > 0"
        assert await rows(api.hub, sql, street.encode()) == [], f"{table}.{column}"


async def test_a_body_edited_with_hidden_values_keeps_them(api: Api) -> None:
    """Who corrects a quantity in the masked text corrects the quantity only."""
    message, order = await broken_order(api)
    shown = (await api.get(f"/v1/messages/{message}"))["body"]
    assert "•••" in shown
    edited = shown.replace('"quantity": -4', '"quantity": 4')

    answer = await api.post(
        "/v1/corrections", {"message": message, "content": edited, "shown": shown, "reason": "four"}
    )

    assert answer.status == 201, answer.body
    assert [x["path"] for x in answer.json()["changes"]] == ["/line_items/1/quantity"]
    await eventually(lambda: api.phase(f"order/shopify-eu/{order['id']}"), what="the order is there")


async def test_a_correction_by_command(api: Api) -> None:
    """Look, try, correct: each reads well, and the order is there."""
    message, order = await broken_order(api)

    looked = api.hub.crossdock("correct", "look", f"message/{message}")
    tried = api.hub.crossdock("correct", "message", message, "--set", "/line_items/1/quantity=4", "--dry-run")
    wrong = api.hub.crossdock(
        "correct", "message", message, "--set", "/line_items/1/quantity=0", "--reason", "x"
    )
    done = api.hub.crossdock(
        "correct", "message", message, "--set", "/line_items/1/quantity=4", "--reason", "by phone"
    )

    assert "/line_items/1/quantity" in looked.stdout.splitlines()[1]
    assert "/line_items/1/quantity: -4 → 4" in tried.stdout
    assert wrong.returncode == 1
    assert "/line_items/1/quantity" in wrong.stderr
    assert done.returncode == 0, done.stderr
    assert "applied" in done.stdout
    assert f"order/shopify-eu/{order['id']}" in done.stdout
    listed = api.hub.crossdock("correct", "list", "--json")
    assert any(x["target"] == message for x in json.loads(listed.stdout)["corrections"])


def strict(directory: Path) -> None:
    """Messages too need a second person."""
    path = directory / "hub.yaml"
    hub = yaml.safe_load(path.read_text())
    hub.setdefault("policy", {})["four_eyes"] = ["message", "event", "code", "rule"]
    path.write_text(yaml.safe_dump(hub))


@pytest.fixture(scope="module")
def strict_hub(start_hub):
    return start_hub("strict", edit=strict)


@pytest.fixture
async def strict_api(strict_hub) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(strict_hub, session)


async def test_a_second_person_approves(strict_api: Api) -> None:
    """The proposer is refused with exit code 4, a colleague is not, and nothing counts before."""
    api = strict_api
    message, order = await broken_order(api)
    given = ("correct", "message", message, "--set", "/line_items/1/quantity=4", "--reason", "by phone")

    made = api.hub.crossdock(*given)
    number = made.stdout.split()[0]
    twice = api.hub.crossdock(*given)
    own = api.hub.crossdock("correct", "approve", number, "--reason", "I am sure")

    assert "proposed" in made.stdout, made.stderr
    assert "a second person" in made.stdout
    assert (twice.returncode, "waits already" in twice.stderr) == (1, True)
    assert (own.returncode, "a second person must approve" in own.stderr) == (4, True)
    assert await api.phase(f"order/shopify-eu/{order['id']}") == ""
    token = api.hub.crossdock("token", "create", "Berta", "--scope", "operator").stdout.strip()

    async def approved() -> bool:
        """Tokens are read every few seconds."""
        command = [
            sys.executable,
            "-m",
            "crossdock.cli.main",
            "correct",
            "approve",
            number,
            "--reason",
            "checked",
        ]
        done = subprocess.run(
            [*command, "--hub", str(api.hub.directory)], check=False, capture_output=True, text=True, timeout=30,
            env=os.environ | {"CROSSDOCK_TOKEN": token},
        )  # fmt: skip
        return done.returncode == 0

    await eventually(approved, what="Berta approves")
    await eventually(lambda: api.phase(f"order/shopify-eu/{order['id']}"), what="the order is there")
    shown = api.hub.crossdock("correct", "show", number)
    assert "applied by Berta" in shown.stdout
    assert "Berta: checked" in shown.stdout


async def test_a_rejected_correction_changes_nothing(strict_api: Api) -> None:
    """The original stands, its case stays open, and another correction may be proposed."""
    api = strict_api
    message, order = await broken_order(api)
    wish = {"message": message, "set": {"/line_items/1/quantity": 4}, "reason": "a guess"}
    made = (await api.post("/v1/corrections", wish)).json()

    rejected = api.hub.crossdock(
        "correct", "reject", made["name"], "--reason", "the shop sends it again", "--json"
    )

    assert json.loads(rejected.stdout)["state"] == "rejected"
    late = await api.call(
        "POST", f"/v1/corrections/{made['id']}/approve", b'{"reason": "late"}', headers={"If-Match": '"1"'}
    )
    assert (late.status, late.problem["code"]) == (412, "changed-meanwhile")
    assert await api.phase(f"order/shopify-eu/{order['id']}") == ""
    assert await api.phase(f"message/{message}") == "not translated"
    assert (await api.post("/v1/corrections", wish)).status == 201
