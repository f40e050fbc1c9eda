"""What a subscriber gets of an event: what its list names, and nothing else."""

import json
from datetime import UTC, datetime

import pytest

from crossdock.runtime.projection import message_id, objection, project

ROW = {
    "event_id": "webhook-77/secret-number", "source": "shopify-eu", "type": "order.received.v1", "thread_key": "order/shopify-eu/1",
    "occurred_at": datetime(2026, 11, 25, 10, tzinfo=UTC), "recorded_at": datetime(2026, 11, 25, 11, tzinfo=UTC), "sequence": None,
    "data": json.dumps({
        "number": "#1", "total": {"amount": "12.10", "currency": "EUR"}, "note": "ring twice",
        "lines": [{"item": "WID-1", "price": "5.00"}, {"item": "MUG-1", "price": "2.10"}],
    }).encode(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        (("data.number",), {"number": "#1"}),
        (("data.total.currency",), {"total": {"currency": "EUR"}}),
        (("data.total", "data.total.currency"), {"total": {"amount": "12.10", "currency": "EUR"}}),
        (("data.lines.item",), {"lines": [{"item": "WID-1"}, {"item": "MUG-1"}]}),
        (("data.nothing", "data.number.deeper"), {"number": {}}),
        (("subject",), {}),
    ],
)
def test_only_what_is_named_is_sent(fields: tuple[str, ...], data: object) -> None:
    """Paths go through objects and lists; what is not there is left out, what is not named never appears."""
    body = json.loads(project(ROW, fields))

    assert body["data"] == data
    assert set(body) == {"id", "type", "time", "data"} | ({"subject"} if "subject" in fields else set())
    assert "secret-number" not in json.dumps(body)
    assert "ring twice" not in json.dumps(body)


def test_an_id_is_stable_and_tells_nothing() -> None:
    """The same event has the same id in every attempt; the source's own id cannot be read from it."""
    assert message_id(ROW) == message_id(dict(ROW))
    assert message_id(ROW) != message_id(ROW | {"source": "other"})
    assert "77" not in message_id(ROW)[:8]


@pytest.mark.parametrize(
    "path", ["", "data", "data.", "data..x", "*", "data.*", "people", "id", "Data.x", "data.x-y"]
)
def test_what_names_no_field_is_refused(path: str) -> None:
    """Above all the whole of `data`: there is no "everything"."""
    assert objection(path)
