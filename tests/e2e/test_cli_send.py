"""`send`: a document handed in as its system would, and what came of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.documents import next_number, shop_order
from e2e.running import RunningHub

SHOP = ("--source", "shopify-eu", "--wait", "60")


def write(folder: Path, document: Any, name: str = "order.json") -> str:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def sent(hub: RunningHub, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """`send --json`: one object a line."""
    ended = hub.crossdock("send", *arguments, "--json", seconds=120)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_an_order_becomes_a_story(hub: RunningHub, tmp_path: Path) -> None:
    """Kept under a number, new, and the thread it made with its sentence; sent again it is a duplicate of the same."""
    order = shop_order()
    file = write(tmp_path, order)
    [first] = sent(hub, file, *SHOP)
    [again] = sent(hub, file, *SHOP)

    assert (first["outcome"], first["verdict"], first["detail"]) == ("story", "new", f"Order {order['name']}")
    assert first["message"]
    [thread] = first["threads"]
    assert thread["thread"] == f"order/shopify-eu/{order['id']}"
    assert "SAP" in thread["sentence"], "it waits on the ERP, which nobody plays here"
    assert (again["outcome"], again["verdict"], again["message"]) == ("story", "duplicate", "")
    assert [x["thread"] for x in again["threads"]] == [thread["thread"]]


def test_it_is_told_in_words(hub: RunningHub, tmp_path: Path) -> None:
    """A person reads the same: message, verdict, object and sentence."""
    order = shop_order()
    ended = hub.crossdock("send", write(tmp_path, order), *SHOP)

    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    assert "kept as message " in first
    assert first.endswith("; new")
    assert second.startswith(f"  Order {order['name']} (order/shopify-eu/{order['id']}). ")


def test_the_same_id_with_another_body_is_a_conflict(hub: RunningHub, tmp_path: Path) -> None:
    """An order and its time of change are one version: of another content, both are kept; of other bytes, it is the same."""
    order = shop_order()
    sent(hub, write(tmp_path, order), *SHOP)
    [same] = sent(hub, write(tmp_path, order | {"note": "read by nobody"}), *SHOP)
    [found] = sent(hub, write(tmp_path, order | {"email": "another@example.com"}), *SHOP)

    assert same["verdict"] == "duplicate"

    assert (found["outcome"], found["verdict"]) == ("story", "different")
    assert found["message"]


def test_what_cannot_be_translated_is_a_case_with_the_path(hub: RunningHub, tmp_path: Path) -> None:
    """Whose move it is, and where in the document; a repeat leads to the same case."""
    order = shop_order()
    order["line_items"][0]["sku"] = None
    file = write(tmp_path, order)
    [first] = sent(hub, file, *SHOP, code=1)
    [again] = sent(hub, file, *SHOP, code=1)
    told = hub.crossdock("send", file, *SHOP)

    assert first["outcome"] == "case"
    assert first["detail"] == "/line_items/0/sku: the line names no SKU"
    assert (first["case"]["owner"], first["threads"]) == ("integration", [])
    assert (again["case"]["number"], again["message"]) == (first["case"]["number"], first["message"])
    assert told.returncode == 1
    assert f"Case C-{first['case']['number']}, integration: " in told.stdout
    assert "/line_items/0/sku" in told.stdout


def test_malformed_json_is_a_case_with_the_byte(hub: RunningHub, tmp_path: Path) -> None:
    """It is kept all the same."""
    [found] = sent(hub, write(tmp_path, f'{{"id": {next_number()},}}'), *SHOP, code=1)

    assert found["outcome"] == "case"
    assert found["detail"].startswith("byte ")
    assert found["message"]


def test_some_of_several_is_exit_3(hub: RunningHub, tmp_path: Path) -> None:
    """Results come in the order of the files, one wrong document stops no other."""
    good, other = shop_order(), shop_order()
    files = [
        write(tmp_path, good, "1.json"),
        write(tmp_path, {"product": next_number()}, "2.json"),
        write(tmp_path, other, "3.json"),
    ]
    found = sent(hub, *files, *SHOP, code=3)

    assert [x["file"] for x in found] == files
    assert [x["outcome"] for x in found] == ["story", "case", "story"]


def test_a_topic_changes_the_reading(hub: RunningHub, tmp_path: Path) -> None:
    """The same document under the topic of a cancellation asks for one."""
    order = shop_order(cancel_reason="customer")
    file = write(tmp_path, order)
    sent(hub, file, *SHOP)
    [found] = sent(hub, file, *SHOP, "--topic", "orders/cancelled")

    assert (found["outcome"], found["verdict"]) == ("story", "new")
    [thread] = found["threads"]
    assert thread["phase"] == "cancelled"


def test_a_wrong_signature_is_refused(hub: RunningHub, tmp_path: Path) -> None:
    """Headers of one's own replace what the system would sign with."""
    file = write(tmp_path, shop_order())
    [found] = sent(hub, file, *SHOP, "--header", "X-Shopify-Hmac-Sha256: AAAA", code=1)

    assert (found["outcome"], found["message"]) == ("refused", "")
    assert "401" in found["detail"]


