"""The conformance kit: what every connector folder must show, judged by a machine.

A check takes one `Found` folder and yields a sentence per failure. Authors run
`python -m crossdock.connect.conformance NAME`, and add `--write` to regenerate the expected files: the
difference is shown, and reviewing it is the author's work.
"""

import argparse
import ast
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from typing import Final

import msgspec

from crossdock.connect.contract import Account, Connector, Inbound
from crossdock.connect.damage import damaged
from crossdock.connect.discovery import PACKAGE, Found, installed
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
    write_expected,
)
from crossdock.connect.manifest import Inbox, Manifest
from crossdock.errors import Unsupported
from crossdock.model.registry import EFFECTS, EVENTS, short_type

Check = Callable[[Found], Iterator[str]]
SECRET_LENGTH_MIN: Final = 4
SHOWN_MAX: Final = 5
UNKNOWN: Final = "no_such.kind"


def failures(found: Found) -> list[str]:
    """All failures of one connector, in the order of the checks; code that does not load ends the list."""
    told: list[str] = []
    for name, check in CHECKS.items():
        told += [f"{name}: {sentence}" for sentence in check(found)]
        if name == "code" and told:
            break
    return told


def check_manifest(found: Found) -> Iterator[str]:
    """The manifest says what is true and possible."""
    manifest = found.manifest
    if found.package.startswith(f"{PACKAGE}.") and found.folder.name != manifest.name:
        yield f"the manifest names {manifest.name}, the folder is {found.folder.name}"
    for name in ("title", "docs", "owner", "version"):
        if not getattr(manifest, name).strip():
            yield f"manifest.toml: {name} is empty"
    if not manifest.inbound and not manifest.effects:
        yield "manifest.toml declares neither an inbound channel nor an effect"
    limits = manifest.limits
    if limits.concurrency < 1 or limits.rate_per_second < 0 or limits.burst < 1:
        yield "manifest.toml: limits must allow at least one call"
    yield from _inbound_failures(manifest)
    yield from _effect_failures(manifest)


def _inbound_failures(manifest: Manifest) -> Iterator[str]:
    for channel, inbox in manifest.inbound.items():
        if not inbox.events:
            yield f"inbound.{channel} declares no events"
        for name in inbox.events:
            if short_type(name) not in EVENTS:
                yield f"inbound.{channel}: {name} is no event type"


def _effect_failures(manifest: Manifest) -> Iterator[str]:
    for kind, traits in manifest.effects.items():
        if kind not in EFFECTS:
            yield f"effects.{kind} is no effect kind"
        if traits.receipt and short_type(traits.receipt) not in EVENTS:
            yield f"effects.{kind}: receipt {traits.receipt} is no event type"
        if traits.timeout_seconds <= 0 or traits.search_lag_seconds < 0:
            yield f"effects.{kind}: times must be positive"


def check_code(found: Found) -> Iterator[str]:
    """The code loads, and has the abilities that the manifest promises."""
    try:
        connector = found.load()
        build = import_module(f"{found.package}.twin").build
    except (ImportError, AttributeError, AssertionError, SyntaxError, NameError, TypeError) as error:
        yield f"the code does not load: {type(error).__name__}: {error}"
        return
    if not callable(build):
        yield "twin.build is no function"
    if found.manifest.inbound and not (connector.authenticate and connector.translate):
        yield "inbound channels are declared, but authenticate or translate is missing"
    if found.manifest.effects and not (connector.render and connector.open):
        yield "effects are declared, but render or open is missing"
    if not found.manifest.inbound and connector.translate:
        yield "the connector translates, but no inbound channel is declared"
    if not found.manifest.effects and connector.render:
        yield "the connector renders, but no effect is declared"


