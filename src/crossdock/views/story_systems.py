"""Each system's row: what it acknowledged last, under which number, and whether it is in step."""

from datetime import datetime
from typing import Any

from crossdock.model.registry import decode
from crossdock.views.names import Names
from crossdock.views.story_material import Material
from crossdock.views.story_shape import Standing, SystemRow
from crossdock.views.words import ask, happened, tried

_QUIET = frozenset({"milestone.record", "tracking.subscribe"})
"""A later acknowledgement of these says less than an earlier one of anything else with a document."""


def systems(m: Material, names: Names) -> list[SystemRow]:
    """Systems that have to do with this thread, in the order of the landscape's roles."""
    touched = {f["account"] for f in m.effects} | {
        e["source"] for e in m.events if e["source"] in names.roles
    }
    order = list(dict.fromkeys((*names.systems, *sorted(touched))))
    return [_row(m, system, names) for system in order if system in touched]


def _row(m: Material, system: str, names: Names) -> SystemRow:
    effects = [f for f in m.effects if f["account"] == system]
    said, document, at = _acknowledged(m, system, effects, names)
    standing, trouble, effect = _standing(effects, names)
    failing = m.failing.get(system)
    return SystemRow(
        system, names.of(system), names.roles.get(system, ""), said, document, at,
        sum(f["attempts"] for f in effects), standing, trouble, effect, len(effects),
        failing["failing_since"] if failing else None,
    )  # fmt: skip


def _acknowledged(
    m: Material, system: str, effects: list[Any], names: Names
) -> tuple[str, str, datetime | None]:
    """The newest word of the system: its own message, or an effect that it did."""
    done = [f for f in effects if f["state"] == 10]
    newest = max(done, key=lambda f: f["settled_at"], default=None)
    event = next((e for e in m.events if e["source"] == system and e["effect"] is None), None)
    numbered = max(
        (f for f in done if f["document"] and f["kind"] not in _QUIET),
        key=lambda f: f["settled_at"],
        default=None,
    )
    document = numbered["document"] if numbered else ""
    if event is not None and (newest is None or event["recorded_at"] >= newest["settled_at"]):
        data = decode(event["type"], event["data"])
        return happened(event["type"], names.of(system), data), document, event["recorded_at"]
    if newest is None:
        return "", "", None
    receipt = next((e for e in m.events if e["effect"] == newest["id"] and e["source"] == system), None)
    if receipt is not None:
        text = happened(receipt["type"], names.of(system), decode(receipt["type"], receipt["data"]))
    else:
        text = tried(
            newest["kind"], names.of(system), outcome="done", document=newest["document"] or "", reason=""
        )
    return text, document, newest["settled_at"]


def _standing(effects: list[Any], names: Names) -> tuple[Standing, str, str]:
    """The worst of a system's effects decides, the oldest of equal ones is named."""
    for state, standing in ((5, "refused"), (6, "unclear"), (3, "looking up")):
        bad = [f for f in effects if f["state"] == state]
        if bad:
            f = min(bad, key=lambda f: f["seq"])
            words = f"{ask(f['kind'])}: {names.plain(f['reason'] or '')}".rstrip(": ")
            return standing, words, str(f["id"])  # type: ignore[return-value]
    open_ = [f for f in effects if f["state"] < 5]
    if open_:
        f = min(open_, key=lambda f: f["seq"])
        words = ask(f["kind"]) + (f": {names.plain(f['reason'])}" if f["reason"] else "")
        return "pending", words, str(f["id"])
    return "in step", "", ""
