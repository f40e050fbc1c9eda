"""Conditions over events: what they see, and how a wrong one is told."""

import pytest

from crossdock.condition import compile_condition
from crossdock.errors import Misconfigured

EVENT = {
    "id": "e-1", "source": "sap-1", "type": "order.checked.v1", "subject": "order/shopify-eu/1", "time": "2026-11-25T10:00:00Z",
    "data": {"amount": {"amount": "12.10", "currency": "EUR"}, "lines": [{"item": "WID-1", "quantity": 3}]},
}  # fmt: skip

MATCHES = (
    "type == 'order.checked.v1'",
    "subject.startsWith('order/') && source in ['sap-1', 'sap-2']",
    "data.amount.amount == '12.10'",
    "double(data.amount.amount) > 12.0",
    "data.lines.exists(l, l.item == 'WID-1' && l.quantity >= 3)",
    "timestamp(time) > timestamp('2026-01-01T00:00:00Z')",
    "!has(data.reason)",
)
DOES_NOT = (
    "type == 'order.received.v1'",
    "data.nothing == 'x'",
    "data.nothing.at.all == 'x'",
    "data.amount.amount > 12",
    "1 / 0 == 1",
    "type",
)
WRONG = {
    "type ==": "column 8",
    "type = 'x'": "column 6",
    "true && tpye == 'x'": "column 9: there is no tpye",
    "lower(type) == 'x'": "column 1: there is no function lower",
    "type == '" + "x" * 1000 + "'": "longer than 1000",
    "(" * 400 + "1": "column",
}


@pytest.mark.parametrize("text", MATCHES)
def test_it_matches(text: str) -> None:
    """Fields of the envelope and of the data can be compared, searched and converted."""
    assert compile_condition(text, "--where")(EVENT)


@pytest.mark.parametrize("text", DOES_NOT)
def test_it_does_not_match(text: str) -> None:
    """A field that is not there, values of another type and a result that is not true are no match, and no error."""
    assert not compile_condition(text, "--where")(EVENT)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_one_names_its_place(text: str) -> None:
    """What cannot be read, and names that no event has, are refused before anything runs."""
    with pytest.raises(Misconfigured) as found:
        compile_condition(text, "--where")

    assert found.value.setting == "--where"
    assert WRONG[text] in found.value.reason
