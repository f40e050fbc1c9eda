"""What every process of a hub shares: landscape, policy, accounts, keys, connectors. Read once at start."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from crossdock.access.sealing import HubKey, load_hub_key
from crossdock.condition import compile_condition
from crossdock.connect import addresses
from crossdock.connect.contract import Account, Connector
from crossdock.connect.discovery import installed
from crossdock.connect.manifest import Availability, Manifest
from crossdock.errors import Misconfigured, Rejected
from crossdock.landscape import (
    Documents,
    Landscape,
    Subscription,
    System,
    landscape_of,
    read_documents,
    recordable,
    resolve_secret,
)
from crossdock.model.causes import merged
from crossdock.model.registry import EVENTS, short_type
from crossdock.processes.policy import PER_COMPANY, Policy
from crossdock.processes.routing import Routing, consigned, owner_of, suppliers, zone
from crossdock.processes.watching import is_address
from crossdock.runtime import projection
from crossdock.runtime.postgres import place_for
from crossdock.settings import Settings, settings_of

PRIVATE = ".crossdock"


@dataclass(frozen=True)
class Hub:
    """One running installation, as configured."""

    folder: Path
    settings: Settings
    landscape: Landscape
    policy: Policy
    key: HubKey
    dsn: str
    documents: Documents
    """The landscape's files as they were read, without a password in `database_url`."""

    @property
    def private(self) -> Path:
        return self.folder / PRIVATE

    def system(self, name: str) -> System | None:
        return self.landscape.systems.get(name)

    def manifest(self, system: str) -> Manifest:
        return installed()[self.landscape.systems[system].connector].manifest

    def connector(self, system: str) -> Connector:
        return installed()[self.landscape.systems[system].connector].load()

    def account(self, name: str, *, with_secrets: bool = True) -> Account:
        """The account of a system, with defaults from its connector's manifest filled in."""
        system = self.landscape.systems[name]
        manifest = self.manifest(name)
        settings = {
            key: f.default for key, f in manifest.settings.items() if f.default is not None
        } | system.settings
        secrets = {key: f.default for key, f in manifest.secrets.items() if f.default is not None}
        if with_secrets:
            for key, value in system.secrets.items():
                secrets[key] = resolve_secret(self.folder, f"{name}: secrets.{key}", value)
        return Account(
            name=name, connector=system.connector, base_url=system.base_url.rstrip("/"), settings=settings, secrets=secrets
        )  # fmt: skip


def load_hub(folder: Path, documents: Documents | None = None, **flags: object) -> Hub:
    """Everything a process needs, from the directory or from `documents`. Raises `Misconfigured` with file and field."""
    folder = folder.resolve()
    if documents is None:
        documents = read_documents(folder)
    settings = settings_of(folder / "hub.yaml", documents["hub.yaml"], **flags)
    landscape = landscape_of(folder, documents)
    for name, system in landscape.systems.items():
        _check_system(folder, name, system)
    for name, subscription in landscape.subscriptions.items():
        _check_subscription(f"{folder / 'subscriptions' / name}.yaml", subscription)
    key = load_hub_key(Path(settings.hub_key) if settings.hub_key else folder / PRIVATE / "hub.key")
    dsn = settings.database_url
    if not dsn:
        dsn = place_for(folder, Path(settings.bin_dir) if settings.bin_dir else None).dsn
    return Hub(folder, settings, landscape, _policy(landscape), key, dsn, recordable(documents))


def _check_system(folder: Path, name: str, system: System) -> None:
    where = str(folder / "systems" / f"{name}.yaml")
    found = installed().get(system.connector)
    if found is None:
        known = ", ".join(sorted(installed()))
        raise Misconfigured(where, f"no connector named {system.connector}; installed: {known}")
    if system.snapshot_at and found.load().stock is None:
        raise Misconfigured(where, f"snapshot_at: {system.connector} reads no stock")
    for kind in ("settings", "secrets"):
        declared = getattr(found.manifest, kind)
        given = getattr(system, kind)
        unknown = sorted(set(given) - set(declared))
        missing = sorted(key for key, f in declared.items() if f.default is None and key not in given)
        if unknown:
            raise Misconfigured(where, f"{kind}.{unknown[0]} is unknown to {system.connector}")
        if missing:
            raise Misconfigured(where, f"{kind}.{missing[0]} is required: {declared[missing[0]].describe}")


