"""One piece by its serial number: where it is, told by whatever moved it. Quantities stand in the ledger, never here.

Its life is its facts in the order in which they happened, so that one told late changes what it should and nothing else.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from crossdock.model.envelope import HUB, Recorded
from crossdock.model.movement import MovedLine, ReceivedLine
from crossdock.model.returning import JudgedLine
from crossdock.model.serial import Did, SerialMoved
from crossdock.model.shipment import Package
from crossdock.model.thread import thread_key
from crossdock.processes.intents import CloseCase, Intent, OpenCase, Step, Summary, Tell
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import ACCEPT

KIND = "serial"
VERSION = 1
PLACES: Final = "places"
SETTLED: Final = "settled"
FACTS_MAX: Final = 60
"""Kept one by one; earlier ones only as what they led to."""
Where = Literal["on hand", "packed", "on the road", "left"]
ORDER: Final[dict[Did | Literal["settled"], int]] = {
    "unpacked": 0, "received": 1, "found": 1, "returned": 1, "packed": 2, "sent": 3, "shipped": 4, "gone": 5, "settled": 6,
}  # fmt: skip
"""Of facts of one instant."""
replace = msgspec.structs.replace


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, order=True):
    at: datetime
    rank: int
    did: Did | Literal["settled"]
    location: str = ""
    thread: str = ""
    document: str = ""
    sscc: str = ""
    order: str = ""
    lot: str = ""


class Place(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One place where it is said to be. There is one of them, or none; more is what a person must settle."""

    where: Where
    location: str
    thread: str
    since: datetime
    document: str = ""
    sscc: str = ""
    order: str = ""
    lot: str = ""

    def __str__(self) -> str:
        by = self.document or self.thread
        match self.where:
            case "on hand":
                return f"on hand at {self.location} ({by})"
            case "packed":
                return f"packed in {self.sscc or by} at {self.location} for order {self.order}"
            case "on the road":
                return f"on the road from {self.location} ({by})"
            case _:
                return f"gone from {self.location} in {self.sscc or by} to order {self.order}"


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    item: str = ""
    serial: str = ""
    facts: tuple[Fact, ...] = ()
    before: tuple[Place, ...] = ()
    """Where the facts led that are not kept any more."""
    doubted_before: str = ""
    places: tuple[Place, ...] = ()
    doubt: str = ""
    """It came back and had not left, or not to that order."""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    match event.type:
        case "serial.moved.v1" if event.source == HUB:
            d: SerialMoved = event.data
            state = replace(state, item=d.item, serial=d.serial)
            fact = Fact(
                event.occurred_at,
                ORDER[d.did],
                d.did,
                d.location,
                d.thread,
                d.document,
                d.sscc,
                d.order,
                d.lot,
            )
        case "inbound.accepted.v1" if event.data.what == PLACES and state.serial:
            fact = Fact(event.occurred_at, ORDER[SETTLED], SETTLED)
        case _:
            return Step(state, (), "ignored")
    was = _contradiction(state)
    state = known(state, fact)
    now = _contradiction(state)
    if now == was:
        return Step(state)
    closed = CloseCase(ACCEPT + PLACES, "it is otherwise now" if now else "it is in one place")
    return Step(state, (closed, _case(state, now)) if now else (closed,))


