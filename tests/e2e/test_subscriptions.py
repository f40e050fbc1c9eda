"""Subscribers: told in order, signed, only what their list names, over refusals and restarts of the hub."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from standardwebhooks import Webhook
from typer.testing import CliRunner

from crossdock.cli.main import app
from e2e.documents import canonical, next_number
from e2e.running import Api, RunningHub, eventually, start

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1zdWJzY3JpYmVyLTEyMw=="
PATHS = ("steady", "flaky", "gone", "moved")


@dataclass
class Receiver:
    """A server that subscribers' messages arrive at, by path, with what it answers to each."""

    port: int
    answers: dict[str, int] = field(default_factory=dict)
    got: dict[str, list[tuple[dict[str, str], bytes]]] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        status = self.answers.get(path, 204)
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.setdefault(path if status < 300 else f"{path} refused", []).append((headers, body))
        where = {"Location": f"http://127.0.0.1:{self.port}/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=where)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Receiver"]:
        app = web.Application()
        app.router.add_post("/{path}", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    def items(self, path: str) -> list[str]:
        return [json.loads(body)["data"]["place"]["item"] for _, body in self.got.get(path, [])]


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
async def receiver(port: int) -> AsyncIterator[Receiver]:
    async with Receiver(port).serving() as made:
        yield made


def write(folder: Path, name: str, **more: Any) -> None:
    (folder / "subscriptions").mkdir(exist_ok=True)
    (folder / "secrets" / "subscriber").write_text(SECRET + "\n")
    document = {
        "name": name, "secret": "${file:secrets/subscriber}", "types": ["stock.adjusted.v1"], "allow_private": True,
        "fields": ["subject", "data.place.item"],
    } | more  # fmt: skip
    (folder / "subscriptions" / f"{name}.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def subscribed(start_hub: Callable[..., RunningHub], port: int) -> RunningHub:
    """A hub with four subscribers; each sees the items of its own name only."""

    def edit(folder: Path) -> None:
        for name in PATHS:
            write(
                folder,
                name,
                url=f"http://127.0.0.1:{port}/{name}",
                where=f"data.place.item.startsWith('{name}-')",
            )

    return start_hub("subscribed", edit=edit)


@pytest.fixture
async def feeding(subscribed: RunningHub) -> AsyncIterator[Api]:
    """HTTP to it, once every subscription has its place."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Api(subscribed, session)

        async def placed() -> bool:
            return len(await states(made)) == len(PATHS)

        await eventually(placed, what="all subscriptions have begun")
        yield made


async def states(api: Api) -> dict[str, dict[str, Any]]:
    """From `crossdock status --json`."""
    ended = await asyncio.to_thread(api.hub.crossdock, "status", "--json")
    return {x["name"]: x for x in json.loads(ended.stdout)["subscriptions"]}


async def adjust(api: Api, name: str) -> str:
    item = f"{name}-{next_number()}"
    place, change = {"item": item, "location": "SITE1"}, {"value": "5", "unit": "EA"}
    event = canonical("stock.adjusted.v1", f"stock/SITE1/{item}", place=place, change=change)
    assert (await api.post("/v1/events", event)).status == 202
    return item


async def test_messages_come_signed_in_order_and_cut_to_the_list(feeding: Api, receiver: Receiver) -> None:
    """Every event that matches, once, in the order of the hub; the signature verifies; no field that is not named."""
    wanted = []
    for _ in range(20):
        wanted.append(await adjust(feeding, "steady"))
        await adjust(feeding, "nobody")

    async def all_there() -> bool:
        return len(receiver.items("steady")) >= len(wanted)

    await eventually(all_there, what="all messages arrived")
    assert receiver.items("steady") == wanted
    for headers, body in receiver.got["steady"]:
        told = Webhook(SECRET).verify(body, headers)
        assert set(told) == {"id", "type", "time", "subject", "data"}
        assert told["id"] == headers["webhook-id"]
        assert set(told["data"]) == {"place"}
        assert set(told["data"]["place"]) == {"item"}
    assert len({headers["webhook-id"] for headers, _ in receiver.got["steady"]}) == len(wanted)
    assert (await states(feeding))["steady"]["failing_since"] is None


async def test_nothing_is_lost_over_refusals_and_a_restart(feeding: Api, receiver: Receiver) -> None:
    """While it answers 500 nothing passes the first message; a restarted hub goes on there, in order, with the same ids."""
    receiver.answers["flaky"] = 500
    wanted = [await adjust(feeding, "flaky") for _ in range(5)]

    async def failing() -> Any:
        return (await states(feeding))["flaky"]["failing_since"]

    await eventually(failing, what="the subscriber is seen failing")
    found = await feeding.get("/v1/now")
    assert "Subscriber flaky has been failing since" in found["sentence"]
    assert set(receiver.items("flaky refused")) == {wanted[0]}
    refused = {headers["webhook-id"] for headers, _ in receiver.got["flaky refused"]}

    hub = feeding.hub
    hub.process.terminate()
    await asyncio.to_thread(hub.process.wait, 40)
    receiver.answers.clear()
    hub.process = (await asyncio.to_thread(start, hub.directory)).process
    wanted += [await adjust(feeding, "flaky") for _ in range(5)]

    async def all_there() -> bool:
        return set(wanted) <= set(receiver.items("flaky"))

    await eventually(all_there, what="all messages arrived")
    assert list(dict.fromkeys(receiver.items("flaky"))) == wanted
    assert receiver.got["flaky"][0][0]["webhook-id"] in refused
    assert len(refused) == 1

    async def well() -> bool:
        return (await states(feeding))["flaky"]["failing_since"] is None

    await eventually(well, what="it is well again")


async def test_gone_is_gone(feeding: Api, receiver: Receiver) -> None:
    """410 disables: it is asked no more, and the state says why."""
    receiver.answers["gone"] = 410
    for _ in range(3):
        await adjust(feeding, "gone")

    async def disabled() -> Any:
        found = (await states(feeding)).get("gone")
        return found if found and found["failing_since"] else None

    found = await eventually(disabled, what="it is disabled")
    await asyncio.sleep(7)  # longer than the first wait of the schedule
    assert "410" in found["last_failure"]
    assert found["next_at"] is None
    assert len(receiver.got["gone refused"]) == 1


async def test_a_redirect_is_not_followed(feeding: Api, receiver: Receiver) -> None:
    """It counts as a refusal; nothing arrives where it points."""
    receiver.answers["moved"] = 307
    await adjust(feeding, "moved")

    async def failing() -> Any:
        found = (await states(feeding)).get("moved")
        return found["last_failure"] if found and found["failing_since"] else None

    assert "redirects" in await eventually(failing, what="it is seen failing")
    assert "elsewhere" not in receiver.got


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    """What `crossdock init` writes, with one good subscription."""
    assert CliRunner().invoke(app, ["init", str(tmp_path / "hub"), "--port", "18400"]).exit_code == 0
    write(tmp_path / "hub", "bi", url="https://bi.example.com/hook", allow_private=False)
    return tmp_path / "hub"


def lint(folder: Path) -> dict[str, Any]:
    ended = CliRunner().invoke(
        app, ["config", "lint", "--hub", str(folder), "--json"], env={"CROSSDOCK_PORT": None}
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    assert ended.exit_code == (0 if found["ok"] else 1)
    return found


def test_a_good_subscription_passes(landscape: Path) -> None:
    """Nothing to correct."""
    assert lint(landscape) == {"ok": True, "findings": []}


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no TLS": ({"url": "http://bi.example.com/"}, "bi.yaml: url", "https"),
    "a private address": ({"url": "https://10.0.0.7/hook"}, "bi.yaml: url", "allow_private"),
    "the cloud's metadata": ({"url": "https://169.254.169.254/"}, "bi.yaml: url", "not a public address"),
    "loopback": ({"url": "http://localhost:8000/"}, "bi.yaml: url", "allow_private"),
    "no fields": ({"fields": []}, "bi.yaml", "fields"),
    "everything": ({"fields": ["data"]}, "bi.yaml: fields", "names no field"),
    "a field of no event": ({"fields": ["data.plaice.item"]}, "bi.yaml: fields", "plaice"),
    "an unknown type": ({"types": ["stock.eaten.v1"]}, "bi.yaml: types", "stock.eaten.v1"),
    "a bad condition": ({"where": "type = 'x'"}, "bi.yaml: where", "column 6"),
    "a literal secret": ({"secret": SECRET}, "bi.yaml", "written out"),
    "a secret that cannot sign": ({"secret": "${file:hub.yaml}"}, "bi.yaml: secret", "whsec_"),
    "another name": ({"name": "analytics"}, "bi.yaml", "name the file after it"),
    "an unknown key": ({"batch": 5}, "bi.yaml", "batch"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_lint_names_what_is_wrong(landscape: Path, case: str) -> None:
    """File, key and reason of each mistake, before a hub runs on it; the secret is never repeated."""
    change, place, told = WRONG[case]
    file = landscape / "subscriptions" / "bi.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | change))
    [finding] = lint(landscape)["findings"]

    assert place in finding["place"]
    assert told in finding["problem"]
    assert SECRET not in json.dumps(finding)
