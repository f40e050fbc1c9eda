"""A label is made anew while the parcel may leave at any moment: one label travels, it is the one on the parcel, and all others are voided.

Carrier and warehouse answer when they like; the truck does not wait for them.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import shipment as s
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.operations import EffectRefused
from crossdock.model.order import LineShipped, LinesShipped
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.processes import blocked, shipment
from crossdock.processes.intents import CloseCase, Do, Intent, OpenCase, Tell, Withdraw
from crossdock.processes.policy import Policy

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
POLICY = Policy(erp="erp", warehouse="wms", carrier="ups")
THREAD = "shipment/wms/S-1"
BOX = s.Package(
    "340123450000000018",
    Quantity(Decimal(1), "KGM"),
    (LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(1))),),
)


class Dock:
    """The parcel, the carrier's labels and the warehouse, which puts on what it is sent until the truck is gone."""

    def __init__(self) -> None:
        self.state: Any = shipment.initial(THREAD)
        self.asked: list[Do] = []
        self.news: list[tuple[msgspec.Struct, str]] = []
        self.made: list[str] = []
        self.voided: list[tuple[str, int]] = []
        self.worn = ""
        self.gone = self.taken_apart = False
        self.told: list[LinesShipped] = []
        self.cases: set[str] = set()
        self.say(s.ShipmentPacked("wms/S-1", "SITE1", (BOX,)))

    def say(self, data: msgspec.Struct, about: str = "") -> None:
        event = Recorded(
            thread=THREAD, type=TYPE_OF[type(data)], data=data, id=repr(data), source="wms", occurred_at=NOW, recorded_at=NOW, about=about,
        )  # fmt: skip
        step = shipment.step(self.state, event, POLICY)
        self.state = step.state
        self.withdrawn: set[str] = set()
        for intent in (*step.intents, *blocked.intents(event)):
            self.carry_out(intent)
        self.cases -= self.withdrawn

    def carry_out(self, intent: Intent) -> None:
        match intent:
            case Do(kind="label.create" | "label.attach" | "label.void"):
                self.asked.append(intent)
            case Withdraw():
                wanted = (intent.kind, intent.object, intent.generation)
                self.withdrawn.add(
                    f"effect of {intent.object}"
                )  # refused ones too: the runtime closes their cases
                self.asked = [x for x in self.asked if (x.kind, x.object, x.generation) != wanted]
            case Tell() if isinstance(intent.data, LinesShipped):
                self.told.append(intent.data)
            case OpenCase():
                self.cases.add(intent.key)
            case CloseCase():
                self.cases.discard(intent.key)

    def act(self, choice: int) -> bool:
        """A partner carries out what it was asked, or one of its answers is heard."""
        ways: list[Any] = [lambda: self.answer(self.asked.pop(0))] if self.asked else []
        ways += [lambda x=x: self.hear(x) for x in self.news]
        if ways:
            ways[choice % len(ways)]()
        return bool(ways)

    def hear(self, news: tuple[msgspec.Struct, str]) -> None:
        self.news.remove(news)
        self.say(*news)

    def answer(self, call: Do) -> None:
        match call.kind:
            case "label.create":
                number = f"1Z{len(self.made) + 1}"
                self.made.append(number)
                packages = (s.LabelledPackage(BOX.sscc, number),)
                self.news.append(
                    (s.LabelGenerated("ups", number, packages, Money(Decimal(5), "EUR")), call.object)
                )
            case "label.void":
                self.voided.append((call.payload.shipment_id, call.generation))  # type: ignore[attr-defined]
            case "label.attach" if self.gone or self.taken_apart:
                refusal = EffectRefused(
                    f"effect of {call.object}", "label.attach", "wms", "409", "it is gone"
                )
                self.news.append((refusal, call.object))
            case "label.attach":
                self.worn = call.payload.packages[0].tracking  # type: ignore[attr-defined]
                self.news.append((s.LabelAttached("wms/S-1"), call.object))

    def reprint(self) -> None:
        self.say(s.LabelReprintRequested("packing desk", "torn"))

    def leave(self) -> None:
        """Nothing leaves without a label on it."""
        if self.worn and not self.gone and not self.taken_apart:
            self.gone = True
            self.news.append((s.ShipmentDeparted("wms/S-1", "SITE1", (BOX,), "ups"), ""))

    def take_apart(self) -> None:
        if not self.gone and not self.taken_apart:
            self.taken_apart = True
            self.news.append((s.ShipmentCancelled("wms/S-1", "stopped"), ""))

    def end(self) -> None:
        for turn in range(500):
            if not self.act(turn * 7):
                return
        raise AssertionError("the world has no end")


STEPS = st.lists(
    st.one_of(st.integers(0, 3), st.sampled_from(["reprint", "reprint", "leave", "apart"])), max_size=14
)


@settings(max_examples=500)
@given(STEPS)
def test_one_label_travels_and_the_others_are_voided(steps: list[Any]) -> None:
    """Whatever overtakes what: orders hear of the departure once, with the number that is on the parcel."""
    dock = Dock()
    for step in steps:
        match step:
            case "reprint":
                dock.reprint()
            case "leave":
                dock.leave()
            case "apart":
                dock.take_apart()
            case choice:
                dock.act(choice)
    dock.end()

    travels = set() if dock.taken_apart else {dock.worn}
    assert {label for label, _ in dock.voided} == set(dock.made) - travels
    assert len({generation for _, generation in dock.voided}) == len(dock.voided), "two voids of one identity"
    assert len(dock.told) == dock.gone
    assert {x.tracking for x in dock.told} <= {(dock.worn,)}
    if not dock.taken_apart:
        assert not dock.cases


def test_a_truck_that_is_faster_takes_the_old_label() -> None:
    """The warehouse refuses the new one: it is voided, nobody is asked, and the orders hear of the old number."""
    dock = Dock()
    for _ in range(4):
        dock.act(0)
    dock.reprint()
    dock.act(0)
    dock.leave()
    dock.end()

    assert [x.tracking for x in dock.told] == [("1Z1",)]
    assert dock.voided == [("1Z2", 1)]
    assert not dock.cases
