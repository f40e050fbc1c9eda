"""One thread of goods, its events, and the real ledger's arithmetic under it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.operations import TimerFired
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimRefused, StockPlace
from crossdock.processes import intents as i
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.policy import Policy
from crossdock.store import stock
from crossdock.store.held import Held

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def qty(value: int | Decimal, unit: str = "EA") -> Quantity:
    return Quantity(Decimal(value), unit)


@dataclass
class Goods:
    """A thread in a small world: it hears events one by one, and its moves are settled as the ledger would."""

    thread: str
    policy: Policy
    state: Any = None
    balances: dict[stock.Key, stock.Balance] = field(default_factory=dict)
    claims: dict[str, Held] = field(default_factory=dict)
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    short: list[Any] = field(default_factory=list)
    done: list[i.Do] = field(default_factory=list)
    cases: dict[str, i.OpenCase] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    answers: list[msgspec.Struct] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = PROCESSES[self.thread.partition("/")[0]]
        self.state = self.process.initial(self.thread)

    def hear(
        self, data: msgspec.Struct, source: str = "wms-1", *, about: str = "", sequence: int | None = None
    ) -> str:
        """The verdict. What the ledger answers to a claim waits in `answers`."""
        at = NOW + timedelta(seconds=len(self.verdicts))
        event = Recorded(
            thread=self.thread, type=TYPE_OF[type(data)], data=data, id=f"e{len(self.verdicts)}", source=source,
            occurred_at=at, recorded_at=at, about=about, sequence=sequence,
        )  # fmt: skip
        step = self.process.step(self.state, event, self.policy)
        packed = msgspec.msgpack.Encoder(decimal_format="string").encode(step.state)
        self.state = msgspec.msgpack.decode(packed, type=self.process.state)
        self.verdicts.append(step.verdict)
        self._settle(step.intents, event)
        for intent in step.intents:
            self._note(intent)
        return step.verdict

    def _note(self, intent: i.Intent) -> None:
        match intent:
            case i.Do():
                self.done.append(intent)
            case i.OpenCase():
                self.cases[intent.key] = intent
            case i.CloseCase():
                self.cases.pop(intent.key, None)
            case i.SetTimer():
                self.timers[intent.name] = intent.after_seconds
            case i.ClearTimer():
                self.timers.pop(intent.name, None)

    def _settle(self, intents: tuple[i.Intent, ...], event: Recorded) -> None:
        wanted = [x for x in intents if isinstance(x, i.Move | i.Claim)]
        wishes = [stock.Wish(x, b"", self.thread, event.id, event.occurred_at) for x in wanted]
        for x in wanted:
            places = stock.places_of(x) if isinstance(x, i.Claim) else {stock.key_of(x.place): x.unit}
            for key, unit in places.items():
                self._balance(key, unit)
        settled = stock.settle(wishes, self.balances, 0, self.claims)
        self.claims = settled.claims
        self.entries += settled.entries
        self.short += settled.short
        self.answers += [ClaimGranted(w.what.claim, got, missing) for w, got, missing in settled.granted]  # type: ignore[union-attr]
        self.answers += [ClaimRefused(w.what.claim, missing) for w, missing in settled.refused]  # type: ignore[union-attr]
        assert all(value >= 0 for balance in self.balances.values() for value in balance.buckets.values())

    def _balance(self, key: stock.Key, unit: str = "EA") -> stock.Balance:
        if key not in self.balances:
            empty = dict.fromkeys(stock.BUCKETS, Decimal(0))
            self.balances[key] = stock.Balance(len(self.balances), key, unit, empty, False, 0, None)
        return self.balances[key]

    def stocked(self, place: StockPlace, quantity: int | Decimal) -> None:
        """What lay there before."""
        self._balance(stock.key_of(place)).buckets["available"] += Decimal(quantity)

    def answered(self) -> None:
        """The thread hears what the ledger said to its claim."""
        while self.answers:
            self.hear(self.answers.pop(0), "crossdock")

    def fire(self, timer: str) -> None:
        del self.timers[timer]
        self.hear(TimerFired(timer), "crossdock")

    def buckets(self, location: str = "", **where: str) -> dict[str, Decimal]:
        """What stands there by bucket, added up over the balances that fit; nothing where it is zero."""
        found: dict[str, Decimal] = {}
        for key, balance in self.balances.items():
            place = StockPlace(*key)
            if location in ("", place.location) and all(getattr(place, k) == v for k, v in where.items()):
                for name, value in balance.buckets.items():
                    if value:
                        found[name] = found.get(name, Decimal(0)) + value
        return found

    def asked(self, kind: str) -> list[Any]:
        return [x.payload for x in self.done if x.kind == kind]

    @property
    def summary(self) -> i.Summary:
        return self.process.summary(self.state, self.policy)
