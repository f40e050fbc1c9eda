"""Which effects a hold covers: by target, key, lane, system, item, cause, kind, and up to where a drain lets them go."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crossdock.store.effects import lane_of
from crossdock.store.holds import Hold, Index

THEN = datetime(2026, 3, 1, tzinfo=UTC)


def hold(scope: Any, name: str, kind: str = "", up_to: int | None = None) -> Hold:
    return Hold(1, "hold", scope, name, kind, up_to, "why", "ops", "kim", THEN, None, None, 1)


def effect(**more: Any) -> Any:
    usual = {
        "kind": "goods_issue.post",
        "thread_key": "order/shop/7",
        "lane": lane_of("sap", "shop/7"),
        "seq": 9,
        "marks": (),
    }
    return SimpleNamespace(**usual | more)


@pytest.mark.parametrize(
    ("held", "covers"),
    [
        (hold("target", "sap"), True),
        (hold("target", "crm"), False),
        (hold("target", "sap", "goods_issue.post"), True),
        (hold("target", "sap", "invoice.release"), False),
        (hold("target", "sap", up_to=9), False),
        (hold("target", "sap", up_to=8), True),
        (hold("key", "order/shop/7"), True),
        (hold("key", "order/shop/70"), False),
        (hold("key", "shop/7"), True),
        (hold("key", "order/shop"), False),
        (hold("system", "shop"), True),
        (hold("system", "sho"), False),
        (hold("item", "WID-1"), True),
        (hold("item", "WID"), False),
        (hold("cause", "refused by target"), True),
        (hold("cause", "answer lost"), False),
        (hold("cause", "WID-1"), False),
    ],
)
def test_a_hold_covers_what_it_names(held: Hold, covers: bool) -> None:
    """And nothing that is only called alike."""
    marked = effect(marks=(("item", "WID-1"), ("cause", "refused by target")))

    assert Index("sap", [held]).over(marked) == (held if covers else None)


def test_without_holds_nothing_is_looked_at() -> None:
    """A hold on another target is none for this account: its effects cost nothing."""
    assert not Index("sap", [hold("target", "crm")])
    assert not Index("sap", [hold("key", "x")]).needs_marks
    assert Index("sap", [hold("item", "WID-1")]).needs_marks