def known(state: State, fact: Fact) -> State:
    """With one fact more, in its place among the others."""
    facts = tuple(sorted((*state.facts, fact)))
    before, doubted = state.before, state.doubted_before
    if len(facts) > FACTS_MAX:
        old, facts = facts[: FACTS_MAX // 2], facts[FACTS_MAX // 2 :]
        before, doubted = lived(before, doubted, old)
    places, doubt = lived(before, doubted, facts)
    return replace(state, facts=facts, before=before, doubted_before=doubted, places=places, doubt=doubt)


def lived(places: tuple[Place, ...], doubt: str, facts: Iterable[Fact]) -> tuple[tuple[Place, ...], str]:
    """Where the facts lead, one after the other, and what is odd about it."""
    for fact in facts:
        if fact.did == SETTLED:
            places, doubt = places[-1:], ""
            continue
        if fact.did == "returned":
            doubt = _oddly_back(places, fact) or doubt
        places = _STEPS[fact.did](places, fact)
    return places, doubt


def _oddly_back(places: tuple[Place, ...], fact: Fact) -> str:
    left = [x for x in places if x.where == "left"]
    back = f"came back at {fact.location} ({fact.document or fact.thread})"
    if not left:
        return f"{back} and had not left"
    if fact.order and all(x.order and x.order != fact.order for x in left):
        return f"{back} from order {fact.order} and had left to order {left[-1].order}"
    return ""


def _at(fact: Fact, where: Where) -> Place:
    return Place(
        where, fact.location, fact.thread, fact.at, fact.document, fact.sscc, fact.order if where != "on hand" else "", fact.lot
    )  # fmt: skip


def _instead(places: tuple[Place, ...], found: Place | None, now: Place | None) -> tuple[Place, ...]:
    """`now` in place of `found`; what is said newest stands last."""
    kept = tuple(x for x in places if x is not found)
    return kept if now is None else (*kept, now)


def _find(places: tuple[Place, ...], *tests: Callable[[Place], bool]) -> Place | None:
    """The newest place for the first test that one passes."""
    return next((x for test in tests for x in reversed(places) if test(x)), None)


def _come(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    """From the road, or new. Elsewhere it may be still: then it is in two places."""
    road = _find(places, lambda x: x.where == "on the road" and x.thread == fact.thread)
    return _instead(places, road, _at(fact, "on hand"))


def _back(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    left = _find(places, lambda x: x.where == "left" and x.order == fact.order, lambda x: x.where == "left")
    return _instead(places, left, _at(fact, "on hand"))


def _packed(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    shelf = _find(places, lambda x: x.where == "on hand" and x.location == fact.location)
    return _instead(places, shelf, _at(fact, "packed"))


def _unpacked(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    box = _find(places, lambda x: x.where == "packed" and (x.thread, x.sscc) == (fact.thread, fact.sscc))
    return _instead(places, box, _at(fact, "on hand")) if box else places


def _shipped(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    from_here = _find(
        places, lambda x: x.where == "packed" and x.thread == fact.thread,
        lambda x: x.where == "on hand" and x.location == fact.location,
    )  # fmt: skip
    return _instead(places, from_here, _at(fact, "left"))


def _sent(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    shelf = _find(places, lambda x: x.where == "on hand" and x.location == fact.location)
    arrived = any(x.thread == fact.thread and x.location != fact.location for x in places)
    return _instead(places, shelf, None if arrived else _at(fact, "on the road"))


def _gone(places: tuple[Place, ...], fact: Fact) -> tuple[Place, ...]:
    here = _find(places, lambda x: x.where in ("on hand", "packed") and x.location == fact.location)
    return _instead(places, here, None) if here else places


_STEPS: Final[dict[Did | Literal["settled"], Callable[[tuple[Place, ...], Fact], tuple[Place, ...]]]] = {
    "received": _come, "found": _come, "returned": _back, "packed": _packed, "unpacked": _unpacked, "sent": _sent,
    "shipped": _shipped, "gone": _gone,
}  # fmt: skip


def _contradiction(state: State) -> str:
    if len(state.places) > 1:
        return f"is in {len(state.places)} places: " + ", and ".join(str(x) for x in state.places)
    return state.doubt


def _case(state: State, contradiction: str) -> OpenCase:
    return OpenCase(
        f"serial/{state.item}/{state.serial}", "value", "serial number", f"Serial {state.serial} of {state.item} {contradiction}",
        "Quantities are as the warehouses told them. Look where the piece really is and have the other place corrected there; or"
        " retry the case to believe the newest word.",
        "warehouse", ACCEPT + PLACES,
    )  # fmt: skip


def summary(state: State, _policy: Policy) -> Summary:
    if _contradiction(state):
        return Summary("contradicted", "somebody to look where it is", "warehouse", number=state.serial)
    phase = state.places[-1].where if state.places else "gone"
    return Summary(phase, done=True, number=state.serial)


def _tell(moved: SerialMoved) -> Tell:
    return Tell(thread_key(KIND, moved.item, moved.serial), moved)


def tell(
    lines: Iterable[ReceivedLine | MovedLine | JudgedLine], did: Did, location: str, thread: str, document: str = "", order: str = ""
) -> list[Intent]:  # fmt: skip
    """What a movement says of its pieces."""
    return [
        _tell(SerialMoved(x.item, serial, did, location, thread, document, order=order, lot=getattr(x, "lot", "")))
        for x in lines
        for serial in x.serials
    ]  # fmt: skip


def tell_packed(packages: Iterable[Package], did: Did, location: str, thread: str) -> list[Intent]:
    """What a shipment says of the pieces in its packages."""
    return [
        _tell(SerialMoved(x.item, serial, did, location, thread, sscc=package.sscc, order=x.order, lot=x.lot))
        for package in packages
        for x in package.lines
        for serial in x.serials
    ]  # fmt: skip


def without(packages: Iterable[Package], others: Iterable[Package]) -> tuple[Package, ...]:
    """Packages with only those pieces that are in none of `others`."""
    there = {(x.item, serial) for package in others for x in package.lines for serial in x.serials}
    return tuple(
        replace(p, lines=tuple(
            replace(x, serials=tuple(s for s in x.serials if (x.item, s) not in there)) for x in p.lines
        ))
        for p in packages
    )  # fmt: skip
