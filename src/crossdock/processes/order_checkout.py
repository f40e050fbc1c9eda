"""What an order's checkout claimed, and the order takes over as soon as we hear of it (decision 0027)."""

from typing import Final

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.processes.intents import Intent, Publish, Takes
from crossdock.processes.order_state import State
from crossdock.processes.policy import Policy

KEPT_ROUNDS: Final = 2
"""For so many rounds in which the order asks again its claim is kept: one may be late."""


def waits(state: State) -> bool:
    """The claim is to be taken over, whatever else the order still waits for."""
    return bool(state.checkout) and state.checkout_was in ("", "kept")


def at_once(state: State) -> bool:
    """Stock is set aside before anything is checked: what was claimed for the order is its own, whatever it is changed to."""
    return waits(state) or state.checkout_was == "taken"


def takes(state: State, policy: Policy) -> Takes | None:
    """What the order asks for besides stock of its own."""
    if not waits(state):
        return None
    return Takes(state.checkout, state.channel, KEPT_ROUNDS * policy.recheck_seconds)


def heard(state: State, event: Recorded) -> State:
    """The ledger's answer, granted or refused, says what became of it."""
    took = event.data.took
    return msgspec.structs.replace(state, checkout_was=took.outcome) if took else state


def freed(event: Recorded) -> list[Intent]:
    """What the checkout claimed and the order does not want may be sold again."""
    took = event.data.took
    return [Publish(x.place.item, x.place.location) for x in took.released] if took else []
