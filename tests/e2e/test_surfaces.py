"""What is served beside the API proper: health, metrics, the API's own description, and the headers of pages."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crossdock.model.registry import TYPE_PREFIX
from e2e.documents import canonical, next_number
from e2e.running import Api, eventually

CSP = (
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
)  # fmt: skip
PAGES = ["/login", "/", "/cases", "/corrections", "/replays", "/find?q=nothing", "/o/order/shopify-eu/0"]


@pytest.mark.parametrize(("path", "status"), [("live", "live"), ("startup", "started"), ("ready", "ready")])
async def test_health_is_told_without_a_token(api: Api, path: str, status: str) -> None:
    """A supervisor asks, and gets 200 of a hub that is well."""
    answer = await api.call("GET", f"/health/{path}", anonymous=True)

    assert answer.status == 200
    assert answer.json()["status"] == status


async def test_metrics_are_prometheus_text(api: Api) -> None:
    """It parses, and counts what happens."""

    async def value(name: str) -> float:
        answer = await api.call("GET", "/metrics")
        assert answer.status == 200
        found = {
            s.name: s.value for f in text_string_to_metric_families(answer.body.decode()) for s in f.samples
        }
        return found[name]

    before = await value("crossdock_events_processed_total")
    item = f"TEST-{next_number()}"
    place, change = {"item": item, "location": "SITE1"}, {"value": "5", "unit": "EA"}
    await api.post(
        "/v1/events", canonical("stock.adjusted.v1", f"stock/SITE1/{item}", place=place, change=change)
    )

    async def counted() -> bool:
        return await value("crossdock_events_processed_total") > before

    await eventually(counted, what="the event is counted as processed")
    assert await value("crossdock_threads_parked") == 0


async def test_the_api_describes_itself(api: Api) -> None:
    """OpenAPI 3.1, with every route that a partner or operator may call, and a summary each."""
    answer = await api.call("GET", "/v1/openapi/openapi.json", anonymous=True)

    assert answer.status == 200
    found = json.loads(answer.body)
    assert found["openapi"].startswith("3.1")
    named = {f"{method.upper()} {path}" for path, methods in found["paths"].items() for method in methods}
    assert {
        "POST /v1/in/{system}/{channel}", "POST /v1/events", "POST /v1/events/batch", "POST /v1/orders", "GET /v1/cases",
        "POST /v1/cases/{number}/retry", "GET /v1/threads", "GET /v1/threads/counts", "GET /v1/threads/story/{thread}",
        "POST /v1/threads/resume/{thread}", "GET /v1/lineage/{ref}", "GET /v1/find", "GET /health/live", "GET /health/ready",
        "GET /health/startup", "GET /metrics",
    } <= named  # fmt: skip
    assert [p for p, ms in found["paths"].items() for m in ms.values() if not m.get("summary")] == []


async def test_the_description_is_at_the_promised_address(api: Api) -> None:
    """`/v1/openapi` itself answers."""
    answer = await api.call("GET", "/v1/openapi", anonymous=True)

    assert answer.status == 200
    assert answer.json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_wears_the_headers(api: Api, path: str) -> None:
    """No foreign script or frame, no sniffing, no referrer, no copy in a cache: logged in or not."""
    cookie = await _login(api)
    for headers in ({}, {"Cookie": cookie}):
        answer = await api.call("GET", path, headers=headers, anonymous=True)
        sent = answer.headers
        directives = [d.strip() for d in sent["content-security-policy"].split(";")]

        assert set(CSP) <= set(directives)
        assert "unsafe-" not in sent["content-security-policy"]
        assert sent["x-content-type-options"] == "nosniff"
        assert sent["referrer-policy"] == "no-referrer"
        assert sent["cross-origin-opener-policy"] == "same-origin"
        assert sent["cache-control"] == "no-store"


def form(api: Api) -> dict[str, str]:
    """A login form's headers, from an address of its own: tries are counted by address."""
    return {
        "Origin": api.hub.url, "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": f"203.0.113.{next_number() % 250 + 1}",
    }  # fmt: skip


async def _login(api: Api) -> str:
    origin = form(api)
    answer = await api.call(
        "POST", "/login", f"token={api.hub.token}".encode(), headers=origin, anonymous=True
    )
    return answer.headers["set-cookie"].partition(";")[0]


async def test_the_console_is_closed_without_a_session(api: Api) -> None:
    """A page answers with the way to the login, not with data."""
    answer = await api.call("GET", "/cases", anonymous=True)

    assert answer.status in (302, 303)
    assert answer.headers["location"].startswith("/login")


async def test_a_wrong_token_opens_nothing(api: Api) -> None:
    """403 and no cookie."""
    answer = await api.call("POST", "/login", b"token=xdk_wrong", headers=form(api), anonymous=True)

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


async def test_a_foreign_page_cannot_log_in(api: Api) -> None:
    """A form of another origin is refused."""
    origin = form(api) | {"Origin": "https://elsewhere.example"}

    answer = await api.call(
        "POST", "/login", f"token={api.hub.token}".encode(), headers=origin, anonymous=True
    )

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


async def test_what_a_partner_writes_is_text_on_the_page(api: Api) -> None:
    """Markup in a partner's field reaches the page escaped."""
    reference = f"shopify-eu/{next_number()}"
    event = canonical(
        "order.received.v1", f"order/{reference}", reference=reference, number="<script>alert(1)</script>"
    )
    assert event["type"].startswith(TYPE_PREFIX)
    await api.post("/v1/events", event)
    cookie = {"Cookie": await _login(api)}

    async def page() -> str:
        answer = await api.call("GET", f"/o/order/{reference}", headers=cookie, anonymous=True)
        return answer.body.decode() if answer.status == 200 else ""

    text = await eventually(page, what="the story page exists")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