def _check_subscription(where: str, subscription: Subscription) -> None:
    wrong = addresses.objection(subscription.url, allow_private=subscription.allow_private)
    if wrong:
        raise Misconfigured(f"{where}: url", wrong)
    for type_ in subscription.types:
        if short_type(type_) not in EVENTS:
            raise Misconfigured(
                f"{where}: types", f"there is no event {type_}: docs/reference/events.md has them"
            )
    for path in subscription.fields:
        if wrong := projection.objection(path) or _unheard_of(path, subscription.types):
            raise Misconfigured(f"{where}: fields", wrong)
    if subscription.where:
        compile_condition(subscription.where, f"{where}: where")


def _unheard_of(path: str, types: tuple[str, ...]) -> str:
    """Why no event could ever fill this field, or empty."""
    shapes = [EVENTS[short_type(type_)] for type_ in types] or list(EVENTS.values())
    known = {field.encode_name for shape in shapes for field in msgspec.structs.fields(shape)}
    head, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    return f"no event of these types has {head}.{name}" if rest and name not in known else ""


def _policy(landscape: Landscape) -> Policy:
    roles = landscape.roles
    routing = _routing(landscape)
    given = {
        "erp": roles.erp, "warehouse": roles.warehouse, "carrier": roles.carrier, "channels": roles.channels,
        "notify": roles.notify, "follow": roles.follow,
    }  # fmt: skip
    place = f"{landscape.folder / 'hub.yaml'}: policy"
    own = {k: v for k, v in landscape.policy.items() if k != "companies"}
    policy = _read_policy(given | own, routing, place)
    declared = {n: installed()[x.connector].manifest.availability for n, x in landscape.systems.items()}
    check_channels(policy, declared, landscape.folder)
    _check_telling(policy, landscape, place)
    companies = {
        name: _read_policy(given | own | _of_company(name, rules, routing, landscape), routing, f"{place}.companies.{name}")
        for name, rules in _companies(landscape, place)
    }  # fmt: skip
    return msgspec.structs.replace(policy, companies=companies)


def _check_telling(policy: Policy, landscape: Landscape, place: str) -> None:
    telling = policy.telling
    if telling.system:
        system = landscape.systems.get(telling.system)
        if system is None or "case.tell" not in installed()[system.connector].manifest.effects:
            able = [
                n
                for n, x in landscape.systems.items()
                if "case.tell" in installed()[x.connector].manifest.effects
            ]
            known = ", ".join(sorted(able)) or "none"
            raise Misconfigured(
                f"{place}.telling.system", f"{telling.system} cannot tell of cases; these can: {known}"
            )
    for who, address in telling.people.items():
        if not is_address(address):
            raise Misconfigured(f"{place}.telling.people.{who}", "is no e-mail address")


def check_channels(policy: Policy, declared: Mapping[str, Availability | None], folder: Path) -> None:
    """A channel that is held is one, and every channel takes our number for what we mean by it. Raises `Misconfigured`."""
    path = folder / "hub.yaml"
    for name in policy.channels_held:
        if name not in policy.channels:
            raise Misconfigured(f"{path}: policy.channels_held", f"{name} is not among roles.channels")
    for name in policy.channels:
        meant = declared.get(name)
        if meant is not None and meant.counts == "on_hand":
            raise Misconfigured(
                f"{path}: roles.channels",
                f"{name} takes its own orders off what it is told (on_hand): the hub cannot serve it yet",
            )


def _read_policy(values: dict[str, Any], routing: Routing, place: str) -> Policy:
    try:
        policy = msgspec.convert(values, Policy)
    except msgspec.ValidationError as error:
        raise Misconfigured(place, str(error)) from None
    for name in ("price_tolerance", "over_ship_tolerance", "freight_tolerance"):
        if getattr(policy, name) < 0:
            raise Misconfigured(f"{place}.{name}", "must not be negative")
    _check_casework(policy, routing, place)
    return msgspec.structs.replace(policy, routing=routing)


def _check_casework(policy: Policy, routing: Routing, place: str) -> None:
    try:
        merged(policy.causes)
    except Rejected as error:
        raise Misconfigured(f"{place}.causes{error.path.replace('/', '.')}", error.reason) from None
    if policy.desk.calendar and policy.desk.calendar not in routing.calendars:
        raise Misconfigured(f"{place}.desk.calendar", f"there is no calendar {policy.desk.calendar}")
    if policy.desk.opens >= policy.desk.closes:
        raise Misconfigured(f"{place}.desk", "opens must come before closes, both in one day")
    try:
        zone(policy.desk.time_zone)
    except (KeyError, ValueError):
        raise Misconfigured(
            f"{place}.desk.time_zone", f"{policy.desk.time_zone} is no IANA time zone"
        ) from None


