"""A real browser for page tests: headless Chromium over the DevTools protocol. Tests without one are skipped."""

import asyncio
import base64
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
START_SECONDS = 30.0
WAIT_SECONDS = 20.0


class Refused(AssertionError):
    """What the browser answered instead of doing it."""


@dataclass
class Page:
    """One tab."""

    browser: "Browser"
    session: str

    async def call(self, method: str, **parameters: Any) -> Any:
        return await self.browser.call(method, self.session, **parameters)

    async def look(self, width: int = 1280, *, dark: bool = False) -> None:
        """Set the window's width and the theme that the person prefers."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until(
            "document.readyState === 'complete' && location.href !== 'about:blank'", f"{url} is loaded"
        )

    async def js(self, expression: str) -> Any:
        """The value of an expression; fails where it throws."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def text(self, selector: str) -> str:
        return str(await self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    async def press(self, key: str) -> None:
        typed = (
            {"text": "\r", "windowsVirtualKeyCode": 13}
            if key == "Enter"
            else {"text": key}
            if len(key) == 1
            else {}
        )
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **typed)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def until(self, expression: str, what: str) -> Any:
        end = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            try:
                found = await self.call(
                    "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
                )
            except Refused as error:
                if "navigated" not in str(error):
                    raise
            else:
                if value := found["result"].get("value"):
                    return value
            assert asyncio.get_running_loop().time() < end, f"still not so: {what}"
            await asyncio.sleep(0.1)

    async def picture(self, path: Path) -> None:
        found = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


@dataclass
class Browser:
    """A browser process; what its pages complained of is in `complaints`."""

    profile: Path
    complaints: list[str] = field(default_factory=list)
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _number: int = 0

    async def __aenter__(self) -> Self:
        assert CHROMIUM is not None
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._process = await asyncio.create_subprocess_exec(
            CHROMIUM, "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", *sandbox,
            "--remote-debugging-port=0", f"--user-data-dir={self.profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(
            await asyncio.wait_for(self._address(), START_SECONDS), max_msg_size=0
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def _address(self) -> str:
        assert self._process.stderr is not None
        while line := (await self._process.stderr.readline()).decode(errors="replace"):
            if "DevTools listening on" in line:
                return line.split()[-1]
        raise AssertionError("the browser ended before it listened")

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await self._socket.close()
        await self._http.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _read(self) -> None:
        async for message in self._socket:
            found = json.loads(message.data)
            if "id" in found:
                self._waiting.pop(found["id"]).set_result(found)
            elif found["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(found["params"]["exceptionDetails"]))
            elif found["method"] == "Log.entryAdded" and found["params"]["entry"]["level"] in (
                "error",
                "warning",
            ):
                self.complaints.append(str(found["params"]["entry"]))

    async def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        self._number += 1
        answer = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        sent = {"id": self._number, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        await self._socket.send_str(json.dumps(sent))
        found = await asyncio.wait_for(answer, WAIT_SECONDS)
        if "error" in found:
            raise Refused(method, found["error"])
        return found["result"]

    async def tab(self) -> Page:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await page.call(f"{domain}.enable")
        return page
