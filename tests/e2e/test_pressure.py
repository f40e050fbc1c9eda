"""Back-pressure: a hub that cannot keep up says so, and when to come again, before anything breaks."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from crossdock.client import read_status
from e2e.documents import canonical, next_number
from e2e.running import Answer, Api, RunningHub, eventually, rows

LAG_MAX = 50


@pytest.fixture(scope="module")
def narrow_hub(start_hub: Callable[..., RunningHub]) -> RunningHub:
    """A hub that takes 100 requests per second of a partner, and sheds at a lag of 50 events."""
    return start_hub("narrow", settings={"partner_requests_per_second": 100, "lag_events_max": LAG_MAX})


@pytest.fixture
async def narrow(narrow_hub: RunningHub) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(narrow_hub, session)


def event() -> dict[str, object]:
    item = f"TEST-{next_number()}"
    change = {"value": "1", "unit": "EA"}
    return canonical(
        "stock.adjusted.v1", f"stock/SITE1/{item}", place={"item": item, "location": "SITE1"}, change=change
    )


async def test_a_partner_that_floods_is_asked_to_wait(narrow: Api) -> None:
    """429 with Retry-After, for this partner only."""
    answers: list[Answer] = []
    while len(answers) < 2000 and all(a.status != 429 for a in answers):
        answers += await asyncio.gather(
            *(narrow.call("POST", "/v1/in/ups-1/track-alert", b"{}", anonymous=True) for _ in range(200))
        )

    refused = [a for a in answers if a.status == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) > 0
    assert refused[0].problem["retryable"] is True
    assert {a.status for a in answers} == {401, 429}
    assert (await narrow.post("/v1/events", event())).status == 202


async def test_a_hub_that_lags_sheds_and_recovers(narrow: Api) -> None:
    """503 with Retry-After while no worker works, not ready for a balancer; taken again once the lag is gone, nothing lost."""
    status = read_status(narrow.hub.directory)
    assert status is not None
    worker = status["pids"]["worker-0"]  # type: ignore[index]
    kept: list[dict[str, object]] = []

    async def refused() -> Answer | None:
        batch = [event() for _ in range(20)]
        answer = await narrow.post("/v1/events/batch", batch)
        if answer.status == 200:
            kept.extend(batch)
            assert len(kept) < 2000, "it never sheds"
            return None
        return answer

    os.kill(worker, signal.SIGSTOP)
    try:
        answer = await eventually(refused, what="intake sheds")
        ready = await narrow.call("GET", "/health/ready")
    finally:
        os.kill(worker, signal.SIGCONT)

    assert answer.status == 503
    assert answer.problem["code"] == "shedding"
    assert int(answer.headers["retry-after"]) > 0
    assert ready.status == 503
    assert "events wait" in " ".join(ready.json()["reasons"])

    async def taken() -> bool:
        return (await narrow.post("/v1/events", event())).status == 202

    async def told() -> bool:
        answer = await narrow.call("GET", f"/v1/threads/story/{kept[-1]['subject']}")
        return answer.status == 200

    await eventually(taken, what="events are taken again")
    await eventually(told, what="the last event that was taken is processed")


async def test_ids_that_were_given_up_are_no_lag(narrow: Api) -> None:
    """Failed transactions leave gaps in the log's ids: they must not look like work that waits, now or for ever."""
    await rows(narrow.hub, f"select count(nextval('event_id_seq')) from generate_series(1, {LAG_MAX * 4})")

    await asyncio.sleep(2.5)  # intake looks at the lag every second

    assert (await narrow.post("/v1/events", event())).status == 202
    assert (await narrow.call("GET", "/health/ready")).status == 200
