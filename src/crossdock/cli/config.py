"""`config lint`: is this landscape complete and right, before a hub runs on it? The other commands are beside it."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.cli import landscape, routing_cases
from crossdock.cli.hub import HubOption, JsonOption, note

if TYPE_CHECKING:
    from crossdock.runtime.hub import Hub

NEEDED = {
    "erp": ("order.check", "sales_order.create", "goods_issue.post", "invoice.release"),
    "warehouse": ("warehouse_order.release", "warehouse_order.cancel", "label.attach"),
    "carrier": ("label.create", "tracking.subscribe"),
    "channels": ("fulfilment.create", "availability.publish", "order.cancel"),
    "notify": ("customer.notify",),
    "follow": ("milestone.record",),
}
"""What the founding process asks of each role; a system that cannot do it opens a case for every order."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to correct. A warning lets the hub start."""

    level: str
    place: str
    problem: str
    remedy: str


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Check the landscape directory, and have the hub take it.", no_args_is_help=True)
    group.command("lint")(lint)
    group.command("test")(routing_cases.put_cases)
    group.command("diff")(landscape.diff)
    group.command("plan")(landscape.plan)
    group.command("apply")(landscape.apply)
    app.add_typer(group, name="config")


def lint(
    hub: HubOption = Path(),
    *,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option(help="Fail on warnings too.")] = False,
) -> None:
    """Read the landscape as `crossdock up` would; name file, field and remedy of what is wrong."""
    findings = list(problems(hub))
    failed = any(x.level == "error" or strict for x in findings)
    if as_json:
        sys.stdout.write(json.dumps({"ok": not failed, "findings": [asdict(x) for x in findings]}) + "\n")
    for x in () if as_json else findings:
        sys.stdout.write(f"{x.level}: {x.place}: {x.problem}\n    {x.remedy}\n")
    if not findings and not as_json:
        note(f"{hub / 'hub.yaml'} and {hub / 'systems'}: nothing to correct.")
    if failed:
        raise typer.Exit(1)


def problems(folder: Path) -> Iterator[Finding]:
    """The first thing that keeps the hub from starting, or else everything that would fail while it runs."""
    from crossdock.errors import Misconfigured
    from crossdock.runtime.hub import load_hub

    try:
        hub = load_hub(folder)
    except Misconfigured as error:
        yield _error(error.setting, error.reason)
        return
    yield from _secrets(hub)
    yield from _subscription_secrets(hub)
    yield from _roles(hub)


def _error(place: str, problem: str) -> Finding:
    page = "settings" if place.endswith(": settings") or place.startswith("environment ") else "landscape"
    remedy = f"docs/reference/{page}.md says what may stand there; `crossdock up` would not start."
    return Finding(level="error", place=place, problem=problem, remedy=remedy)


def _secrets(hub: "Hub") -> Iterator[Finding]:
    """Every reference leads to a value, and to one that is not empty."""
    from crossdock.errors import Misconfigured
    from crossdock.landscape import resolve_secret

    for name, system in hub.landscape.systems.items():
        where = f"{hub.folder / 'systems'}/{name}.yaml: secrets"
        for key, reference in system.secrets.items():
            try:
                empty = not resolve_secret(hub.folder, key, reference)
            except Misconfigured as error:
                remedy = f"Put the value where {reference} points, or point elsewhere."
                yield Finding(level="error", place=f"{where}.{key}", problem=error.reason, remedy=remedy)
                continue
            if empty:
                problem = f"{reference} is empty"
                yield Finding(
                    level="error", place=f"{where}.{key}", problem=problem, remedy="Write it there."
                )


def _subscription_secrets(hub: "Hub") -> Iterator[Finding]:
    """Each leads to a value that can sign."""
    from datetime import UTC, datetime

    from crossdock.errors import Misconfigured
    from crossdock.landscape import resolve_secret
    from crossdock.runtime.subscriber import sign

    for name, one in hub.landscape.subscriptions.items():
        for key, reference in (("secret", one.secret), ("secret_previous", one.secret_previous)):
            place = f"{hub.folder / 'subscriptions'}/{name}.yaml: {key}"
            try:
                if reference:
                    sign(
                        resolve_secret(hub.folder, place, reference),
                        place,
                        "msg_lint",
                        datetime.now(UTC),
                        b"",
                    )
            except Misconfigured as error:
                remedy = f"Put the value where {reference} points, or point elsewhere."
                yield Finding(level="error", place=place, problem=error.reason, remedy=remedy)


def _roles(hub: "Hub") -> Iterator[Finding]:
    """Each role's system can do what the process will ask of it."""
    for role, kinds in NEEDED.items():
        given = getattr(hub.landscape.roles, role)
        for name in (given,) if isinstance(given, str) else given:
            manifest = hub.manifest(name)
            lacking = [kind for kind in kinds if kind not in manifest.effects]
            if lacking:
                yield Finding(
                    level="warning",
                    place=f"{hub.folder / 'hub.yaml'}: roles.{role}",
                    problem=f"{name} ({manifest.name}) cannot carry out {', '.join(lacking)}",
                    remedy="Each such effect will be refused and wait as a case; choose another system for the role.",
                )
