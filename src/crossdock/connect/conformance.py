"""The conformance kit: the rules every connector folder must hold, judged by a machine and without a hub.

`crossdock connector check` shows them to an author, `tests/conformance` holds our own connectors to them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from crossdock.connect import rules_folder, rules_lists, rules_messages
from crossdock.connect.discovery import Found
from crossdock.connect.finding import Finding
from crossdock.connect.fixtures import CRASHES
from crossdock.connect.manifest import load_manifest
from crossdock.errors import Misconfigured

Result = Literal["ok", "todo", "failed"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise, and what to do where it is broken. A `gate` that fails leaves the rules after it unjudged."""

    check: Callable[[Found], Iterator[Finding]]
    remedy: str
    gate: bool = False

    @property
    def says(self) -> str:
        return (self.check.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    rule: str
    says: str
    result: Result
    findings: tuple[Finding, ...] = ()


_REGENERATE: Final = "Correct the mapping; or, where the new result is right, `crossdock connector check NAME --write` and review the difference."
RULES: Final[dict[str, Rule]] = {
    "code": Rule(rules_folder.check_code, "connect/contract.py says what `CONNECTOR` holds.", gate=True),
    "fixtures": Rule(
        rules_messages.check_fixtures, "Write it as connect/fixtures.py reads it: valid JSON.", gate=True
    ),
    "expected": Rule(
        rules_messages.check_expected, "`crossdock connector check NAME --write` writes it.", gate=True
    ),
    "manifest": Rule(
        rules_folder.check_manifest, "docs/reference/events.md and effects.md name what there is."
    ),
    "account": Rule(rules_messages.check_account, "Let it and manifest.toml name the same."),
    "inbound_fixtures": Rule(
        rules_messages.check_inbound_fixtures,
        "Add a captured, scrubbed message; `crossdock connector check NAME --write` writes what is expected of it.",
    ),
    "translations": Rule(rules_messages.check_translations, _REGENERATE),
    "identities": Rule(
        rules_messages.check_identities, "Take ids from the message itself, never from a clock."
    ),
    "damage": Rule(
        rules_messages.check_damage,
        "Read it with connect/reading.py, and raise Malformed, Rejected (with the path) or Unsupported.",
    ),
    "lists": Rule(
        rules_lists.check_lists,
        "Let `rows` give the sender's own message, and `translate` name it by the object's state.",
    ),
    "renderings": Rule(rules_messages.check_renderings, _REGENERATE),
    "posting_dates": Rule(
        rules_messages.check_posting_dates, "Let `redate` replace the day on which the target books it."
    ),
    "unknown_kinds": Rule(rules_messages.check_unknown_kinds, "Raise Unsupported for what is not mapped."),
    "signing": Rule(
        rules_messages.check_signing, "Let `sign` and `authenticate` follow the partner's scheme."
    ),
    "papers": Rule(rules_folder.check_papers, "Add it; docs/howto/own-connector.md says what belongs there."),
    "readme": Rule(rules_folder.check_readme, "Write it in README.md, under a heading of its own (`## …`)."),
    "quirks": Rule(rules_folder.check_quirks, "Declare, build and describe it, or take it out everywhere."),
    "outcomes": Rule(rules_folder.check_outcomes, "Add a test."),
    "leftovers": Rule(rules_folder.check_leftovers, "Do it, and take the note out."),
}


def judge(found: Found) -> Iterator[Ruling]:
    """Every rule in order; a gate that fails is the last. Each finding has its remedy."""
    for name, rule in RULES.items():
        findings = tuple(_with_remedy(finding, rule, found) for finding in _findings(rule, found))
        result: Result = "ok"
        if findings:
            result = "todo" if all(finding.todo for finding in findings) else "failed"
        yield Ruling(rule=name, says=rule.says, result=result, findings=findings)
        if rule.gate and result == "failed":
            return


def _findings(rule: Rule, found: Found) -> Iterator[Finding]:
    """A connector that raises where nothing may is not the end of the list."""
    try:
        yield from rule.check(found)
    except (OSError, *CRASHES) as error:
        yield Finding("connector.py", f"raises {type(error).__name__}: {error}")


def _with_remedy(finding: Finding, rule: Rule, found: Found) -> Finding:
    remedy = (finding.remedy or rule.remedy).replace(" NAME ", f" {found.manifest.name} ")
    return replace(finding, remedy=remedy)


def judge_folder(package: str, folder: Path) -> Iterator[Ruling]:
    """The same for a folder whose manifest may be wrong, which then is all there is to say."""
    try:
        manifest = load_manifest(folder / rules_folder.MANIFEST)
    except Misconfigured as error:
        remedy = "connect/manifest.py says which fields there are."
        wrong = Finding(rules_folder.MANIFEST, error.reason, "", remedy)
        yield Ruling(rule="manifest", says=RULES["manifest"].says, result="failed", findings=(wrong,))
        return
    yield from judge(Found(package, folder, manifest))


def failures(found: Found) -> list[str]:
    """All findings of one connector as sentences, what is left to do included."""
    return [f"{ruling.rule}: {finding}" for ruling in judge(found) for finding in ruling.findings]
