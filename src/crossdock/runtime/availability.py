"""Which numbers a batch has to tell channels: of every item it moved, over all lots and nodes that serve the channel.

What a channel was told last stands at the balance without lot of its first node, its home: whoever moves the item
anywhere it is sold from locks that row first, so that two batches never tell a channel numbers in the wrong order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.connect.manifest import Availability
from crossdock.model.quantity import Quantity
from crossdock.model.requests import PublishAvailability
from crossdock.model.thread import stock_thread
from crossdock.processes import publishing
from crossdock.processes.intents import Do
from crossdock.processes.publishing import Front
from crossdock.processes.routing import consigned, owner_of, serving
from crossdock.runtime.batch import Wanted
from crossdock.runtime.hub import Hub
from crossdock.runtime.journal import stock_wanted
from crossdock.store.held import ZERO, Key
from crossdock.store.stock import Balance

REVIEW_SECONDS: Final = 60.0
"""How soon an item of which something is kept back is looked at again."""
UNDECLARED: Final = Availability("available", 10.0)
_told = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Channel:
    """A storefront, the nodes that serve its orders, and how late it is. `held`: it is told 0 of everything."""

    name: str
    nodes: tuple[str, ...]
    held: bool
    visible_seconds: float
    heard_seconds: float
    owner: str = ""
    """Whose goods it sells."""
    consigned: frozenset[tuple[str, str]] = frozenset()
    """(node, supplier) whose goods it may sell besides our own."""

    def sells(self, key: Key) -> bool:
        _, location, _, owner, _ = key
        return owner == self.owner or (not self.owner and (location, owner) in self.consigned)

    @property
    def home(self) -> str:
        return self.nodes[0]


def channels_of(hub: Hub) -> tuple[Channel, ...]:
    """In the order of the landscape; one that sells only what runs in parallel, or what suppliers
    send, is told nothing.
    """
    policy = hub.policy
    found = []
    for name in policy.channels:
        declared = hub.manifest(name).availability or UNDECLARED
        nodes = serving(policy.routing, name, policy.location)
        if not nodes or any(policy.routing.nodes[x].parallel for x in nodes if x in policy.routing.nodes):
            continue
        found.append(
            Channel(
                name, nodes, name in policy.channels_held, declared.latency_seconds, declared.orders_seconds,
                owner_of(policy.routing, name), frozenset(consigned(policy.routing)),
            )
        )  # fmt: skip
    return tuple(found)


def sold_otherwise(before: Hub, after: Hub) -> list[str]:
    """Nodes of which channels may have to show another number, since they sell from other nodes or other owners' goods now."""
    old, new = ({x.name: x for x in channels_of(hub)} for hub in (before, after))
    changed = [
        x for name in {*old, *new} for x in (old.get(name), new.get(name)) if old.get(name) != new.get(name)
    ]
    return sorted({node for x in changed if x is not None for node in x.nodes})


