"""A claim as the ledger holds it: what each of its lines set aside, and what became of that. Pure.

Its quantities stand in the claim's bucket of the balances; only moves that name the claim use them up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from crossdock.model.stock import Bucket, StockPlace
from crossdock.processes.intents import ClaimKind

State = Literal["pending", "partly_posted", "posted", "released", "expired", "refused", "taken_over"]
Key = tuple[str, str, str, str, str]
ZERO = Decimal(0)
CLAIMED: dict[ClaimKind, Bucket] = {"soft": "soft_claim", "firm": "firm_claim"}
"""The bucket in which a claim's quantities stand."""


def key_of(place: StockPlace) -> Key:
    return (place.item, place.location, place.lot, place.owner, place.possessor)


@dataclass(slots=True)
class HeldLine:
    """One line's share of one balance, in the balance's unit; what is neither posted nor released is open."""

    line: str
    balance: int
    key: Key
    unit: str
    quantity: Decimal
    posted: Decimal = ZERO
    released: Decimal = ZERO
    changed: bool = False

    @property
    def open(self) -> Decimal:
        return self.quantity - self.posted - self.released


@dataclass(slots=True)
class Held:
    """`state` is kept by `settle_state`; `thread` hears of what happens to it without being asked."""

    id: str
    thread: bytes
    thread_key: str
    kind: ClaimKind
    state: State
    lines: list[HeldLine] = field(default_factory=list)
    expires_at: datetime | None = None
    ended: bool = False
    changed: bool = False
    channel: str = ""
    """Whose orders may take it over."""
    taken_by: str = ""
    """The thread of the order that took it over, or for which it is kept."""

    @property
    def bucket(self) -> Bucket:
        return CLAIMED[self.kind]

    @property
    def open(self) -> Decimal:
        """Of units that may differ: good for asking whether there is anything."""
        return sum((x.open for x in self.lines), ZERO)

    def at(self, key: Key, line: str = "") -> Iterator[HeldLine]:
        """Open shares of a balance, those of the named line first."""
        found = [x for x in self.lines if x.key == key and x.open > ZERO]
        yield from sorted(found, key=lambda x: x.line != line)

    def use(self, key: Key, line: str, quantity: Decimal, *, back: bool) -> Decimal:
        """Mark up to `quantity` of a balance as released (`back`) or posted; returns how much that was."""
        left = quantity
        for share in self.at(key, line):
            here = min(left, share.open)
            if here <= ZERO:
                break
            if back:
                share.released += here
            else:
                share.posted += here
            share.changed = True
            left -= here
        if left < quantity:
            self.settle_state()
        return quantity - left

    def settle_state(self, *, expired: bool = False) -> None:
        """The state that its lines say."""
        assert all(x.posted >= ZERO and x.released >= ZERO and x.open >= ZERO for x in self.lines), self
        posted = any(x.posted > ZERO for x in self.lines)
        self.changed = True
        self.ended = self.open == ZERO
        if not self.ended:
            self.state = "partly_posted" if posted else "pending"
        elif expired:
            self.state = "expired"
        elif not posted:
            self.state = "released"
        else:
            self.state = "partly_posted" if any(x.released > ZERO for x in self.lines) else "posted"
