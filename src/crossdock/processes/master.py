"""Master data records: each kind has one authority, whose word replaces the last; who waits for a record is told when
it comes, in the order they asked.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from crossdock.model import master
from crossdock.model.envelope import Recorded
from crossdock.model.gs1 import is_gln
from crossdock.model.registry import encode
from crossdock.model.thread import reference_of
from crossdock.processes.intents import Bind, CloseCase, Do, Intent, OpenCase, Step, Summary, Tell
from crossdock.processes.policy import Policy

VERSION = 1
WAITING_MAX = 5000
ANYBODY: Final = "any"
"""Issuer of a code that all systems use."""
replace = msgspec.structs.replace
_DEFINED: Final[dict[str, str]] = {
    "item.defined.v1": "item", "customer.defined.v1": "customer", "location.defined.v1": "location",
    "carrier.defined.v1": "carrier", "codeList.published.v1": "codelist",
}  # fmt: skip


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`record` is the last definition as JSON; `now` the code or number that stands in its place."""

    code: str = ""
    record: str = ""
    version: int = 0
    sequence: int | None = None
    now: str = ""
    asked: int = 0
    waiting: tuple[master.MasterDataAwaited, ...] = ()
    codes: tuple[str, ...] = ()
    """`system/code` of every foreign code bound to it."""


def initial(thread: str) -> State:
    return State(code=reference_of(thread))


def step(state: State, event: Recorded, policy: Policy) -> Step:
    match event.type:
        case "masterData.awaited.v1":
            return _awaited(state, event, policy)
        case "item.changed.v1":
            return _ask(state, policy)
        case "item.renamed.v1":
            return _replaced(state, event, "item", event.data.now, policy)
        case "customer.merged.v1":
            return _replaced(state, event, "customer", event.data.into, policy)
        case type_ if type_ in _DEFINED:
            return _defined(state, event, _DEFINED[type_], policy)
        case _:
            return Step(state, (), "ignored")


def _defined(state: State, event: Recorded, kind: str, policy: Policy) -> Step:
    """The authority's word; anybody else's is put before a person, an older version changes nothing."""
    if not _may_say(event, kind, policy):
        return Step(state, (_not_theirs(event, kind, policy),), "ignored")
    data: Any = event.data
    newer = data.version if kind == "codelist" else event.sequence
    if state.record and newer is not None and state.sequence is not None and newer <= state.sequence:
        return Step(state, (), "duplicate" if newer == state.sequence else "stale")
    gln = getattr(data, "gln", "")
    if gln and not is_gln(gln):
        return Step(state, (_no_gln(event, gln),), "ignored")
    text = encode(data).decode()
    codes = tuple(f"{x.system}/{x.code}" for x in getattr(data, "codes", ()))
    codes += (f"{ANYBODY}/{gln}",) if gln else ()
    told = tuple(_tell(state, kind, waiting) for waiting in state.waiting)
    bound = tuple(Bind(f"{kind}-code", *x.split("/", 1)) for x in codes if x not in state.codes)
    fresh = replace(
        state, record=text, version=state.version + (text != state.record), sequence=newer, waiting=(),
        codes=tuple(dict.fromkeys((*state.codes, *codes))),
    )  # fmt: skip
    right = CloseCase("gln", "it was defined with another number")
    return Step(fresh, (*bound, *told, CloseCase("authority", "its authority defined it"), right))


def _may_say(event: Recorded, kind: str, policy: Policy) -> bool:
    """A receipt of what we asked, the authority itself, or an operator; where no authority is named, anybody."""
    authority = policy.master_authority.get(kind, "")
    return not authority or event.source == authority or event.source.startswith("operator/")


def _not_theirs(event: Recorded, kind: str, policy: Policy) -> OpenCase:
    authority = policy.master_authority[kind]
    return OpenCase(
        f"authority/{event.source}/{kind}", "authorisation", "not the authority",
        f"{event.source} defines {kind}s, which is {authority}'s part",
        f"Nothing of it was applied. Maintain {kind}s in {authority}, or name {event.source} in policy.master_authority.",
        "master data", "authority",
    )  # fmt: skip


def _no_gln(event: Recorded, gln: str) -> OpenCase:
    """Two places would be taken for one, or one for none: a number that was mistyped is not bound."""
    return OpenCase(
        f"gln/{event.thread}", "value", "master data", f"{gln} is no Global Location Number",
        f"Nothing of what {event.source} said was applied: a GLN has 13 digits, and the last must be the GS1 check digit of"
        " the others. Correct it there, and send it again.", "master data", "gln",
    )  # fmt: skip


def _awaited(state: State, event: Recorded, policy: Policy) -> Step:
    """Who needs it hears of it: at once where it is there, else when it comes. Its authority is asked meanwhile."""
    waiting: master.MasterDataAwaited = event.data
    if state.record:
        return Step(state, (_tell(state, event.thread.partition("/")[0], waiting),))
    if waiting in state.waiting or len(state.waiting) >= WAITING_MAX:
        return Step(state, (), "duplicate" if waiting in state.waiting else "ignored")
    state = replace(state, waiting=(*state.waiting, waiting))
    return Step(state) if state.asked else _ask(state, policy)


def _tell(state: State, kind: Any, waiting: master.MasterDataAwaited) -> Tell:
    return Tell(waiting.thread, master.MasterDataArrived(kind, state.code, waiting.called))


def _ask(state: State, policy: Policy) -> Step:
    """Only items can be asked for; what else is missing comes by itself or through a person."""
    authority = policy.master_authority.get("item", "")
    if not authority or not policy.item_fetch:
        return Step(state)
    do = Do("item.fetch", authority, state.code, master.FetchItem(state.code), state.code, state.asked)
    return Step(replace(state, asked=state.asked + 1), (do,))


def _replaced(state: State, event: Recorded, kind: str, now: str, policy: Policy) -> Step:
    """Renamed or merged: whoever names the old one means the new one."""
    if not _may_say(event, kind, policy):
        return Step(state, (_not_theirs(event, kind, policy),), "ignored")
    if state.now == now:
        return Step(state, (), "duplicate")
    told: tuple[Intent, ...] = tuple(Tell(f"{kind}/{now}", waiting) for waiting in state.waiting)
    found = (
        (Bind(f"{kind}-code", ANYBODY, now),) if kind == "item" else ()
    )  # a customer's other number has a record
    return Step(replace(state, now=now, waiting=()), (*found, *told))


def summary(state: State, _policy: Policy) -> Summary:
    if state.now:
        return Summary(f"now {state.now}", done=True)
    if state.record:
        return Summary("defined", done=True)
    if state.waiting:
        return Summary("missing", "its authority to define it", "master data")
    return Summary("unknown", done=True)


def _kind(name: str) -> Any:
    make: Callable[[str], State] = initial
    return SimpleNamespace(KIND=name, VERSION=VERSION, State=State, initial=make, step=step, summary=summary)


KINDS: Final = tuple(_kind(name) for name in master.KINDS)
