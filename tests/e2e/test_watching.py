"""Who watches a case is told what others and the hub do with it: by mail once, and on the console."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from crossdock.demo.twins import Twins
from e2e.browser import Page, needs_browser
from e2e.running import Api, RunningHub, eventually, rows
from e2e.test_cases import act, message_case
from e2e.test_mail import NAME, add_mail
from e2e.trading import Trade

WAIT_SECONDS = 2
CONSOLE = "https://hub.example.com/"


def add_watchers(directory: Path) -> None:
    """A mail server that nobody else uses, and two people with an address."""
    add_mail(directory)
    hub = yaml.safe_load((directory / "hub.yaml").read_text())
    hub["roles"]["notify"].remove(NAME)
    hub.setdefault("policy", {})["telling"] = {
        "system": NAME, "wait_seconds": WAIT_SECONDS, "console": CONSOLE,
        "people": {"ann": "ann@example.com", "finance": "finance@example.com"},
    }  # fmt: skip
    hub["policy"]["causes"] = {"message content": {"hours": 1}}
    (directory / "hub.yaml").write_text(yaml.safe_dump(hub))


@pytest.fixture(scope="module")
def telling_hub(start_hub: Callable[..., RunningHub]) -> RunningHub:
    return start_hub("telling", edit=add_watchers)


@pytest.fixture
async def mailing(telling_hub: RunningHub) -> AsyncIterator[Trade]:
    """Only the mail server has a twin: cases here are about messages nobody can read."""
    twins = Twins(telling_hub.configured, telling_hub.url, seed=1, pace_seconds=0.05)
    mail = twins.processes[NAME]
    mail.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            made = Trade(Api(telling_hub, session), twins)
            await eventually(lambda: _up(made), what="the mail server is up")
            yield made
    finally:
        mail.stop()


async def _up(trade: Trade) -> bool:
    try:
        await trade.twin(NAME, "/health")
    except aiohttp.ClientError:
        return False
    return True


async def mails(trade: Trade, number: int) -> list[dict[str, Any]]:
    """What the mail server took about this case."""
    found = await trade.twin(NAME, "/messages")
    return [x for x in found if x["reference"].startswith(f"case|C-{number}|")]


async def until_mails(trade: Trade, number: int, count: int) -> list[dict[str, Any]]:
    async def look() -> bool:
        return len(await mails(trade, number)) >= count

    await eventually(look, what=f"{count} mails about C-{number}")
    await asyncio.sleep(WAIT_SECONDS + 2.0)  # whatever else is on its way
    return await mails(trade, number)


async def test_changes_within_the_wait_are_one_mail(mailing: Trade) -> None:
    """Commented and given away: one mail to each who watches, with number, title and link, and no word that people wrote."""
    number = (await message_case(mailing.api))["id"]
    assert (await act(mailing.api, number, "watch", {"who": "ann"})).status == 200
    watched = (await act(mailing.api, number, "watch", {"who": "bob@example.com"})).json()
    assert (watched["told_by"], watched["told"]) == (NAME, ["ann", "bob@example.com"])

    await act(mailing.api, number, "comment", {"text": "Mara Beispiel rang"})
    await act(mailing.api, number, "assign", {"assignee": "cleo", "reason": "knows Mara"})

    found = await until_mails(mailing, number, 2)
    assert sorted(x["to"] for x in found) == ["ann@example.com", "bob@example.com"]
    for mail in found:
        assert "wrote a comment" in mail["text"]
        assert "gave it to somebody" in mail["text"]
        assert f"{CONSOLE}cases/C-{number}" in mail["text"]
        assert mail["subject"].startswith(f"C-{number}: ")
        assert "Mara" not in mail["text"] + mail["subject"]
    assert len({x["id"] for x in found}) == 2


async def test_nobody_hears_of_what_they_did(mailing: Trade) -> None:
    """The operator watches and comments: nothing is sent; a case that nobody watches tells nobody either."""
    number, other = [(await message_case(mailing.api))["id"] for _ in range(2)]
    for change in ({"who": "ann"}, {"on": False, "who": "ann"}):
        await act(mailing.api, number, "watch", change)
    await act(mailing.api, number, "watch", {})
    await act(mailing.api, number, "comment", {"text": "mine"})
    await act(mailing.api, other, "watch", {"who": "ann"})
    await act(mailing.api, other, "comment", {"text": "hers"})

    await until_mails(mailing, other, 1)
    assert await mails(mailing, number) == []


async def test_a_case_that_is_late_or_closed_is_told(mailing: Trade) -> None:
    """Its time is up: told once. It is closed: told once more."""
    number = (await message_case(mailing.api))["id"]
    await act(mailing.api, number, "watch", {"who": "ann"})
    await rows(
        mailing.api.hub, "update cases set due_at = clock_timestamp() - interval '1 s' where id = $1", number
    )

    [late] = await until_mails(mailing, number, 1)
    assert "should have been settled" in late["text"]
    await act(mailing.api, number, "resolve", {"reason": "a test of theirs"})
    [_, closed] = await until_mails(mailing, number, 2)
    assert "closed it" in closed["text"]
    assert "It is closed." in closed["text"]


async def test_what_cannot_be_told_tells_nobody(mailing: Trade) -> None:
    """The mailbox is gone: one case says so, whoever owns it hears nothing by mail, and it closes when the mail goes out."""
    number = (await message_case(mailing.api))["id"]
    await act(mailing.api, number, "watch", {"who": "ann"})
    await mailing.twin(NAME, "/quirks", {"mailbox_full": 1.0}, "PUT")
    await act(mailing.api, number, "comment", {"text": "x"})

    async def refused() -> dict[str, Any] | None:
        found = (await mailing.api.get("/v1/cases"))["cases"]
        return next((x for x in found if "case tell" in x["title"]), None)

    case = await eventually(refused, what="a case says that nobody could be told")
    await act(mailing.api, case["id"], "watch", {"who": "ann"})
    await act(mailing.api, case["id"], "comment", {"text": "looking"})
    await mailing.twin(NAME, "/quirks", {"mailbox_full": 0.0}, "PUT")
    assert (await mailing.api.post(f"/v1/cases/{case['id']}/retry", {"reason": "tidied"})).status == 202

    assert len(await until_mails(mailing, number, 1)) == 1

    async def closed() -> bool:
        return bool((await mailing.api.get(f"/v1/cases/{case['id']}"))["state"] == "closed")

    await eventually(closed, what="the case about the mail closes by itself")
    await asyncio.sleep(WAIT_SECONDS + 2.0)
    assert await mails(mailing, case["id"]) == []


async def test_watching_without_mail(api: Api) -> None:
    """Without a mail server the changes stand on the console, new until they were read; a name nobody knows is refused."""
    number = (await message_case(api))["id"]
    said = api.hub.crossdock("cases", "watch", f"C-{number}")
    assert said.returncode == 0
    assert "nobody by mail" in said.stderr
    assert (await act(api, number, "watch", {"who": "nobody-at-all"})).status == 400
    await rows(
        api.hub,
        "insert into case_note (case_id, who, action, note) values ($1, 'bob', 'comment', 'asked them')",
        number,
    )

    [change] = [x for x in (await api.get("/v1/cases/watched"))["changes"] if x["number"] == number]
    assert (change["who"], change["note"], change["fresh"]) == ("bob", "asked them", True)
    shown = json.loads(api.hub.crossdock("cases", "watched", "--seen", "--json").stdout)["changes"]
    assert number in [x["number"] for x in shown]

    assert api.hub.crossdock("cases", "watched", "--json").stdout == '{"changes": []}\n'
    assert f"C-{number}" in api.hub.crossdock("cases", "watched", "--all").stdout


@needs_browser
@pytest.mark.page
async def test_what_is_new_stands_on_a_page_until_it_was_read(trading: Trade, page: Page) -> None:
    """Marked as new, in words; the button says that it was read, and nothing else does."""
    number = (await message_case(trading.api))["id"]
    await act(trading.api, number, "watch", {})
    await rows(
        trading.api.hub, "insert into case_note (case_id, who, action, note) values ($1, 'bob', 'comment', 'asked them')", number
    )  # fmt: skip

    for _ in range(2):
        await page.open(f"{trading.api.hub.url}/cases/watched")
        assert "since your last visit" in await page.text(".sentence")
        assert "bob wrote: asked them" in await page.text("main table")
    await page.js("document.querySelector('main form').submit()")
    await page.until("document.querySelector('.sentence').innerText.includes('Nothing new')", "it was read")

    await page.open(f"{trading.api.hub.url}/cases/C-{number}")
    assert "bob wrote: asked them" in await page.text("main")
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
