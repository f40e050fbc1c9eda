"""The story of one thread, read in one repeatable-read transaction: what the page shows and the API answers."""

from hashlib import blake2b
from typing import Any, Final

from crossdock.model.thread import hash16, kind_of
from crossdock.processes.elsewhere import State as Elsewhere
from crossdock.processes.inbound_state import State as Inbound
from crossdock.processes.order_state import State as Order
from crossdock.processes.policy import Policy
from crossdock.processes.returning_state import State as Return
from crossdock.processes.serial import State as Serial
from crossdock.processes.shipment import State as Shipment
from crossdock.processes.transfer_state import State as Transfer
from crossdock.store.pool import Connection
from crossdock.views import (
    gates,
    story_goods,
    story_milestones,
    story_sentence,
    story_systems,
    story_timeline,
)
from crossdock.views.names import Names
from crossdock.views.retryable import retryable
from crossdock.views.sql import blocks
from crossdock.views.story_material import Material, decode_state, gather, links_of
from crossdock.views.story_shape import Case, Decision, Entry, Headline, Line, Link, Package, Story
from crossdock.views.words import checkout_said, plain_number

PAGE: Final = 60
PAGE_MAX: Final = 200
_EXTRAS: Final = (
    "short_closed", "backordered", "cancelled", "substituted_out", "substituted_in", "over_shipped",
)  # fmt: skip


async def read_story(
    connection: Connection, thread: str, names: Names, policy: Policy, *, limit: int = PAGE
) -> Story | None:  # fmt: skip
    """None where nobody heard of the thread."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        material = await gather(connection, thread, names, None)
    return None if material is None else _tell(material, names, policy, limit)


async def read_earlier(
    connection: Connection, thread: str, names: Names, policy: Policy, *, before: str, limit: int = PAGE
) -> tuple[list[Entry], str] | None:  # fmt: skip
    """The timeline's page after the cursor `before`, and the next cursor."""
    cursor = story_timeline.read_cursor(before)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        material = await gather(connection, thread, names, cursor[0] if cursor else None)
    if material is None:
        return None
    return story_timeline.timeline(material, names, policy, cursor, bounded(limit))


def bounded(limit: int) -> int:
    return min(max(1, limit), PAGE_MAX)


def _tell(m: Material, names: Names, policy: Policy, limit: int) -> Story:
    milestones = story_milestones.milestones(m)
    systems = story_systems.systems(m, names)
    cases = [_case(row, names) for row in m.cases]
    tone, sentence = story_sentence.sentence(m, milestones, cases, names)
    entries, following = story_timeline.timeline(m, names, policy, None, bounded(limit))
    return Story(
        thread=m.key, kind=m.row["kind"], headline=headline(m.row, m.state, names), tone=tone, sentence=sentence,
        phase=m.row["phase"], waiting_on=names.plain(m.row["waiting_on"]), waiting_since=m.row["waiting_since"],
        whose_move=names.of(m.row["owner"]) if m.row["owner"] else "", done=m.row["done"], waiting=gates.waiting(m, names, policy), milestones=milestones,
        systems=systems, decisions=decisions(m.state, names), lines=lines(m.state), packages=packages(m.state), linked=_links(m, names), cases=cases,
        timeline=entries, next=following, as_of=m.now,
    )  # fmt: skip


def headline(row: Any, state: Any, names: Names) -> Headline:
    """What it is, in the words of those who ask for it."""
    match state:
        case Order() if state.number or state.reference:
            facts = [names.of(state.channel) + " order " + state.reference.partition("/")[2]]
            facts.append(f"{len(state.lines)} line" + ("" if len(state.lines) == 1 else "s"))
            facts += [
                f"to {'-'.join(x for x in (state.destination.country, state.destination.region) if x)}"
            ] * bool(state.destination.country)
            facts += [state.service] * (state.service != "standard")
            facts += [f"ships {state.ship_on:%d %b}"] * (state.ship_on is not None and not state.parts)
            return Headline(f"Order {state.number or state.reference}", tuple(facts), state.total)
        case Shipment() if state.shipment:
            facts = [
                f"{len(state.packages)} package" + ("" if len(state.packages) == 1 else "s"),
                f"from {state.location}",
            ]
            facts += [f"with {state.carrier.upper()}"] * bool(state.carrier)
            facts += [f"freight bill number {state.pro}"] * bool(state.pro)
            facts += [f"to {state.destination.country}"] * bool(state.destination.country)
            return Headline(
                f"Shipment {plain_number(state.shipment)}", tuple(facts), state.freight, "freight"
            )
        case Inbound() | Transfer() | Return():
            return story_goods.headline(state)
        case Elsewhere():
            shipped = (f"shipped by {names.of(state.system)} from its own warehouse",) if state.lines else ()
            return Headline(f"Order {plain_number(state.reference)}", shipped)
        case Serial() if state.serial:
            return Headline(f"Serial {state.serial}", (f"of {state.item}", *map(str, state.places)))
        case _:
            kind, _, rest = row["thread_key"].partition("/")
            last = rest.rpartition("/")[2]
            said = last.partition("-")[0] if kind == "message" else last
            return Headline(f"{kind.capitalize()} {said}", (names.plain(rest),))


