"""`find` and `trace`: from any number to where it stands, and the story as it goes on."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.documents import encoded, shop_order
from e2e.running import Api, RunningHub, eventually
from e2e.trading import Trade

SUBJECT = "order/shopify-eu/"


@pytest.fixture
async def order(api: Api) -> dict[str, Any]:
    """An order that the hub knows and that waits on the ERP, which nobody plays here."""
    document = shop_order()
    await api.deliver("shopify-eu", "webhooks", encoded(document), "orders/create")

    async def waits() -> bool:
        return await api.phase(f"{SUBJECT}{document['id']}") == "checking"

    await eventually(waits, what="the order is being checked")
    return document


def following(directory: Path, identifier: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "crossdock.cli.main", "trace", identifier, "--follow", *options]
    return subprocess.Popen(
        [*command, "--hub", str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("by", ["name", "id", "thread"])
def test_find_tells_what_it_is_and_where_it_stands(hub: RunningHub, order: dict[str, Any], by: str) -> None:
    """By the number people say, by the shop's own, by the reference."""
    query = f"{SUBJECT}{order['id']}" if by == "thread" else str(order[by])
    ended = hub.crossdock("find", query)

    assert ended.returncode == 0, ended.stderr
    what, stands, why, *rest = ended.stdout.splitlines()
    assert what.startswith(f"Order {order['name']} · ")
    assert "Waiting on credit" in stands
    assert " since " in stands
    assert why.startswith("  found by: ")
    assert f"crossdock trace {SUBJECT}{order['id']}" in rest[-1]


def test_find_as_json(hub: RunningHub, order: dict[str, Any]) -> None:
    """The API's answer as it is."""
    ended = hub.crossdock("find", order["name"], "--json")
    found = json.loads(ended.stdout)

    assert ended.returncode == 0
    assert found["query"] == order["name"]
    assert [hit["found"]["thread"] for hit in found["hits"]] == [f"{SUBJECT}{order['id']}"]


def test_nothing_found_says_what_is_accepted(hub: RunningHub) -> None:
    """Exit 1, and what a person may ask for."""
    ended = hub.crossdock("find", "nobody-knows-this")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "tracking number" in ended.stderr


@pytest.mark.parametrize("query", ["../../health", "x" * 500, " ", "'; drop table event; --"])
def test_whatever_is_asked_for_is_an_answer(hub: RunningHub, query: str) -> None:
    """Nothing found is an empty list, however odd the question."""
    ended = hub.crossdock("find", query, "--json")

    assert (ended.returncode, ended.stderr) == (1, "")
    assert json.loads(ended.stdout) == {"query": query, "hits": []}


def test_trace_tells_the_story(hub: RunningHub, order: dict[str, Any]) -> None:
    """The sentence first; facts and what is open have different marks; the newest happening comes last."""
    ended = hub.crossdock("trace", order["name"])

    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].startswith(f"Order {order['name']} · ")
    assert "Waiting on credit" in lines[1]
    marks = {words[1]: words[0] for line in lines if len(words := line.split()) > 1}
    assert (marks["placed"], marks["approved"], marks["invoiced"]) == ("●", "◆", "·")
    assert any(line.startswith("  Shopify (Shop)") and "placed order" in line for line in lines)
    assert any(line.startswith("  SAP (ERP)") and "nothing acknowledged yet" in line for line in lines)
    happened = lines[lines.index("What happened, UTC, newest last") + 1 :]
    assert "Shopify placed order" in happened[0]


def test_trace_as_json(hub: RunningHub, order: dict[str, Any]) -> None:
    """One object: the API's story, its timeline whole and newest first."""
    ended = hub.crossdock("trace", f"{SUBJECT}{order['id']}", "--json")
    story = json.loads(ended.stdout)

    assert ended.returncode == 0
    assert (story["thread"], story["phase"], story["next"]) == (f"{SUBJECT}{order['id']}", "checking", "")
    assert "Shopify placed order" in story["timeline"][-1]["text"]


@pytest.mark.parametrize("query", ["nobody-knows-this", "order/nobody/%2e?#"])
def test_trace_of_nothing(hub: RunningHub, query: str) -> None:
    """As for find."""
    ended = hub.crossdock("trace", query)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "tracking number" in ended.stderr


async def test_an_order_is_followed_to_its_end(trading: Trade) -> None:
    """One JSON object a line: the story, then what happens, where it stands; ends by itself when nothing is waited for."""
    reference = await trading.order()
    await trading.until(reference, "checking", "approved", "released", "packed", "shipped", "completed")
    process = following(trading.api.hub.directory, f"order/{reference}", "--json")
    output, errors = process.communicate(timeout=120)

    assert process.returncode == 0, errors
    first, *later = map(json.loads, output.splitlines())
    assert first["story"]["thread"] == f"order/{reference}"
    assert {key for line in later for key in line} <= {"happened", "stands"}
    texts = [x["text"] for x in first["story"]["timeline"]] + [
        x["happened"]["text"] for x in later if "happened" in x
    ]
    assert any("released invoice" in text for text in texts)
    stands = [x["stands"] for x in later if "stands" in x] or [first["story"]]
    assert (stands[-1]["phase"], stands[-1]["done"]) == ("completed", True)
    told = trading.api.hub.crossdock("trace", f"order/{reference}")
    assert told.stdout.splitlines()[1].startswith("✓ Complete")
    assert "shipment/" in told.stdout


def test_following_ends_with_ctrl_c(hub: RunningHub, order: dict[str, Any]) -> None:
    """Without a word more; the exit code says that it was interrupted."""
    process = following(hub.directory, order["name"])
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert first.startswith(f"Order {order['name']}")
    assert (process.returncode, errors) == (130, "")
