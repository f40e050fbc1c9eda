"""The audit chain as people and programs meet it: over HTTP, on the command line, and in doctor."""

import json

from e2e.documents import canonical, encoded, next_number, shop_order
from e2e.running import Api, RunningHub, eventually


async def test_the_chain_grows_and_is_told_alike(api: Api) -> None:
    """What is appended is sealed by itself; `audit show` says what `GET /v1/audit` says, and `audit verify` finds nothing wrong."""
    hub: RunningHub = api.hub
    before = (await api.get("/v1/audit"))["head"]
    item = f"AUDIT-{next_number()}"
    await api.post(
        "/v1/events",
        canonical(
            "stock.adjusted.v1", f"stock/SITE1/{item}", place={"item": item, "location": "SITE1"}, change={"value": "5", "unit": "EA"}
        ),
    )  # fmt: skip

    async def sealed() -> bool:
        return bool((await api.get("/v1/audit"))["head"] > before)

    await eventually(sealed, what="it is in the chain")
    told, shown = await api.get("/v1/audit"), hub.crossdock("audit", "show", "--json")
    assert set(json.loads(shown.stdout)) == set(told)
    assert json.loads(shown.stdout)["key"] == told["key"]
    assert f"public key  {told['key']}" in hub.crossdock("audit", "show").stdout
    verified = hub.crossdock("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "The chain holds." in verified.stdout
    assert "beside the hub" in verified.stderr  # nobody configured a place elsewhere


async def test_doctor_says_where_checkpoints_stay(api: Api) -> None:
    """A warning, with the remedy, while they lie on this machine."""
    found = json.loads(api.hub.crossdock("doctor", "--json").stdout)
    line = next(x for x in found["checks"] if x["name"] == "audit")

    assert line["level"] == "warn"
    assert "audit_checkpoints" in line["remedy"]


async def test_who_may_not_read_sees_no_chain_and_erases_nobody(api: Api) -> None:
    """No token, no answer; and `read` is not enough to erase."""
    assert (await api.call("GET", "/v1/audit", anonymous=True)).status == 401
    made = api.hub.crossdock("token", "create", f"looker-{next_number()}", "--scope", "read")
    reader = {"Authorization": f"Bearer {made.stdout.strip()}"}

    async def answered() -> object:
        answer = await api.call("POST", "/v1/erasures", b'{"order": "x/1", "reason": "x"}', headers=reader)
        return answer if answer.status != 401 else None

    refused = await eventually(answered, what="the token is known")
    assert (refused.status, refused.problem["code"]) == (403, "forbidden")


async def test_an_erasure_that_names_nobody_says_how_to_ask(api: Api) -> None:
    """Neither, both, an unknown order, an unknown address, and no reason: each by name."""
    cases = (
        ({}, 400, "bad-request"),
        ({"order": "shopify-eu/1", "email": "a@b.c"}, 400, "bad-request"),
        ({"order": "shopify-eu/none"}, 404, "no-such-person"),
        ({"email": "nobody@example.org"}, 404, "no-such-person"),
    )
    for body, status, code in cases:
        answer = await api.post("/v1/erasures/preview", body)
        assert (answer.status, answer.problem["code"]) == (status, code)
    answer = await api.post("/v1/erasures", {"order": "shopify-eu/none", "reason": " "})
    assert (answer.status, answer.problem["code"]) == (400, "reason-missing")
    gone = api.hub.crossdock("erasure", "approve", "E-999")
    assert gone.returncode == 1
    assert "no erasure E-999" in gone.stderr


async def test_what_nobody_could_read_is_kept_and_listed(api: Api) -> None:
    """A message that names the person, and perhaps others: it is not destroyed, and the preview says what to do."""
    order = shop_order()
    number = next_number()
    mail = f"erase.{number}@example.org"
    order["email"] = order["contact_email"] = mail
    order["customer"] = order.get("customer", {}) | {"id": 880_000_000 + number, "email": mail}
    assert (await api.deliver("shopify-eu", "webhooks", encoded(order), "orders/create")).status == 202
    broken = order | {"id": order["id"] + 500_000}
    broken["line_items"] = [order["line_items"][0] | {"quantity": -4}]
    kept = (await api.deliver("shopify-eu", "webhooks", encoded(broken), "orders/create")).json()

    async def both() -> object:
        answer = await api.post("/v1/erasures/preview", {"email": mail})
        found = answer.json() if answer.status == 200 else {"kept": []}
        return found if found["kept"] else None

    found = await eventually(both, what="the preview lists it")
    assert [x["message"] for x in found["kept"]] == [kept["message"]]
    assert "correct it" in found["kept"][0]["why"]
    assert kept["message"] not in found["messages"]