def _companies(landscape: Landscape, place: str) -> Iterator[tuple[str, Any]]:
    found = landscape.policy.get("companies", {})
    if not isinstance(found, dict):
        raise Misconfigured(
            f"{place}.companies", "must name companies, each with the rules that differ for it"
        )
    yield from found.items()


def _of_company(name: str, rules: Any, routing: Routing, landscape: Landscape) -> dict[str, Any]:
    """What differs for this company. Raises `Misconfigured` for one no order can belong to, and for what cannot differ."""
    place = f"{landscape.folder / 'hub.yaml'}: policy"
    known = sorted({x.company for x in routing.orders if x.company})
    if name not in known:
        raise Misconfigured(
            f"{place}.companies.{name}",
            f"no rule of routing.yaml, orders, answers this company; it answers {', '.join(known) or 'none'}",
        )
    if not isinstance(rules, dict):
        raise Misconfigured(f"{place}.companies.{name}", "must be a mapping of rules")
    for rule in rules:
        if rule not in PER_COMPANY:
            raise Misconfigured(
                f"{place}.companies.{name}.{rule}",
                f"cannot differ by company; these can: {', '.join(sorted(PER_COMPANY))}",
            )
    for role in ("notify", "follow"):
        for system in rules.get(role) or ():
            if system not in landscape.systems:
                raise Misconfigured(
                    f"{place}.companies.{name}.{role}",
                    f"{system} is not among {', '.join(sorted(landscape.systems))}",
                )
    return rules


def _routing(landscape: Landscape) -> Routing:
    """The tables, with every system, node, calendar and zone they name known. Raises `Misconfigured` with the rule."""
    path = landscape.folder / "routing.yaml"
    try:
        routing = msgspec.convert(landscape.routing, Routing)
    except msgspec.ValidationError as error:
        raise Misconfigured(str(path), str(error)) from None
    for place, name, known in _named(routing, landscape):
        if name and name not in known:
            raise Misconfigured(
                f"{path}: {place}", f"{name} is not among {', '.join(sorted(known)) or 'any'}"
            )
    for place, reason in (*_owners_mixed(routing, landscape), *_suppliers_mixed(routing)):
        raise Misconfigured(f"{path}: {place}", reason)
    for name, node in routing.nodes.items():
        try:
            zone(node.time_zone)
        except (KeyError, ValueError):
            raise Misconfigured(
                f"{path}: nodes.{name}.time_zone", f"{node.time_zone} is no IANA time zone"
            ) from None
    return routing


def _suppliers_mixed(routing: Routing) -> Iterator[tuple[str, str]]:
    """(where, why) an order could be served by a supplier and by a site of ours at once."""
    found = suppliers(routing)
    for rule in routing.orders:
        if len(rule.nodes) > 1 and found & {*rule.nodes}:
            named = ", ".join(sorted(found & {*rule.nodes}))
            yield (
                f"orders, rule {rule.rule}: nodes",
                f"{named} is a supplier: a rule that he serves names no other node",
            )


def _owners_mixed(routing: Routing, landscape: Landscape) -> Iterator[tuple[str, str]]:
    """(where, why) goods of one owner could be shown or sold as another's."""
    sold = {(node, x.owner) for x in routing.orders if x.owner for node in x.nodes}
    for name, owner in consigned(routing):
        if (name, owner) in sold:
            yield f"nodes.{name}.consigned", f"{owner} sells his own goods there by a rule of orders"
    for channel in landscape.roles.channels:
        for rule in routing.orders:
            if (not rule.channel or channel in rule.channel) and rule.owner != owner_of(routing, channel):
                other = owner_of(routing, channel) or "our own"
                why = f"{channel} sells goods of {other} by another rule: a channel shows one owner's goods"
                yield f"orders, rule {rule.rule}: owner", why


def _named(routing: Routing, landscape: Landscape) -> Iterator[tuple[str, str, Collection[str]]]:
    """(where, what is named there, what may be)."""
    systems, nodes = landscape.systems, {*routing.nodes, landscape.policy.get("location", Policy().location)}
    for name, node in routing.nodes.items():
        yield f"nodes.{name}.warehouse", node.warehouse, systems
        yield f"nodes.{name}.leaving", node.leaving, systems
        yield f"nodes.{name}.erp", node.erp, systems
        yield f"nodes.{name}.calendar", node.calendar, routing.calendars
    for rule in routing.orders:
        yield f"orders, rule {rule.rule}: erp", rule.erp, systems
        for name in rule.nodes:
            yield f"orders, rule {rule.rule}: nodes", name, nodes
    for step in routing.transport:
        yield f"transport, rule {step.rule}: system", step.system, systems
        for name in step.node:
            yield f"transport, rule {step.rule}: node", name, nodes
