"""What a correction changes, as people see it: exact where it may be shown, hidden where it is personal."""

from crossdock.connect.changes import Change
from crossdock.views.corrections import changes, promotable


def test_values_are_exact_and_personal_ones_hidden() -> None:
    """A price is shown as it was written; of a street only that it differs."""
    before = b'{"price": 1.10, "shipping_address": {"address1": "Ring 1"}, "lines": [{"unit": "STK"}]}'
    after = b'{"price": 1.1, "shipping_address": {"address1": "Ring 2"}, "lines": [{"unit": "PCE"}]}'

    found = changes(before, after, set(), personal=True)

    assert found.changes == [
        Change("/price", "1.10", "1.1"), Change("/shipping_address/address1", '"•••"', '"•••"'),
        Change("/lines/0/unit", '"STK"', '"PCE"'),
    ]  # fmt: skip
    assert found.hidden == 1
    assert [x.path for x in promotable(found)] == ["/price", "/lines/*/unit"]


def test_a_known_value_is_hidden_wherever_it_stands() -> None:
    """A name in a field that nobody would think of."""
    found = changes(b'{"x": "for Ann"}', b'{"x": "for Bob"}', {"Ann", "Bob"}, personal=True)

    assert found.hidden == 1
    assert "Ann" not in str(found.changes)
    assert promotable(found) == []


def test_other_bodies_are_compared_by_line() -> None:
    """A changed, an added and a removed line, each with its number."""
    found = changes(b"HDR+1\nLIN+STK\nEND", b"HDR+1\nLIN+PCE\nFTX\nEND", set(), personal=False)

    assert found.changes == [
        Change("line 2", "LIN+STK", "LIN+PCE"), Change("line 3", "(not there)", "FTX"),
    ]  # fmt: skip
    assert promotable(found) == []


def test_what_cannot_be_masked_is_not_shown() -> None:
    """Personal and neither JSON nor XML: that it differs, and nothing else."""
    found = changes(b"NAD+Ann", b"NAD+Bob", set(), personal=True)

    assert (len(found.changes), found.hidden) == (1, 1)
    assert "Ann" not in str(found.changes)


def test_what_is_added_is_no_rule() -> None:
    """A rule puts one value for another; a missing field has none."""
    found = changes(b'{"a": 1}', b'{"a": 1, "b": {"c": 2}}', set(), personal=False)

    assert promotable(found) == []