def check_account(found: Found) -> Iterator[str]:
    """`fixtures/account.json` has what the manifest declares, and nothing else."""
    account = account_of(found)
    if account.connector != found.manifest.name:
        yield f"account.json is for {account.connector}"
    for part, declared, given in (
        ("setting", found.manifest.settings, account.settings),
        ("secret", found.manifest.secrets, account.secrets),
    ):
        for name in sorted(
            name for name, field in declared.items() if field.default is None and name not in given
        ):
            yield f"account.json lacks the {part} {name}"
        for name in sorted(set(given) - set(declared)):
            yield f"account.json has the {part} {name}, which the manifest does not declare"


def check_inbound_fixtures(found: Found) -> Iterator[str]:
    """Every channel has a message that translates and one that does not, each with its expectation."""
    good: set[str] = set()
    bad: set[str] = set()
    for path, fixture in in_fixtures(found):
        if fixture.channel not in found.manifest.inbound:
            yield f"{path.name}: channel {fixture.channel} is not declared"
        if not expected_path(path).exists():
            yield f"{path.name} has no expected file"
            continue
        (bad if "error" in json.loads(expected_path(path).read_text()) else good).add(fixture.channel)
    for channel in found.manifest.inbound:
        if channel not in good:
            yield f"channel {channel} has no fixture that translates"
        if channel not in bad:
            yield f"channel {channel} has no fixture that is refused"


def check_translations(found: Found) -> Iterator[str]:
    """Every inbound fixture gives exactly what is expected, every time, and only declared events."""
    connector, account = found.load(), account_of(found)
    for path, fixture in in_fixtures(found):
        if connector.translate is None or not expected_path(path).exists():
            continue
        actual = normal(translate_outcome(connector, fixture.inbound(), account))
        again = normal(translate_outcome(connector, fixture.inbound(), account))
        expected = json.loads(expected_path(path).read_text())
        if actual != normal(expected):
            yield difference(normal(expected), actual, path.name)
        if actual != again:
            yield f"{path.name}: translated twice, it gives two results"
        inbox = found.manifest.inbound.get(fixture.channel, Inbox(events=()))
        declared = {short_type(name) for name in inbox.events}
        for kind in sorted({event["type"] for event in actual.get("events", [])} - declared):
            yield f"{path.name}: gives {kind}, which channel {fixture.channel} does not declare"


def check_identities(found: Found) -> Iterator[str]:
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
            yield f"{path.name}: the source id is empty"
        if now["source_id"] != later.get("source_id"):
            yield f"{path.name}: the source id depends on the time of arrival"
        ids = [event["id"] for event in now["events"]]
        if ids != [event["id"] for event in later.get("events", [])]:
            yield f"{path.name}: event ids depend on the time of arrival"
        named = [name for name in ids if name]
        if len(named) != len(set(named)):
            yield f"{path.name}: two events share one id"
        if not all(event["thread"] for event in now["events"]):
            yield f"{path.name}: an event has no thread"


def check_damage(found: Found) -> Iterator[str]:
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
            yield f"{path.name} with {what}: {crash}"


def check_renderings(found: Found) -> Iterator[str]:
    """Every declared effect has a fixture, renders as expected, and never carries a secret."""
    connector, account = found.load(), account_of(found)
    fixtures = out_fixtures(found)
    for kind in sorted(set(found.manifest.effects) - {kind for _, kind, _ in fixtures}):
        yield f"effect {kind} has no out_ fixture"
    for path, kind, fixture in fixtures:
        if not kind or connector.render is None:
            yield f"{path.name} belongs to no declared effect"
            continue
        payload = msgspec.json.decode(fixture.payload, type=EFFECTS[kind])
        try:
            body = connector.render(kind, payload, fixture.people, account)
            again = connector.render(kind, payload, fixture.people, account)
        except CRASHES as error:
            yield f"{path.name}: {type(error).__name__}: {error}"
            continue
        if body != again:
            yield f"{path.name}: rendered twice, it gives two bodies"
        for name, secret in account.secrets.items():
            if len(secret) >= SECRET_LENGTH_MIN and secret.encode() in body:
                yield f"{path.name}: the body carries the secret {name}"
        if not expected_path(path).exists():
            yield f"{path.name} has no expected file"
        elif body_view(body) != (expected := json.loads(expected_path(path).read_text())):
            yield difference(expected, body_view(body), path.name)