@dataclass(slots=True)
class Showcase:
    """All channels of a hub."""

    channels: tuple[Channel, ...]
    _near: dict[str, tuple[Channel, ...]] = field(default_factory=dict)

    def at(self, location: str) -> tuple[Channel, ...]:
        """Those that sell what stands there."""
        return tuple(x for x in self.channels if location in x.nodes)

    def near(self, location: str) -> tuple[Channel, ...]:
        """Those, and all that share a node with one of them."""
        found = self._near.get(location)
        if found is None:
            nodes = {node for x in self.at(location) for node in x.nodes}
            found = tuple(x for x in self.channels if nodes & set(x.nodes))
            self._near[location] = found
        return found

    def homes(self, moved: Iterable[tuple[str, str]]) -> dict[Key, str]:
        """Where is noted what channels are told of these (item, location): balances by key, with a unit."""
        return {
            (item, channel.home, "", "", ""): "EA"
            for item, location in moved
            for channel in self.near(location)
        }

    def nodes(self, moved: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """(item, location) of everything that counts for those channels."""
        return {
            (item, node)
            for item, location in moved
            for channel in self.near(location)
            for node in channel.nodes
        }

    def told(
        self, moved: Mapping[tuple[str, str], str], balances: Mapping[Key, Balance], now: datetime
    ) -> list[Wanted]:
        """What channels must hear of these (item, location), each with the event that moved it; noted in the balances."""
        lots: dict[tuple[str, str], list[Balance]] = {}
        for (item, location, _, _, possessor), balance in balances.items():
            if not possessor:
                lots.setdefault((item, location), []).append(balance)
        wanted: list[Wanted] = []
        done: set[tuple[str, str]] = set()
        for (item, location), cause in moved.items():
            for channel in self.at(location):
                if (item, channel.name) not in done:
                    done.add((item, channel.name))
                    wanted += self._one(item, channel, lots, now, cause)
        return wanted

    def _one(
        self, item: str, channel: Channel, lots: Mapping[tuple[str, str], list[Balance]], now: datetime, cause: str
    ) -> list[Wanted]:  # fmt: skip
        home = _head(item, channel, lots)
        here = [
            x
            for node in channel.nodes
            for x in lots.get((item, node), ())
            if x.unit == home.unit and channel.sells(x.key)
        ]
        available = max(ZERO, sum((x.available for x in here if _may_be_sold(x, now)), ZERO))
        front = self._front(item, channel, lots, now, available)
        others = [
            self._front(item, x, lots, now, available)
            for x in self.near(channel.home)
            if x is not channel and x.owner == channel.owner and set(x.nodes) & set(channel.nodes)
        ]
        number = ZERO if channel.held else publishing.number(front, others, available)
        _review(home, here, now, kept_back=not channel.held and number < available // 1)
        shown = _told(home.shown) if home.shown else {}
        said = str(int(number))
        if shown.get(channel.name) == said:
            return []
        home.shown = _encode(shown | {channel.name: said}).decode()
        home.changed = True
        payload = PublishAvailability(item, channel.home, Quantity(number, home.unit), home.version + 1)
        do = Do(
            "availability.publish", channel.name, f"{item}#{payload.version}", payload, f"availability/{item}",
            priority=publishing.priority(front, number),
        )  # fmt: skip
        return [stock_wanted(stock_thread(channel.home, item), do, cause)]

    def _front(
        self, item: str, channel: Channel, lots: Mapping[tuple[str, str], list[Balance]], now: datetime, available: Decimal
    ) -> Front:  # fmt: skip
        """One that was never told anything may be showing all there is; one that is held sells nothing."""
        head = _head(item, channel, lots)
        said = _told(head.shown).get(channel.name) if head.shown else None
        shown = available if said is None else Decimal(said)
        lately = sum(
            sum(x.lately(now) for x in lots.get((item, node), ()) if channel.sells(x.key))
            / len(self.at(node))
            for node in channel.nodes
        )
        return Front(
            channel.name, shown, publishing.pace(lately), channel.visible_seconds, channel.heard_seconds
        )


def _head(item: str, channel: Channel, lots: Mapping[tuple[str, str], list[Balance]]) -> Balance:
    return next(x for x in lots[item, channel.home] if not x.key[2] and not x.key[3])


def _may_be_sold(balance: Balance, now: datetime) -> bool:
    return balance.expires_on is None or balance.expires_on >= now.astimezone(UTC).date()


def _review(head: Balance, lots: Iterable[Balance], now: datetime, *, kept_back: bool) -> None:
    """Look again in a while where something is kept back, and on the day after the first lot's last day of sale."""
    due = [now + timedelta(seconds=REVIEW_SECONDS)] if kept_back else []
    due += [
        datetime.combine(x.expires_on, time(), UTC) + timedelta(days=1)
        for x in lots
        if x.expires_on is not None and x.available > ZERO and _may_be_sold(x, now)
    ]
    if due and (head.review_at is None or head.review_at > min(due)):
        head.review_at = min(due)
        head.changed = True