def test_too_large_a_document_is_refused(hub: RunningHub, tmp_path: Path) -> None:
    """The hub's own limit, in its own words."""
    [found] = sent(hub, write(tmp_path, shop_order(note="x" * 2_100_000)), *SHOP, code=1)

    assert found["outcome"] == "refused"
    assert "413" in found["detail"]


def test_without_a_token_it_is_kept_and_no_more_is_told(hub: RunningHub, tmp_path: Path) -> None:
    """The signature lets it in; its story is for those with a token, and the remedy is named."""
    command = [
        sys.executable,
        "-m",
        "crossdock.cli.main",
        "send",
        write(tmp_path, shop_order()),
        *SHOP,
        "--json",
    ]
    ended = subprocess.run(
        [*command, "--hub", str(hub.directory)], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"CROSSDOCK_TOKEN": "nobody's"},
    )  # fmt: skip
    found = json.loads(ended.stdout)

    assert ended.returncode == 3, ended.stderr
    assert (found["outcome"], found["verdict"], bool(found["message"])) == ("kept", "new", True)
    assert "CROSSDOCK_TOKEN" in found["detail"]


def test_other_systems_sign_in_their_way(hub: RunningHub, tmp_path: Path) -> None:
    """What no channel of theirs understands is kept and becomes a case, so the signature was right."""
    for system in ("wms-1", "ups-1", "crm"):
        file = write(tmp_path, {"nobody": next_number()})
        [found] = sent(hub, file, "--source", system, "--wait", "60", code=1)
        assert (system, found["outcome"]) == (system, "case")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--source", "nobody"], "shopify-eu"),
        (["--source", "shopify-eu", "--channel", "nowhere"], "webhooks"),
        (["--source", "shopify-eu", "--header", "no colon"], "Name: value"),
        ([], "--source"),
    ],
)
def test_wrong_usage_names_what_there_is(
    hub: RunningHub, tmp_path: Path, arguments: list[str], told: str
) -> None:
    """Exit 2, and nothing was sent."""
    ended = hub.crossdock("send", write(tmp_path, {}), *arguments)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_that_is_not_there_sends_nothing(hub: RunningHub, tmp_path: Path) -> None:
    """Before anything goes out."""
    order = shop_order()
    ended = hub.crossdock("send", write(tmp_path, order), str(tmp_path / "nowhere.json"), *SHOP)

    assert ended.returncode == 2
    assert "nowhere.json" in ended.stderr
    assert hub.crossdock("find", order["name"]).returncode == 1


def test_who_only_receives_cannot_be_spoken_for(hub: RunningHub, tmp_path: Path) -> None:
    """Mail goes out and nothing comes in that way, so there is no channel to send to."""
    system = {
        "name": "mail", "connector": "email", "base_url": "smtp://127.0.0.1:1", "settings": {"sender": "orders@shop.example.com"},
    }  # fmt: skip
    file = hub.directory / "systems" / "mail.yaml"
    file.write_text(json.dumps(system))
    try:
        ended = hub.crossdock("send", write(tmp_path, {}), "--source", "mail")
    finally:
        file.unlink()

    assert ended.returncode == 2
    assert "no channel" in ended.stderr
