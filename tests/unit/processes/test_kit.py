"""Every process keeps the kit's rules, ours and the worked example of the documentation; the kit sees who does not."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.order import HoldPlaced, HoldReleased, OrderReceived
from crossdock.model.registry import EVENTS, decode
from crossdock.processes.catalogue import PROCESSES, Process, process_of
from crossdock.processes.intents import Step, Summary, Tell
from crossdock.processes.kit import faults
from crossdock.processes.policy import Policy

SAMPLES = Path(__file__).parents[1] / "model" / "samples"
HOWTO = Path(__file__).parents[3] / "docs" / "howto" / "own-process.md"
START = datetime(2026, 1, 15, 8, tzinfo=UTC)


def events(types: list[str]) -> Iterator[Recorded]:
    for number, type_ in enumerate(types):
        at = START + timedelta(minutes=number)
        data = decode(type_, (SAMPLES / f"{type_}.json").read_bytes())
        yield Recorded(
            thread="order/shop/1", type=type_, data=data, id=str(number), source="wms-1", occurred_at=at, recorded_at=at, about="S-1",
        )  # fmt: skip


def documented() -> Any:
    """The example as it stands in the howto."""
    [code] = [x for x in re.findall(r"```python\n(.*?)```", HOWTO.read_text(), re.DOTALL) if "LISTENS" in x]
    names: dict[str, Any] = {"__name__": "acme_fraud"}
    exec(compile(code, str(HOWTO), "exec"), names)
    return SimpleNamespace(**names)


EVERY = {**PROCESSES, "fraud": process_of(documented())}


@pytest.mark.parametrize("kind", sorted(EVERY))
@settings(max_examples=60)
@given(types=st.lists(st.sampled_from(sorted(EVENTS)), max_size=30))
def test_a_process_keeps_the_rules(kind: str, types: list[str]) -> None:
    """Whatever comes in whatever order: pure, total, storable, and with something to say."""
    assert faults(EVERY[kind], events(types), Policy(unknown_item="hold", shortage="backorder")) == []


class _Dice(msgspec.Struct, frozen=True):
    rolled: Decimal = Decimal(0)


def test_the_kit_sees_a_process_that_is_not_pure() -> None:
    """Two outcomes for one event, and a fault on another."""
    rolls = iter(range(1000))

    def step(state: _Dice, event: Recorded, _: Policy) -> Step:
        if event.type == "order.released.v1":
            raise ValueError("not this one")
        return Step(_Dice(Decimal(next(rolls))))

    dice = Process("dice", 1, _Dice, lambda _: _Dice(), step, lambda _, __: Summary("rolled"))

    assert faults(dice, events(["order.received.v1"]), Policy()) == [
        "dice on order.received.v1: the same event on the same state has two outcomes"
    ]
    assert faults(dice, events(["order.released.v1"]), Policy()) == [
        "dice on order.released.v1: raises ValueError: not this one"
    ]


@pytest.mark.parametrize(("amount", "told"), [("1000.00", HoldReleased), ("1000.01", HoldPlaced)])
def test_the_documented_fraud_check_holds_above_its_limit(amount: str, told: type) -> None:
    """Exactly the limit is not above it."""
    fraud = documented()
    order = OrderReceived("#1", "shop/1", "shop", (), Money(Decimal(amount), "EUR"))
    event = next(events(["order.received.v1"]))
    step = fraud.step(fraud.State(), msgspec.structs.replace(event, data=order), Policy())

    [tell] = step.intents
    assert isinstance(tell, Tell)
    assert (tell.thread, type(tell.data)) == ("order/shop/1", told)
