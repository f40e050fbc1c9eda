"""Corrections and replays as their users meet them: in a real browser, and as plain forms without a script."""

import html
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from e2e.browser import Page, needs_browser
from e2e.documents import encoded, shop_order
from e2e.running import Api, RunningHub, eventually
from e2e.trading import Trade


async def broken(api: Api) -> tuple[str, str]:
    """A message of the shop whose second price is no number; its id, and the order's thread."""
    order = shop_order()
    order["line_items"][1]["price"] = "tba"
    answer = await api.deliver("shopify-eu", "webhooks", encoded(order), "orders/create")
    [thread] = answer.json()["threads"]
    await eventually(lambda: api.phase(thread), what="the message has a story")
    return thread.partition("/")[2], f"order/shopify-eu/{order['id']}"


async def click(page: Page, what: str) -> None:
    """Click it and wait for the page that follows."""
    await page.js("document.body.dataset.old = '1'")
    await page.js(f"document.querySelector({json.dumps(what)}).click()")
    await page.until("!document.body.dataset.old && document.readyState === 'complete'", f"{what} led on")


async def change(page: Page, before: str, after: str) -> None:
    field = "document.getElementById('content')"
    await page.js(f"{field}.value = {field}.value.replace({json.dumps(before)}, {json.dumps(after)})")


@needs_browser
@pytest.mark.page
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1920, True)])
async def test_from_the_case_to_the_correction(trading: Trade, page: Page, width: int, dark: bool) -> None:
    """The story leads to the form; a wrong edit is told with its field, a right one with what it gives, then it counts."""
    api = trading.api
    message, order = await broken(api)
    await page.look(width, dark=dark)
    await page.open(f"{api.hub.url}/o/message/{message}")
    await click(page, f'a[href="/correct/message/{message}"]')
    assert "/line_items/1/price" in await page.text(".sentence")

    await change(page, '"tba"', '"nix"')
    await click(page, "button[value=try]")
    assert "Still wrong at /line_items/1/price" in await page.text(".sentence")
    await change(page, '"nix"', '"9.50"')
    await click(page, "button[value=try]")
    assert "/line_items/1/price" in await page.text("main table")
    assert order in await page.text("main")
    await page.js("document.getElementById('reason').value = 'the price list'")
    await click(page, "button[value=correct]")

    assert "It counts since" in await page.text(".sentence")
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    await eventually(lambda: api.phase(order), what="the order is there")
    await page.open(f"{api.hub.url}/corrections")
    assert "the price list" in await page.text("main")