def check_unknown_kinds(found: Found) -> Iterator[str]:
    """A kind nobody mapped is `Unsupported`: it is kept and shown, and does not crash."""
    connector, account = found.load(), account_of(found)
    if connector.translate is not None and not _shows_unsupported(found, connector, account):
        yield "no fixture and no undeclared channel shows that an unknown kind of message is Unsupported"
    for _, kind, fixture in out_fixtures(found)[:1]:
        if not kind or connector.render is None:
            continue
        payload = msgspec.json.decode(fixture.payload, type=EFFECTS[kind])
        try:
            connector.render(UNKNOWN, payload, fixture.people, account)
            yield "render of an unknown effect kind gives a body"
        except Unsupported:
            continue
        except CRASHES as error:
            yield f"render of an unknown effect kind raises {type(error).__name__}, not Unsupported"


def _shows_unsupported(found: Found, connector: Connector, account: Account) -> bool:
    fixtures = in_fixtures(found)
    expected = (expected_path(path) for path, _ in fixtures)
    if any(json.loads(path.read_text()).get("error") == "Unsupported" for path in expected if path.exists()):
        return True
    stray = Inbound(channel=UNKNOWN, headers={}, body=b"{}", received_at=RECEIVED_AT)
    return translate_outcome(connector, stray, account).get("error") == "Unsupported"


def check_papers(found: Found) -> Iterator[str]:
    """Readers find a page, tests and a twin; the client says what it does."""
    wanted = ["README.md", "twin.py", "connector.py", "__init__.py"]
    if found.package.startswith(f"{PACKAGE}."):
        wanted.append(f"test_{found.manifest.name}.py")
    if found.manifest.effects:
        wanted.append("client.py")
    for name in wanted:
        path = found.folder / name
        if not path.exists():
            yield f"{name} is missing"
        elif path.suffix == ".py" and not ast.get_docstring(ast.parse(path.read_text())):
            yield f"{name} has no docstring"


def check_quirks(found: Found) -> Iterator[str]:
    """Every promised misbehaviour of the twin is built and described."""
    source = "".join(path.read_text() for path in sorted(found.folder.glob("twin*.py")))
    readme = found.folder / "README.md"
    page = readme.read_text() if readme.exists() else ""
    for name in found.manifest.quirks:
        if f'"{name}"' not in source:
            yield f"quirk {name} is not in the twin's code"
        if name not in page:
            yield f"quirk {name} is not in the README"
    for name in ("answer_lost", "unavailable", "slow"):
        if found.manifest.effects and name not in found.manifest.quirks:
            yield f"quirk {name}, common to all twins, is not declared"


CHECKS: Final[dict[str, Check]] = {
    "code": check_code,
    "manifest": check_manifest,
    "account": check_account,
    "inbound_fixtures": check_inbound_fixtures,
    "translations": check_translations,
    "identities": check_identities,
    "damage": check_damage,
    "renderings": check_renderings,
    "unknown_kinds": check_unknown_kinds,
    "papers": check_papers,
    "quirks": check_quirks,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m crossdock.connect.conformance", description=__doc__)
    parser.add_argument("name", help="the connector")
    parser.add_argument(
        "--write", action="store_true", help="regenerate the expected files and show the difference"
    )
    arguments = parser.parse_args()
    found = installed()[arguments.name]
    if arguments.write:
        sys.stdout.writelines(write_expected(found))
    told = failures(found)
    sys.stdout.write("".join(f"{sentence}\n" for sentence in told) or f"{arguments.name}: all checks hold\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
