"""The kit's rules, and the client against its twin over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from crossdock.connect.conformance import judge_folder
from crossdock.connect.contract import Account, Call, Done, Inbound, RetryLater, Unknown
from crossdock.connect.discovery import Found
from crossdock.connect.fixtures import account_of
from crossdock.connect.manifest import load_manifest
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.errors import Misconfigured
from crossdock.model.party import People
from crossdock.model.requests import RecordMilestone
from crossdock.model.shipment import MilestoneRecorded

from .client import SystemClient
from .connector import CONNECTOR
from .twin import build

HERE = Path(__file__).parent
MANIFEST = load_manifest(HERE / "manifest.toml")
ACCOUNT = account_of(Found("", HERE, MANIFEST))
MILESTONE = RecordMilestone("S-77", "shop-1/5001", "8000", "delivered", "ACT", "1Z1", "ups")


def test_the_connector_conforms() -> None:
    """No rule of the kit is broken; `crossdock connector check` says what is left to do."""
    assert __package__
    broken = [ruling for ruling in judge_folder(__package__, HERE) if ruling.result == "failed"]
    assert broken == []


@dataclass(frozen=True)
class Stage:
    """A twin, a client of it, and what reached the hub."""

    url: str
    account: Account
    client: SystemClient
    http: aiohttp.ClientSession
    messages: list[Inbound]

    async def quirk(self, **rates: float) -> None:
        async with self.http.put(f"{self.url}/_twin/quirks", json=rates) as answer:
            assert answer.status == 200

    async def journal(self) -> list[Any]:
        async with self.http.get(f"{self.url}/_twin/journal") as answer:
            return [(row["effect"], row["reference"]) for row in await answer.json()]


def call(effect: str = "e-1") -> Call:
    assert CONNECTOR.render
    body = CONNECTOR.render("milestone.record", MILESTONE, People(), ACCOUNT)
    return Call(effect=effect, attempt=1, kind="milestone.record", body=body, timeout_seconds=5)


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    messages: list[Inbound] = []

    async def hub(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        channel, body = request.match_info["channel"], await request.read()
        messages.append(Inbound(channel=channel, headers=headers, body=body, received_at=datetime.now(UTC)))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post(f"/v1/in/{ACCOUNT.name}/{{channel}}", hub)
    hub_runner, hub_url = await serve(app)
    twin = Twin(
        TwinSetup(
            name=MANIFEST.name,
            system=ACCOUNT.name,
            hub_url=hub_url,
            books=tmp_path / "books.db",
            secrets=ACCOUNT.secrets,
        ),
        MANIFEST.quirks,
    )
    build(twin)
    twin_runner, url = await serve(twin.app)
    transport, account = Transport(), replace(ACCOUNT, base_url=url)
    async with aiohttp.ClientSession() as http:
        yield Stage(url, account, SystemClient(account, transport), http, messages)
    await transport.close()
    await twin_runner.cleanup()
    await hub_runner.cleanup()


async def test_an_effect_sent_twice_is_done_once(stage: Stage) -> None:
    """The partner tells repetitions apart by our effect id."""
    first = await stage.client.send(call())
    assert first == Done(document="M-1", receipt=MilestoneRecorded("delivered", "M-1"))
    assert await stage.client.send(call()) == first
    assert await stage.journal() == [("milestone.record", "S-77|shop-1/5001|delivered")]


async def test_a_lost_answer_is_unknown(stage: Stage) -> None:
    """It was booked, which we cannot know; sending it again books nothing more."""
    await stage.quirk(answer_lost=1)
    assert isinstance(await stage.client.send(call()), Unknown)
    await stage.quirk(answer_lost=0)
    assert isinstance(await stage.client.send(call()), Done)
    assert len(await stage.journal()) == 1


async def test_a_partner_that_is_down_is_tried_later(stage: Stage) -> None:
    """Certainly nothing was done, and its wish is honoured."""
    await stage.quirk(unavailable=1)
    told = await stage.client.send(call())
    assert told == RetryLater(reason="503 from the partner", after_seconds=1.0, throttled=True)
    assert await stage.journal() == []


async def test_the_check_tries_address_and_secret(stage: Stage) -> None:
    """A wrong one is told with the account's name."""
    assert "knows us" in await stage.client.check()
    stranger = replace(stage.account, secrets={"secret": "another"})
    transport = Transport()
    with pytest.raises(Misconfigured, match=f"account {ACCOUNT.name}.* 401"):
        await SystemClient(stranger, transport).check()
    await transport.close()


async def test_what_the_partner_sends_comes_in(stage: Stage) -> None:
    """Signed, and in the hub's words."""
    wish = {"order": "shop-1/5001", "reason": "customer"}
    async with stage.http.post(f"{stage.url}/_twin/orders/stop", json=wish) as answer:
        message_id = (await answer.json())["id"]
    async with asyncio.timeout(3):
        while not stage.messages:
            await asyncio.sleep(0.01)
    assert CONNECTOR.authenticate
    assert CONNECTOR.translate
    CONNECTOR.authenticate(stage.messages[0], ACCOUNT)
    translation = CONNECTOR.translate(stage.messages[0], ACCOUNT)
    assert translation.source_id == message_id
    assert [event.thread for event in translation.events] == ["order/shop-1/5001"]
