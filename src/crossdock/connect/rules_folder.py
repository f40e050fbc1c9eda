"""Conformance rules about what stands in a connector's folder: manifest, code, papers, tests, and what is left to do."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from crossdock.connect.discovery import PACKAGE, Found
from crossdock.connect.finding import Finding
from crossdock.connect.fixtures import CRASHES
from crossdock.connect.manifest import Manifest
from crossdock.model.registry import EFFECTS, EVENTS, short_type

MANIFEST: Final = "manifest.toml"
README: Final = "README.md"
PARTS: Final = {
    "what to set up at the other side": r"At\b",
    "the account's settings and secrets": r".*\b(account|settings)\b",
    "limits": r".*\blimits\b",
    "known oddities": r".*\boddities\b",
    "the twin": r".*\btwin\b",
}
"""What a reader looks for in a README, and the heading it stands under."""
OUTCOMES: Final = {
    "Done": "an effect that is done",
    "Refused": "an effect that the partner refuses for good",
    "RetryLater": "a partner that is not reached or throttles",
    "Unknown": "a lost answer",
}
QUIRKS_OF_ALL: Final = ("answer_lost", "unavailable", "slow")
SAMPLE: Final = "_sample"
_TODO: Final = re.compile(r"\btodo: *(?P<what>[^\"]*)", re.IGNORECASE)
_KEY: Final = re.compile(r"^(\w+) *=")


def check_code(found: Found) -> Iterator[Finding]:
    """The code loads, and has the abilities that the manifest promises."""
    try:
        connector = found.load()
        build = import_module(f"{found.package}.twin").build
    except (ImportError, OSError, *CRASHES) as error:
        yield Finding("connector.py", f"the code does not load: {type(error).__name__}: {error}")
        return
    if not callable(build):
        yield Finding("twin.py", "build is no function")
    if found.manifest.inbound and not (connector.authenticate and connector.translate and connector.sign):
        yield Finding(
            "connector.py", "inbound channels are declared, but authenticate, translate or sign is missing"
        )
    if found.manifest.effects and not (connector.render and connector.open):
        yield Finding("connector.py", "effects are declared, but render or open is missing")
    if not found.manifest.inbound and connector.translate:
        yield Finding(MANIFEST, "the connector translates, but no inbound channel is declared", "inbound")
    if not found.manifest.effects and connector.render:
        yield Finding(MANIFEST, "the connector renders, but no effect is declared", "effects")


def check_manifest(found: Found) -> Iterator[Finding]:
    """The manifest says what is true and possible."""
    manifest = found.manifest
    if found.package.startswith(f"{PACKAGE}.") and found.folder.name != manifest.name:
        yield Finding(MANIFEST, f"is {manifest.name}, the folder is {found.folder.name}", "name")
    for name in ("title", "docs", "owner", "version"):
        if not getattr(manifest, name).strip():
            yield Finding(MANIFEST, "is empty", name)
    if not manifest.inbound and not manifest.effects:
        yield Finding(MANIFEST, "declares neither an inbound channel nor an effect")
    limits = manifest.limits
    if limits.concurrency < 1 or limits.rate_per_second < 0 or limits.burst < 1:
        yield Finding(MANIFEST, "must allow at least one call", "limits")
    if ("availability.publish" in manifest.effects) != (manifest.availability is not None):
        yield Finding(MANIFEST, "belongs to availability.publish: both or neither", "availability")
    elif (
        manifest.availability
        and min(manifest.availability.latency_seconds, manifest.availability.orders_seconds) < 0
    ):
        yield Finding(MANIFEST, "times must be positive", "availability")
    yield from _inbound_failures(manifest)
    yield from _effect_failures(manifest)


def _inbound_failures(manifest: Manifest) -> Iterator[Finding]:
    for channel, inbox in manifest.inbound.items():
        if not inbox.events:
            yield Finding(MANIFEST, "declares no events", f"inbound.{channel}.events")
        for name in inbox.events:
            if short_type(name) not in EVENTS:
                yield Finding(MANIFEST, f"{name} is no event type", f"inbound.{channel}.events")


def _effect_failures(manifest: Manifest) -> Iterator[Finding]:
    for kind, traits in manifest.effects.items():
        if kind not in EFFECTS:
            yield Finding(MANIFEST, "is no effect kind", f"effects.{kind}")
        if traits.receipt and short_type(traits.receipt) not in EVENTS:
            yield Finding(MANIFEST, f"{traits.receipt} is no event type", f"effects.{kind}.receipt")
        if traits.timeout_seconds <= 0 or traits.search_lag_seconds < 0:
            yield Finding(MANIFEST, "times must be positive", f"effects.{kind}")


def check_papers(found: Found) -> Iterator[Finding]:
    """Readers find a page, tests and a twin; each file says what it is."""
    wanted = [README, "twin.py", "connector.py", "__init__.py"]
    if found.package.startswith(f"{PACKAGE}."):
        wanted.append(f"test_{found.manifest.name}.py")
    if found.manifest.effects:
        wanted.append("client.py")
    for name in wanted:
        path = found.folder / name
        if not path.exists():
            yield Finding(name, "is missing")
        elif path.suffix == ".py" and not ast.get_docstring(ast.parse(path.read_text())):
            yield Finding(name, "has no docstring")


def check_readme(found: Found) -> Iterator[Finding]:
    """The README has its parts, and names each channel, effect, setting and secret."""
    page = _page(found)
    for part, heading in PARTS.items():
        if not re.search(rf"^## {heading}", page, re.MULTILINE | re.IGNORECASE):
            yield Finding(README, f"says nothing of {part}")
    manifest = found.manifest
    for name in (*manifest.inbound, *manifest.effects, *manifest.settings, *manifest.secrets):
        if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", page):
            yield Finding(README, f"does not name {name}")


def _page(found: Found) -> str:
    path = found.folder / README
    return path.read_text() if path.exists() else ""


def check_quirks(found: Found) -> Iterator[Finding]:
    """Every promised misbehaviour of the twin is built and described."""
    source = "".join(path.read_text() for path in sorted(found.folder.glob("twin*.py")))
    page = _page(found)
    for name in found.manifest.quirks:
        if f'"{name}"' not in source:
            yield Finding("twin.py", f"quirk {name} is not in the twin's code")
        if name not in page:
            yield Finding(README, f"quirk {name} is not described")
    for name in QUIRKS_OF_ALL:
        if found.manifest.effects and name not in found.manifest.quirks:
            yield Finding(MANIFEST, "common to all twins, is not declared", f"quirks.{name}")


def check_outcomes(found: Found) -> Iterator[Finding]:
    """The tests show what each kind of answer of the partner means."""
    if not found.manifest.effects:
        return
    tests = "".join(path.read_text() for path in sorted(found.folder.glob("test_*.py")))
    for outcome, what in OUTCOMES.items():
        if not re.search(rf"\b{outcome}\b", tests):
            remedy = f"Let the twin answer so, and expect `{outcome}` of the client."
            yield Finding(f"test_{found.manifest.name}.py", f"no test shows {what}", "", remedy, todo=True)


def check_leftovers(found: Found) -> Iterator[Finding]:
    """Nothing is left to do: no `todo:` in any file, no sample where a captured message belongs."""
    for path in sorted(path for path in found.folder.glob("*.*") if path.is_file()):
        yield from _left_in(path)
    for path in sorted(found.folder.glob(f"fixtures/*{SAMPLE}.json")):
        remedy = "Put a captured, scrubbed message of the partner's in its place, under a name that says what it shows."
        yield Finding(f"fixtures/{path.name}", "is made up", "", remedy, todo=True)


def _left_in(path: Path) -> Iterator[Finding]:
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if said := _TODO.search(line):
            key = _KEY.match(line) if path.name == MANIFEST else None
            what = said["what"].strip()
            yield Finding(path.name, "is to be written", key[1] if key else f"line {number}", what, todo=True)
