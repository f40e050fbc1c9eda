"""A lot is recalled that goods of an order are of: whatever has not left is taken back, and claimed anew from other lots."""

import msgspec

from crossdock.model.envelope import HUB, Recorded
from crossdock.model.stock import LotRecalled
from crossdock.processes.intents import CloseCase, Intent, OpenCase, Step
from crossdock.processes.lines import Line
from crossdock.processes.order_lines import Told, move_lines, published
from crossdock.processes.order_parts import roll_up
from crossdock.processes.order_release import ask_to_stop, taken_off
from crossdock.processes.order_state import CLOSED, Release, State
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import ACCEPT

RECALL = "recall"
RECALLS_MAX = 20
replace = msgspec.structs.replace


def lots_in_house(state: State) -> tuple[tuple[str, str], ...]:
    """(item, lot) of what is set aside or worked on and has not left."""
    return tuple(dict.fromkeys((x.item, x.lot) for x in state.lines if x.lot and _in_house(x)))


def _in_house(line: Line) -> bool:
    return line.reserved + line.allocated + line.picked > 0


def recalled(state: State, event: Recorded, policy: Policy) -> Step:
    """What nobody works on goes back at once; a warehouse is asked to stop, and what it stops is claimed anew."""
    data: LotRecalled = event.data
    if event.source != HUB or data.lifted or state.phase in CLOSED:
        return Step(state, (), "ignored")
    mine = [x for x in state.lines if (x.item, x.lot) == (data.item, data.lot) and _in_house(x)]
    if not mine or event.id in state.recalls:
        return Step(state, (), "duplicate" if mine else "stale")
    back = [Told(x.line, x.item, x.reserved, x.lot) for x in mine if x.release < 0]
    state, moves, _ = move_lines(state, back, "open", goal="available", ways=("reserved",))
    numbers = {x.release for x in mine if x.release >= 0}
    worked_on = [x for x in state.releases if x.number in numbers and x.cancel != "agreed"]
    state, asked = ask_to_stop(state, worked_on, f"lot {data.lot} of {data.item} is recalled")
    marked = {x.number for x in worked_on}
    releases = tuple(replace(x, because=RECALL) if x.number in marked else x for x in state.releases)
    state = replace(state, releases=releases, recalls=(*state.recalls, event.id)[-RECALLS_MAX:])
    case = [_case(state, data, worked_on)] if worked_on else []
    return Step(state, (*moves, *published(moves), *asked, *case))


def _case(state: State, data: LotRecalled, working: list[Release]) -> OpenCase:
    where = ", ".join(dict.fromkeys(x.warehouse for x in working))
    return OpenCase(
        f"recall/{data.item}/{data.lot}/{state.reference}", "value", "recall",
        f"Order {state.number} has goods of lot {data.lot} of {data.item}, which is recalled"[:200],
        f"{data.reason}. {where} is asked to stop: what it stops is packed anew from other lots, and the case closes by itself."
        " What it cannot stop, take off the truck or settle with the customer; then retry the case.",
        "warehouse", ACCEPT + RECALL,
    )  # fmt: skip


def stopped(state: State, policy: Policy, *, accepted: bool) -> Step:
    """A warehouse's answer to a recall. Refused, its case waits for a person."""
    from crossdock.processes.order_trouble import claim_backorders

    if not accepted:
        return Step(roll_up(state))
    state, moves = taken_off(state)
    closed: list[Intent] = []
    if not any(x.because == RECALL and x.cancel != "agreed" for x in state.releases):
        closed.append(CloseCase(ACCEPT + RECALL, "nothing of it will leave"))
    step = claim_backorders(state, policy)
    assert isinstance(step.state, State)
    return Step(roll_up(step.state), (*moves, *closed, *step.intents))


def over(state: State) -> list[Intent]:
    """Nothing of the order as it was will leave any more."""
    asked = any(x.because == RECALL for x in state.releases)
    return [CloseCase(ACCEPT + RECALL, "nothing of it will leave")] if asked else []


def accepted(state: State, event: Recorded, _policy: Policy) -> Step:
    """A person settled what could not be stopped."""
    if event.data.what != RECALL:
        return Step(state, (), "ignored")
    return Step(state, (CloseCase(ACCEPT + RECALL, f"{event.data.by or 'somebody'} settled it"),))
