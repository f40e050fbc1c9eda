"""Conformance rules about a connector's messages: its fixtures, and what its code makes of them, whole and broken."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec

from crossdock.connect.contract import Account, Connector, Inbound
from crossdock.connect.damage import damaged
from crossdock.connect.discovery import Found
from crossdock.connect.finding import Finding
from crossdock.connect.fixtures import (
    CRASHES,
    RECEIVED_AT,
    THREE_ERRORS,
    account_of,
    body_view,
    difference,
    expected_path,
    in_fixtures,
    normal,
    out_fixtures,
    translate_outcome,
)
from crossdock.connect.manifest import Inbox
from crossdock.errors import CrossdockError, Unauthenticated, Unsupported
from crossdock.model.registry import EFFECTS, short_type

SECRET_LENGTH_MIN: Final = 4
SHOWN_MAX: Final = 5
DAYS: Final = (date(2031, 1, 31), date(2031, 2, 1))
UNKNOWN: Final = "no_such.kind"
ACCOUNT: Final = "fixtures/account.json"
STRANGER: Final = "whsec_c3RyYW5nZXI="
"""A secret in the strictest form there is, and nobody's."""


def _told(path: Path, problem: str) -> Finding:
    return Finding(f"fixtures/{path.name}", problem)


def check_fixtures(found: Found) -> Iterator[Finding]:
    """The account and every fixture can be read."""
    try:
        account_of(found)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        yield Finding(ACCOUNT, f"cannot be read: {error}")
    for path in sorted((found.folder / "fixtures").glob("*.json")):
        try:
            json.loads(path.read_text())
        except ValueError as error:
            yield _told(path, f"cannot be read: {error}")
            return
    try:
        in_fixtures(found)
        outgoing = out_fixtures(found)
    except msgspec.MsgspecError as error:
        yield Finding("fixtures", f"an in_ or out_ file cannot be read: {error}")
        return
    for path, kind, fixture in outgoing:
        if kind not in EFFECTS:
            yield _told(path, "belongs to no declared effect")
            continue
        try:
            msgspec.json.decode(fixture.payload, type=EFFECTS[kind])
        except msgspec.MsgspecError as error:
            yield _told(path, f"is no payload of {kind}: {error}")


def check_expected(found: Found) -> Iterator[Finding]:
    """Each fixture has its expected result beside it."""
    for path in (*(path for path, _ in in_fixtures(found)), *(path for path, _, _ in out_fixtures(found))):
        if not expected_path(path).exists():
            yield _told(path, f"has no {expected_path(path).name}")


def check_account(found: Found) -> Iterator[Finding]:
    """`fixtures/account.json` has what the manifest declares, and nothing else."""
    account = account_of(found)
    if account.connector != found.manifest.name:
        yield Finding(ACCOUNT, f"is {account.connector}", "connector")
    for part, declared, given in (
        ("setting", found.manifest.settings, account.settings),
        ("secret", found.manifest.secrets, account.secrets),
    ):
        for name in sorted(
            name for name, field in declared.items() if field.default is None and name not in given
        ):
            yield Finding(ACCOUNT, f"lacks the {part} {name}")
        for name in sorted(set(given) - set(declared)):
            yield Finding(ACCOUNT, f"has the {part} {name}, which the manifest does not declare")


def check_inbound_fixtures(found: Found) -> Iterator[Finding]:
    """Every channel has a message that translates and one that does not, each with its expectation."""
    good: set[str] = set()
    bad: set[str] = set()
    for path, fixture in in_fixtures(found):
        if fixture.channel not in found.manifest.inbound:
            yield _told(path, f"channel {fixture.channel} is not declared")
        (bad if "error" in json.loads(expected_path(path).read_text()) else good).add(fixture.channel)
    for channel in found.manifest.inbound:
        if channel not in good:
            yield Finding("fixtures", f"channel {channel} has no fixture that translates")
        if channel not in bad:
            yield Finding("fixtures", f"channel {channel} has no fixture that is refused")


def check_translations(found: Found) -> Iterator[Finding]:
    """Every inbound fixture gives exactly what is expected, every time, and only declared events."""
    connector, account = found.load(), account_of(found)
    for path, fixture in in_fixtures(found):
        if connector.translate is None:
            return
        actual = normal(translate_outcome(connector, fixture.inbound(), account))
        again = normal(translate_outcome(connector, fixture.inbound(), account))
        expected = json.loads(expected_path(path).read_text())
        if actual != normal(expected):
            yield _told(path, difference(normal(expected), actual))
        if actual != again:
            yield _told(path, "translated twice, it gives two results")
        if "error" not in actual and bool(actual["events"]) == bool(actual.get("ignored")):
            yield _told(path, "gives events, or says in `ignored` why there are none: one of the two")
        inbox = found.manifest.inbound.get(fixture.channel, Inbox(events=()))
        declared = {short_type(name) for name in inbox.events}
        for kind in sorted({event["type"] for event in actual.get("events", [])} - declared):
            yield _told(path, f"gives {kind}, which channel {fixture.channel} does not declare")


def check_identities(found: Found) -> Iterator[Finding]:
    """Source ids and event ids are there, tell events apart, and do not depend on when a message came."""
    connector, account = found.load(), account_of(found)
    for path, fixture in in_fixtures(found):
        if connector.translate is None:
            return
        now = translate_outcome(connector, fixture.inbound(), account)
        later = translate_outcome(connector, fixture.inbound(RECEIVED_AT + timedelta(days=3)), account)
        if "error" in now:
            continue
        if not now["source_id"]:
            yield _told(path, "the source id is empty")
        if now["source_id"] != later.get("source_id"):
            yield _told(path, "the source id depends on the time of arrival")
        ids = [event["id"] for event in now["events"]]
        if ids != [event["id"] for event in later.get("events", [])]:
            yield _told(path, "event ids depend on the time of arrival")
        named = [name for name in ids if name]
        if len(named) != len(set(named)):
            yield _told(path, "two events share one id")
        if not all(event["thread"] for event in now["events"]):
            yield _told(path, "an event has no thread")


