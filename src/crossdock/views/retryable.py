"""Which things a case blocks can be moved on by retrying it, told by the key under which they are linked."""

from crossdock.processes.receiving import ACCEPT
from crossdock.processes.stock import UNBOOKED

EFFECT_KEY_LENGTH = 36
HOLD = "hold/"
FREIGHT = "freight/"


def retryable(key: str) -> bool:
    """An effect, a parked thread, an order that is checked again, a hold that is released, a freight bill accepted, goods
    accepted as they came, a move booked that did not come out even.
    """
    return (
        len(key) == EFFECT_KEY_LENGTH
        or key in ("hold", "parked")
        or key.startswith((HOLD, FREIGHT, ACCEPT, UNBOOKED))
    )
