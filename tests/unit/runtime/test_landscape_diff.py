"""What differs between two landscapes, and which processes it concerns."""

from typing import Any

import pytest

from crossdock.landscape import digest, recordable
from crossdock.runtime.landscape_diff import Change, concerned, differences, from_start, restarted


def of(path: str, old: Any, new: Any, file: str = "hub.yaml") -> Change:
    return Change(file, path, old, new)


def test_fields_are_named_by_their_path() -> None:
    """Changed, come and gone, however deep; whole files too; what is the same is not told."""
    old = {"hub.yaml": {"roles": {"erp": "a"}, "policy": {"x": 1, "y": 2}}, "systems/a.yaml": {"name": "a"}}
    new = {"hub.yaml": {"roles": {"erp": "b"}, "policy": {"y": 2, "z": [3]}}, "systems/b.yaml": {"name": "b"}}

    assert differences(old, new) == [
        of("policy.x", 1, None), of("policy.z", None, [3]), of("roles.erp", "a", "b"),
        of("", {"name": "a"}, None, "systems/a.yaml"), of("", None, {"name": "b"}, "systems/b.yaml"),
    ]  # fmt: skip
    assert differences(old, old) == []


def test_a_mapping_that_was_not_there_is_told_by_its_fields() -> None:
    """Else a setting in a new `settings` would not be known for one."""
    assert differences({"hub.yaml": {}}, {"hub.yaml": {"settings": {"port": 1}}}) == [
        of("settings.port", None, 1)
    ]


def test_rules_are_known_by_their_names() -> None:
    """A rule put before others is one difference, and so is another order of them."""
    a, b, c = ({"rule": name, "erp": name} for name in "abc")
    table = lambda *rules: {"routing.yaml": {"orders": list(rules)}}  # noqa: E731

    assert differences(table(a, b), table(c, a, b)) == [
        of("orders[c].erp", None, "c", "routing.yaml"), of("orders[c].rule", None, "c", "routing.yaml"),
    ]  # fmt: skip
    assert differences(table(a, b), table(b, a)) == [
        of("orders (order)", ["a", "b"], ["b", "a"], "routing.yaml")
    ]
    assert differences(table(a, b), table(a | {"erp": "x"}, b)) == [
        of("orders[a].erp", "a", "x", "routing.yaml")
    ]


@pytest.mark.parametrize(
    ("file", "path", "roles"),
    [
        ("systems/a.yaml", "burst", ("delivery",)),
        ("systems/a.yaml", "base_url", ("worker", "delivery", "api")),
        ("systems/a.yaml", "", ("worker", "delivery", "api")),
        ("subscriptions/a.yaml", "", ("delivery",)),
        ("hub.yaml", "settings.lag_events_max", ("api",)),
        ("hub.yaml", "settings.lease_seconds", ("worker", "delivery")),
        ("hub.yaml", "settings.workers", ()),
        ("hub.yaml", "policy.location", ("worker", "delivery", "api")),
        ("routing.yaml", "orders", ("worker", "delivery", "api")),
    ],
)
def test_each_difference_concerns_some_processes(file: str, path: str, roles: tuple[str, ...]) -> None:
    """Whatever is not known to concern few concerns all."""
    assert concerned(Change(file, path, 1, 2)) == roles


def test_roles_start_anew_in_their_order() -> None:
    """Who wishes for effects first, who lets senders in last."""
    assert restarted([of("settings.name", 1, 2), of("settings.lease_seconds", 1, 2)]) == (
        "worker",
        "delivery",
        "api",
    )
    assert from_start([of("settings.port", 1, 2), of("settings.name", 1, 2)]) == [of("settings.port", 1, 2)]


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("postgresql://me:hunter2@db/hub", "postgresql://me:…@db/hub"),
        ("postgresql://me@db/hub?ssl=on&password=hunter2", "postgresql://me@db/hub?ssl=on&password=…"),
        ("postgresql://me@db:5432/hub", "postgresql://me@db:5432/hub"),
    ],
)
def test_the_password_of_the_database_is_not_kept(url: str, kept: str) -> None:
    """It is the one secret that may stand in the files, and no reason for another version."""
    documents = {"hub.yaml": {"settings": {"database_url": url, "port": 1}, "roles": {}}}
    recorded = recordable(documents)

    assert recorded == {"hub.yaml": {"settings": {"database_url": kept, "port": 1}, "roles": {}}}
    assert digest(recorded) == digest(recordable(recorded))
