"""Conformance rules about lists of changed objects: whatever stands there is the message that should have come."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossdock.connect.contract import Account, Connector, Inbound, Translation
from crossdock.connect.damage import damaged
from crossdock.connect.discovery import Found
from crossdock.connect.finding import Finding
from crossdock.connect.fixtures import CRASHES, RECEIVED_AT, account_of, in_fixtures
from crossdock.errors import Malformed, Rejected, Unsupported

MANIFEST: Final = "manifest.toml"


def check_lists(found: Found) -> Iterator[Finding]:
    """What a list shows is one and the same with what a message tells, and a broken page is refused."""
    connector, account = found.load(), account_of(found)
    if connector.rows and not found.manifest.lists:
        yield Finding(MANIFEST, "the connector takes pages apart, but no list is declared", "lists")
    for name, traits in found.manifest.lists.items():
        if traits.channel not in found.manifest.inbound:
            yield Finding(MANIFEST, f"{traits.channel} is no inbound channel", f"lists.{name}.channel")
        bounds = (traits.every_seconds, traits.timeout_seconds, traits.overlap_seconds, traits.grace_seconds)
        if min(bounds[:2]) <= 0 or min(bounds) < 0:
            yield Finding(MANIFEST, "times must be positive", f"lists.{name}")
        path = found.folder / "fixtures" / f"list_{name}.json"
        if not (connector.rows and connector.translate and connector.open):
            yield Finding("connector.py", f"list {name} is declared, but rows, translate or open is missing")
        elif not path.exists():
            yield Finding("fixtures", f"list {name} has no {path.name}: a page as the partner answers it")
        else:
            yield from _page(found, name, path, connector, account)


def _page(found: Found, name: str, path: Path, connector: Connector, account: Account) -> Iterator[Finding]:
    assert connector.rows
    place = f"fixtures/{path.name}"
    body = json.dumps(json.loads(path.read_text())).encode()
    rows = connector.rows(name, body, RECEIVED_AT)
    if rows != connector.rows(name, body, RECEIVED_AT):
        yield Finding(place, "taken apart twice, it gives two results")
    if any(row.message.channel != found.manifest.lists[name].channel for row in rows):
        yield Finding(place, "a row becomes a message of another channel than the list's")
    if any(row.changed_at.tzinfo is None for row in rows):
        yield Finding(place, "a row changed at a time without offset")
    told = {
        _said(x)
        for _, fixture in in_fixtures(found)
        if (x := _translated(connector, fixture.inbound(), account))
    }
    shown = {_said(x) for row in rows if (x := _translated(connector, row.message, account))}
    if not shown & {x for x in told if x[1]}:
        yield Finding(
            place, "no row is what an in_ fixture tells: put the order of one into it, and give `content`"
        )
    for what, broken in damaged(body):
        if crash := _crash(connector, name, broken):
            yield Finding(place, f"with {what}: {crash}")
            return


def _translated(connector: Connector, message: Inbound, account: Account) -> Translation | None:
    assert connector.translate
    try:
        return connector.translate(message, account)
    except (Malformed, Rejected, Unsupported):
        return None


def _said(translation: Translation) -> tuple[str, bytes]:
    return translation.source_id, translation.content


def _crash(connector: Connector, name: str, body: bytes) -> str:
    """How taking a broken page apart crashes; empty where it is refused, or read for all that."""
    assert connector.rows
    try:
        connector.rows(name, body, RECEIVED_AT)
    except (Malformed, Rejected):
        return ""
    except CRASHES as error:
        return f"{type(error).__name__}: {error}"
    return ""
