"""A mail server among those that tell the customer: nothing but a landscape file is needed for it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossdock.demo import trade
from crossdock.demo.day import free_block
from e2e.running import RunningHub, eventually, rows, stop
from e2e.trading import Trade, trading_twins

NAME = "mail"


def add_mail(directory: Path) -> None:
    """`systems/mail.yaml`, and one more to notify in `hub.yaml`."""
    system = {
        "name": NAME, "connector": "email", "base_url": f"smtp://127.0.0.1:{free_block(1)}",
        "settings": {"sender": "orders@shop.example.com", "starttls": "no"},
    }  # fmt: skip
    (directory / "systems" / f"{NAME}.yaml").write_text(yaml.safe_dump(system))
    hub = yaml.safe_load((directory / "hub.yaml").read_text())
    hub["roles"]["notify"].append(NAME)
    (directory / "hub.yaml").write_text(yaml.safe_dump(hub))


@pytest.fixture
async def mailing(start_hub: Callable[..., RunningHub]) -> AsyncIterator[Trade]:
    hub = start_hub("mail", settings={"business_clock_rate": 20.0}, edit=add_mail)
    try:
        async with trading_twins(hub) as trading:
            yield trading
    finally:
        stop(hub)


async def test_customers_get_mail_once_at_most(mailing: Trade) -> None:
    """Approved and shipped are told; where the answer is lost the mail is not sent again, and a person is asked."""
    sku = next(iter(trade.products()))
    reference = await mailing.order((sku, 1))
    await mailing.until(reference, "completed")

    async def told() -> set[str]:
        sent = {row["reference"].partition("|")[0] for row in await mailing.journal(NAME, "customer.notify")}
        return sent if sent >= {"approved", "shipped"} else set()

    await eventually(told, what="the customer was told twice")
    messages = await mailing.twin(NAME, "/messages")
    assert all("@" in message["envelope"][1] for message in messages)

    await mailing.twin(NAME, "/quirks", {"answer_lost": 1.0}, "PUT")
    lost = await mailing.order((sku, 1))
    await mailing.until(lost, "completed")

    async def asked() -> bool:
        unclear = await rows(mailing.api.hub, "select 1 from effect where account = $1 and state = 6", NAME)
        cases = await mailing.api.get("/v1/cases")
        return bool(unclear) and bool(cases["cases"])

    await eventually(asked, what="a person is asked")
    sent = [row["reference"] for row in await mailing.journal(NAME, "customer.notify")]
    assert len(sent) == len(set(sent)) >= 3


async def test_a_refused_mail_blocks_no_milestone(mailing: Trade) -> None:
    """Nobody waits for it: the case is there, and the order goes on waiting for what it waits for."""
    sku = next(iter(trade.products()))
    await mailing.twin(NAME, "/quirks", {"answer_lost": 0.0, "unknown_mailbox": 1.0}, "PUT")
    await mailing.api.post("/v1/holds", {"scope": "system", "name": "wms-1", "reason": "stocktaking"})
    thread = f"order/{await mailing.order((sku, 1))}"

    async def refused() -> dict[str, Any] | None:
        answer = await mailing.api.get(f"/v1/threads/story/{thread}")
        return answer if any("refused customer notify" in x["title"] for x in answer["cases"]) else None

    story = await eventually(refused, what="the refused mail is a case of the order")
    assert [x["standing"] for x in story["milestones"] if x["standing"]] == ["waiting"]