def check_damage(found: Found) -> Iterator[Finding]:
    """However broken a message is, translating it raises one of the three errors and nothing else."""
    connector, account = found.load(), account_of(found)
    if connector.translate is None:
        return
    for path, fixture in in_fixtures(found):
        shown: dict[str, str] = {}
        for what, body in damaged(fixture.inbound().body):
            outcome = translate_outcome(connector, fixture.inbound(body=body), account)
            if outcome.get("error", "Rejected") not in THREE_ERRORS:
                shown.setdefault(f"{outcome['error']}: {outcome['path']}", what)
        for crash, what in list(shown.items())[:SHOWN_MAX]:
            yield _told(path, f"with {what}: {crash}")


def check_renderings(found: Found) -> Iterator[Finding]:
    """Every declared effect has a fixture, renders as expected, and never carries a secret."""
    connector, account = found.load(), account_of(found)
    fixtures = out_fixtures(found)
    for kind in sorted(set(found.manifest.effects) - {kind for _, kind, _ in fixtures}):
        yield Finding("fixtures", f"effect {kind} has no out_ fixture")
    for path, kind, fixture in fixtures:
        if connector.render is None:
            return
        payload = msgspec.json.decode(fixture.payload, type=EFFECTS[kind])
        try:
            body = connector.render(kind, payload, fixture.people, account)
            again = connector.render(kind, payload, fixture.people, account)
        except CRASHES as error:
            yield _told(path, f"{type(error).__name__}: {error}")
            continue
        if body != again:
            yield _told(path, "rendered twice, it gives two bodies")
        for name, secret in account.secrets.items():
            if len(secret) >= SECRET_LENGTH_MIN and secret.encode() in body:
                yield _told(path, f"the body carries the secret {name}")
        if body_view(body) != (expected := json.loads(expected_path(path).read_text())):
            yield _told(path, difference(expected, body_view(body)))


def check_posting_dates(found: Found) -> Iterator[Finding]:
    """What is booked on a day can be given another, and nothing else of the body changes by it."""
    connector, account = found.load(), account_of(found)
    for path, kind, fixture in out_fixtures(found):
        if connector.render is None or not (traits := found.manifest.effects.get(kind)):
            continue
        if not traits.posting_date:
            continue
        if connector.redate is None:
            yield Finding("connector.py", f"{kind} has a posting date, and there is no redate")
            return
        payload = msgspec.json.decode(fixture.payload, type=EFFECTS[kind])
        body = connector.render(kind, payload, fixture.people, account)
        first, second = (connector.redate(kind, body, day) for day in DAYS)
        if first == second:
            yield _told(path, "redate leaves the day as it is")
        if connector.redate(kind, second, DAYS[0]) != first:
            yield _told(path, "redate changes more than the day")


def check_unknown_kinds(found: Found) -> Iterator[Finding]:
    """A kind nobody mapped is `Unsupported`: it is kept and shown, and does not crash."""
    connector, account = found.load(), account_of(found)
    if connector.translate is not None and not _shows_unsupported(found, connector, account):
        yield Finding(
            "fixtures",
            "no fixture and no undeclared channel shows that an unknown kind of message is Unsupported",
        )
    for _, kind, fixture in out_fixtures(found)[:1]:
        if not kind or connector.render is None:
            continue
        payload = msgspec.json.decode(fixture.payload, type=EFFECTS[kind])
        try:
            connector.render(UNKNOWN, payload, fixture.people, account)
            yield Finding("mapping.py", "render of an unknown effect kind gives a body")
        except Unsupported:
            continue
        except CRASHES as error:
            yield Finding(
                "mapping.py",
                f"render of an unknown effect kind raises {type(error).__name__}, not Unsupported",
            )


def _shows_unsupported(found: Found, connector: Connector, account: Account) -> bool:
    fixtures = in_fixtures(found)
    expected = (expected_path(path) for path, _ in fixtures)
    if any(json.loads(path.read_text()).get("error") == "Unsupported" for path in expected if path.exists()):
        return True
    stray = Inbound(channel=UNKNOWN, headers={}, body=b"{}", received_at=RECEIVED_AT)
    return translate_outcome(connector, stray, account).get("error") == "Unsupported"


def check_signing(found: Found) -> Iterator[Finding]:
    """A message signed as the partner signs is accepted, and one signed with another secret is refused."""
    connector, account = found.load(), account_of(found)
    if not (connector.sign and connector.authenticate):
        return
    for channel in found.manifest.inbound:
        sent = Inbound(channel=channel, headers={}, body=b'{"a": 1}', received_at=RECEIVED_AT)
        headers = connector.sign(sent, account, "a.topic")
        try:
            connector.authenticate(replace(sent, headers=headers), account)
        except CrossdockError as error:
            yield Finding("connector.py", f"channel {channel}: refuses what it signs itself: {error}")
        if any(name != name.lower() for name in headers):
            yield Finding("connector.py", "sign gives header names that are not in lower case")
        if headers != connector.sign(sent, account, "a.topic"):
            yield Finding("connector.py", "equal messages are signed differently")
        stranger = replace(account, secrets=dict.fromkeys(account.secrets, STRANGER))
        try:
            connector.authenticate(replace(sent, headers=connector.sign(sent, stranger, "")), account)
            yield Finding("connector.py", f"channel {channel}: accepts what somebody else signed")
        except Unauthenticated:
            continue