@needs_browser
@pytest.mark.page
async def test_a_replay_is_previewed_run_and_reported(trading: Trade, page: Page) -> None:
    """Preview first, then the run, which reloads itself until it is done; each line says why."""
    reference = await trading.order(("WID-1", 1))
    await trading.until(reference, "completed")
    await page.look(1280)
    await page.open(f"{trading.api.hub.url}/replays?thread=order/{reference}")

    await click(page, "button[value=preview]")
    preview = await page.text("main")
    await page.js("document.querySelector('[name=reason]').value = 'to be sure'")
    await click(page, "button[value=run]")
    await page.until("document.querySelector('.sentence')?.innerText.includes('Done:')", "it is done")

    assert "Nothing was done yet" in preview
    assert "was done, document" in preview
    assert "the order is completed: the world moved on" in await page.text(".items")
    assert await page.js("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


@pytest.fixture
async def person(hub: RunningHub) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who is logged in, and sends forms as a browser without a script does."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(hub.url, cookie_jar=jar, headers={"Origin": hub.url}) as session:
        await session.post("/login", data={"token": hub.token, "after": "/"}, allow_redirects=False)
        yield session


async def csrf(person: aiohttp.ClientSession, path: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', await (await person.get(path)).text())
    assert found
    return found[1]


async def test_personal_data_is_shown_for_a_reason_and_kept_otherwise(
    api: Api, person: aiohttp.ClientSession
) -> None:
    """The form hides the street; it is shown for a reason that is recorded, and what was not edited stays."""
    message, order = await broken(api)
    path = f"/correct/message/{message}"
    token = await csrf(person, path)
    street = shop_order()["shipping_address"]["address1"]

    hidden = await (await person.get(path)).text()
    bare = await (await person.post(path, data={"csrf": token, "do": "reveal"})).text()
    shown = await (await person.post(path, data={"csrf": token, "do": "reveal", "reason": "a call"})).text()

    assert street not in hidden
    assert street not in bare
    assert street in shown
    body = json.loads((await api.get(f"/v1/messages/{message}"))["body"])
    body["line_items"][1]["price"] = "9.50"
    form = {"csrf": token, "do": "correct", "reason": "the price list", "content": json.dumps(body, indent=2)}
    done = await person.post(path, data=form, allow_redirects=False)
    assert (done.status, done.headers["Location"].startswith("/corrections/")) == (303, True)
    await eventually(lambda: api.phase(order), what="the order is there")


async def test_a_replay_is_stopped_and_goes_on(api: Api, person: aiohttp.ClientSession) -> None:
    """The page of a run that was stopped does not reload; gone on with, it does."""
    for _ in range(3):
        await broken(api)
    asked = {"where": 'type == "message.notTranslated.v1"', "reason": "a test", "per_second": 0.5}
    number = (await api.post("/v1/replays", asked)).json()["id"]
    path = f"/replays/{number}"
    token = await csrf(person, path + "?stop=1")

    await person.post(path, data={"csrf": token, "do": "stop", "reason": "to look first"})
    stopped = await person.get(path)
    version = (await api.get(f"/v1/replays/{number}"))["version"]
    await person.post(path, data={"csrf": token, "do": "resume", "version": str(version), "reason": "fine"})
    running = await person.get(path)

    assert "Refresh" not in stopped.headers
    assert "Stopped" in await stopped.text()
    assert running.headers["Refresh"] == "2"
    await person.post(path, data={"csrf": token, "do": "stop", "reason": "enough"})


async def test_nobody_acts_without_the_form_of_the_session(api: Api, person: aiohttp.ClientSession) -> None:
    """A foreign form corrects, replays and withdraws nothing."""
    message, _ = await broken(api)
    for path, form in (
        (f"/correct/message/{message}", {"do": "correct", "reason": "x", "content": "{}"}),
        ("/replays", {"do": "run", "reason": "x", "where": "true"}),
        ("/corrections/rules/1", {"reason": "x", "version": "1"}),
    ):
        answer = await person.post(path, data=form | {"csrf": "guess"}, allow_redirects=False)
        assert answer.status == 403


async def test_an_event_is_corrected_on_its_page(api: Api, person: aiohttp.ClientSession) -> None:
    """The lineage leads to the event's data; a second person is asked for, and the proposer is told so."""
    order = shop_order()
    [thread] = (await api.deliver("shopify-eu", "webhooks", encoded(order), "orders/create")).json()[
        "threads"
    ]
    await eventually(lambda: api.phase(thread), what="the order is there")
    story = await api.get(f"/v1/threads/story/{thread}")
    ref = next(x["lineage"]["event"] for x in story["timeline"][::-1] if x["lineage"]["message"])
    path = f"/correct/event/{ref}"
    assert path in await (await person.get(f"/lineage/{ref}")).text()
    token = await csrf(person, path)
    found = re.search(r"<textarea[^>]*>\n(.*)</textarea>", await (await person.get(path)).text(), re.DOTALL)
    assert found
    data = json.loads(html.unescape(found[1]))
    data["lines"][0]["ordered"]["value"] = "9"

    form = {"csrf": token, "content": json.dumps(data), "reason": "nine"}
    tried = await (await person.post(path, data=form | {"do": "try"})).text()
    done = await (await person.post(path, data=form | {"do": "correct"})).text()

    assert "/lines/0/ordered/value" in tried
    assert "A second person must then approve it" in tried
    assert "waits for a second person" in done
    assert "another person approves it" in done
