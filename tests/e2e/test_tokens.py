"""`crossdock token`: made once, shown once, good for what it says, and gone within seconds when revoked."""

import json
import re
from datetime import UTC, datetime, timedelta

from e2e.running import Api, RunningHub, eventually


def created(hub: RunningHub, *arguments: str) -> dict[str, str]:
    ended = hub.crossdock("token", "create", *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = json.loads(ended.stdout)
    return found


async def status_of(api: Api, token: str, path: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await api.call("GET", path, anonymous=True, headers=headers)).status


async def test_a_token_is_good_for_its_scopes_until_it_is_revoked(hub: RunningHub, api: Api) -> None:
    """It may follow the feed, may not read stories, and is refused by the running hub soon after its end."""
    ended = hub.crossdock("token", "create", "bi", "--scope", "feed")
    token = ended.stdout.strip()
    id_ = token.split("_")[1]
    assert re.fullmatch(r"xd_[0-9a-f]{8}_\S{43}", token)
    assert "shown this once" in ended.stderr

    async def known() -> bool:
        return await status_of(api, token, "/v1/feed") == 200

    await eventually(known, what="the hub knows the token", seconds=15)
    assert await status_of(api, token, "/v1/now") == 403

    assert hub.crossdock("token", "revoke", id_).returncode == 0

    async def refused() -> bool:
        return await status_of(api, token, "/v1/feed") == 401

    await eventually(refused, what="the hub refuses the token", seconds=15)


def test_the_list_shows_everything_but_the_token(hub: RunningHub) -> None:
    """Id, name, scopes, created, expiry, revoked; for people and as JSON."""
    made = created(hub, "partner", "--scope", "read", "--scope", "events", "--expires", "90d")
    text = hub.crossdock("token", "list").stdout
    listed = hub.crossdock("token", "list", "--json").stdout
    row = next(x for x in json.loads(listed)["tokens"] if x["id"] == made["id"])

    assert set(row) == {"id", "name", "scopes", "created_at", "expires_at", "revoked_at"}
    assert (row["name"], row["scopes"], row["revoked_at"]) == ("partner", ["events", "read"], None)
    left = datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    secret = made["token"].split("_", 2)[2]
    assert secret not in text + listed
    assert re.search(rf"{made['id']}  partner .*expires .*events, read", text)


def test_an_unknown_scope_is_refused_with_the_known_ones(hub: RunningHub) -> None:
    """Exit 2, and nothing is made."""
    before = hub.crossdock("token", "list", "--json").stdout
    ended = hub.crossdock("token", "create", "x", "--scope", "write")

    assert ended.returncode == 2
    said = " ".join(ended.stderr.split())
    assert all(f"{scope} (" in said for scope in ("operator", "read", "events", "feed", "metrics"))
    assert hub.crossdock("token", "list", "--json").stdout == before


def test_a_span_that_is_none_is_refused(hub: RunningHub) -> None:
    """Exit 2, with how to write one."""
    ended = hub.crossdock("token", "create", "x", "--scope", "feed", "--expires", "soon")

    assert ended.returncode == 2
    assert "90d" in ended.stderr


def test_revoking_what_is_not_there_fails(hub: RunningHub) -> None:
    """Exit 1, with where ids are shown."""
    ended = hub.crossdock("token", "revoke", "ffffffff")

    assert ended.returncode == 1
    assert "crossdock token list" in ended.stderr
