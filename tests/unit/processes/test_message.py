"""A message that nobody could read: a case until it is corrected or can be read."""

from datetime import UTC, datetime

import pytest

from crossdock.model.envelope import Recorded
from crossdock.model.operations import MessageCorrected, MessageNotTranslated, MessageReadAgain
from crossdock.model.registry import TYPE_OF
from crossdock.processes import message
from crossdock.processes.intents import CloseCase, OpenCase
from crossdock.processes.policy import Policy

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
UNREAD = MessageNotTranslated("shop", "webhooks", "value", "/line_items/3/sku", "no SKU", "1")


def event(data) -> Recorded:
    return Recorded(
        thread="message/1",
        type=TYPE_OF[type(data)],
        data=data,
        id="e",
        source="x",
        occurred_at=AT,
        recorded_at=AT,
    )


def test_equal_causes_are_one_case() -> None:
    """The same field of another line has the same fingerprint; the thread waits for a correction."""
    first = message.step(message.initial("message/1"), event(UNREAD), Policy())
    other = MessageNotTranslated("shop", "webhooks", "value", "/line_items/0/sku", "no SKU", "2")
    second = message.step(message.initial("message/2"), event(other), Policy())

    [one], [two] = first.intents, second.intents
    assert isinstance(one, OpenCase)
    assert isinstance(two, OpenCase)
    assert one.fingerprint == two.fingerprint
    stands = message.summary(first.state, Policy())
    assert (stands.phase, stands.done) == ("not translated", False)
    assert "/line_items/3/sku" in stands.waiting_on


@pytest.mark.parametrize(
    ("data", "phase", "because"),
    [
        (MessageCorrected(7, "Ann", "the shop says four", ("order/shop/1",)), "corrected", "Ann corrected it (K-7): the shop says four"),
        (MessageReadAgain(3, "Ann", "the mapping knows it", ()), "read again", "replay R-3 read it: the mapping knows it"),
    ],
)  # fmt: skip
def test_it_is_settled_with_the_reason(data, phase: str, because: str) -> None:
    """The case closes and says who and why; the thread is done."""
    state = message.step(message.initial("message/1"), event(UNREAD), Policy()).state

    step = message.step(state, event(data), Policy())

    assert step.intents == (CloseCase("", because),)
    stands = message.summary(step.state, Policy())
    assert (stands.phase, stands.done) == (phase, True)
