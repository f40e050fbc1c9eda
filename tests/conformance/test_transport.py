"""What every client relies on: a request goes out once, and a lost answer is told as lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from crossdock.connect.transport import ANSWER_BYTES_MAX, NoAnswer, Transport


@pytest.fixture
async def seen() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers the first request and hangs up on all later ones, and what reached it."""
    methods: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        methods.append(request.method)
        if len(methods) > 1 and request.transport is not None:
            request.transport.abort()
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", methods
    await runner.cleanup()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_goes_out_once(seen: tuple[str, list[str]], method: str) -> None:
    """Also on a connection that was used before, where HTTP libraries like to try again by themselves."""
    url, methods = seen
    transport = Transport()
    try:
        await transport.request("GET", url)
        with pytest.raises(NoAnswer):
            await transport.request(method, url, body=b"{}")
    finally:
        await transport.close()

    assert methods == ["GET", method]


@pytest.fixture
async def talker() -> AsyncIterator[str]:
    """A server whose answer is as long as the query asks, and comes in pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.query["pieces"])):
            await response.write(b"x" * 1024)
            await asyncio.sleep(0)
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_an_answer_in_pieces_is_read_whole(talker: str) -> None:
    """Up to the bound; beyond it nobody knows what was said."""
    transport = Transport()
    try:
        answer = await transport.request("GET", f"{talker}?pieces=300")
        assert answer.body == b"x" * 300 * 1024
        with pytest.raises(NoAnswer, match="longer than"):
            await transport.request("GET", f"{talker}?pieces={ANSWER_BYTES_MAX // 1024 + 1}")
    finally:
        await transport.close()