def lines(state: Any) -> list[Line]:
    """The lines under the law of their kind; extras only where there is something in them."""
    if not isinstance(state, Order):
        return story_goods.lines(state)
    currency = state.total.currency if state.total else ""
    return [
        Line(
            x.line, x.item, x.unit, x.price, currency, x.ordered, x.open, x.reserved, x.allocated, x.picked, x.shipped,
            x.delivered, {name: value for name in _EXTRAS if (value := getattr(x, name))},
            x.location, x.instead_of, x.lot, x.kit_of,
        )
        for x in state.lines
    ]  # fmt: skip


def decisions(state: Any, names: Names) -> list[Decision]:
    """Answers of the routing tables, as they were given."""
    match state:
        case Order() if state.routed:
            served = dict.fromkeys(x.location for x in state.lines if x.location)
            found = [
                Decision("served from", ", ".join(served) or f"first choice {state.nodes[0]}", state.routed),
                Decision("booked in", names.of(state.erp) + (f" for {state.company}" if state.company else ""), state.routed),
            ]  # fmt: skip
            if state.ship_on is not None:
                found.append(Decision("leaves on", f"{state.ship_on:%a %d %b %Y}", state.ship_because))
            if state.checkout_was:
                said = checkout_said(state.checkout_was)
                found.append(Decision("stock of its checkout", f"claim {state.checkout}", said))
            return found
        case Shipment() if state.routed:
            how = "tendered through" if state.by == "tms" else "as a parcel with"
            return [Decision("travels", f"{how} {names.of(state.account)}", state.routed)]
        case _:
            return []


def packages(state: Any) -> list[Package]:
    """One freight bill number stands for all packages of a load."""
    if not isinstance(state, Shipment):
        return []
    tracks = {x.sscc: x for x in state.tracks}
    all_of_it = tracks.get("")
    tracks = {p.sscc: t for p in state.packages if (t := tracks.get(p.sscc, all_of_it)) is not None}
    return [
        Package(
            p.sscc, tracks[p.sscc].tracking if p.sscc in tracks else "", p.weight,
            tracks[p.sscc].milestone if p.sscc in tracks else "created",
            tuple((f"order/{x.order}", x.line, x.item, x.quantity) for x in p.lines),
        )
        for p in (state.packages or state.departed_early)
    ]  # fmt: skip


def _links(m: Material, names: Names) -> list[Link]:
    found = [link_of(row, state, names) for row, state in m.linked.values()]
    missing = [k for k in links_of(m.state, ()) if k not in m.linked]
    return found + [
        Link(k, kind_of(k), k.rpartition("/")[2], "", "not heard of yet", None, done=False) for k in missing
    ]


def link_of(row: Any, state: Any, names: Names) -> Link:
    """A thread in one line: for lists, hits and links."""
    return Link(
        row["thread_key"], row["kind"], headline(row, state, names).title, row["phase"], names.plain(row["waiting_on"]),
        row["waiting_since"], done=row["done"],
    )  # fmt: skip


def _case(row: Any, names: Names) -> Case:
    return Case(
        row["id"], names.plain(row["title"]), names.plain(row["detail"]), row["owner"], row["cause"], row["opened_at"],
        row["thread_key"], row["key"], retryable(row["key"]),
    )  # fmt: skip


async def read_stamp(connection: Connection, thread: str, names: Names) -> str | None:
    """Changes whenever the story does; cheap enough to ask every two seconds."""
    sql = blocks("story.sql")
    row = await connection.fetchrow(sql["threads"], [hash16(thread)])
    if row is None:
        return None
    threads = [row["thread"], *(hash16(key) for key in links_of(decode_state(row), names.systems))]
    found = await connection.fetch(sql["stamp"], threads, row["first_segment"])
    parts = [str(row["updated_at"].timestamp())]
    parts += [
        ".".join(str(x[name] or 0) for name in ("event", "effects", "attempts", "states", "cases"))
        for x in found
    ]
    return blake2b("|".join(parts).encode(), digest_size=8).hexdigest()
