"""What happened, newest first: events, the tries of effects, and what is still to be sent, in one list of pages."""

from datetime import UTC, datetime
from typing import Any, Final

from crossdock.model.envelope import HUB
from crossdock.model.registry import EVENTS, decode
from crossdock.processes.policy import Policy
from crossdock.views.folding import effects_of_events
from crossdock.views.names import Names
from crossdock.views.refs import event_ref
from crossdock.views.story_material import Material
from crossdock.views.story_shape import Entry, Lineage
from crossdock.views.words import TECHNICAL, ask, happened, tried

_TOLD: Final = frozenset({"done", "refused", "unclear"})
"""Outcomes that also come as an event, which says more."""
_TONES: Final = {
    "effect.refused.v1": "bad",
    "effect.unclear.v1": "unsure",
    "claim.refused.v1": "bad",
    "message.notTranslated.v1": "bad",
}
_OUTCOME_TONES: Final = {
    "refused": "bad",
    "unclear": "unsure",
    "unknown": "unsure",
    "retry": "unsure",
    "cannot tell": "unsure",
}
_LATE_SECONDS: Final = 60
_RELAYED: Final = frozenset({"shipment.milestoneReached.v1", "goodsIssue.reversalRequested.v1"})


def timeline(
    m: Material, names: Names, policy: Policy, cursor: tuple[datetime, str] | None, limit: int
) -> tuple[list[Entry], str]:  # fmt: skip
    """One page, and the cursor of the next (empty: this is the last)."""
    entries = [*_events(m, names, policy), *_attempts(m, names), *_waiting(m, names)]
    entries.sort(key=lambda x: (x.at, x.id), reverse=True)
    if cursor is not None:
        entries = [x for x in entries if (x.at, x.id) < cursor]
    horizon = m.horizon
    if horizon is not None:
        entries = [x for x in entries if x.at >= horizon]
    page = entries[:limit]
    more = len(entries) > limit or horizon is not None
    return page, write_cursor(page[-1]) if more and page else ""


def write_cursor(entry: Entry) -> str:
    return f"{int(entry.at.timestamp() * 1_000_000)}.{entry.id}"


def read_cursor(text: str) -> tuple[datetime, str] | None:
    """None for an empty or foreign text: the first page."""
    micros, _, key = text.partition(".")
    if not micros.isdigit() or len(micros) > 17:
        return None
    seconds, rest = divmod(int(micros), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest), key


def _events(m: Material, names: Names, policy: Policy) -> list[Entry]:
    led_to = effects_of_events(m.events, policy) if m.horizon is None else {}
    answered = {a["effect"] for a in m.attempts if a["answered"]}
    numbers = {(a["effect"], a["outcome"]): a["no"] for a in m.attempts}
    own = m.row["thread"]
    found = []
    for e in m.events:
        if e["type"] not in EVENTS:
            continue
        data = decode(e["type"], e["data"])
        word = {"effect.refused.v1": "refused", "effect.unclear.v1": "unclear"}.get(e["type"], "done")
        attempt = numbers.get((e["effect"], word), 0) if e["effect"] else 0
        late = abs((e["recorded_at"] - e["occurred_at"]).total_seconds()) > _LATE_SECONDS
        effects = (str(e["effect"]),) if e["effect"] else led_to.get(e["id"], ())
        ref = event_ref(e)
        found.append(
            Entry(
                ref, e["recorded_at"], names.plain(happened(e["type"], names.of(_who(e, data)), data)), e["source"], "event", e["type"],
                _TONES.get(e["type"], ""), _is_technical(e, m), # type: ignore[arg-type]
                Lineage(str(e["message"] or ""), ref, effects, attempt, e["effect"] in answered),
                e["occurred_at"] if late else None, attempt if attempt > 1 or word != "done" else 0,
                "" if e["thread"] == own else e["thread_key"],
            )
        )  # fmt: skip
    return found


def _who(event: Any, data: Any) -> str:
    """A refusal that we wrote ourselves (it could not even be rendered) still names its account."""
    return str(getattr(data, "account", "") or event["source"])


def _is_technical(event: Any, m: Material) -> bool:
    """What only repeats another entry: the relay of a shipment's own event, machinery of the hub."""
    if event["type"] in TECHNICAL:
        return event["type"] not in ("order.packed.v1", "order.shipped.v1", "order.delivered.v1") or _relays(
            m
        )
    return event["source"] == HUB and event["type"] in _RELAYED and _relays(m)


def _relays(m: Material) -> bool:
    return any(row["kind"] == "shipment" for row, _ in m.linked.values())


def _attempts(m: Material, names: Names) -> list[Entry]:
    """Tries that no event tells of: lost answers, look-ups, retries, and what was done without a receipt."""
    effects = {f["id"]: f for f in m.effects}
    told = {(e["effect"], _word(e["type"])) for e in m.events if e["effect"]}
    found = []
    for a in m.attempts:
        if a["outcome"] in _TOLD and (a["effect"], a["outcome"]) in told:
            continue
        f = effects[a["effect"]]
        at = a["ended_at"] or a["started_at"]
        text = tried(
            f["kind"], names.of(f["account"]), outcome=a["outcome"] or "", document=f["document"] or "",
            reason=names.plain(a["reason"] or ""),
        )  # fmt: skip
        found.append(
            Entry(
                f"{f['id']}.{a['no']}.{a['purpose']}.{int(at.timestamp() * 1000)}", at, text, f["account"], "attempt", f["kind"],
                _OUTCOME_TONES.get(a["outcome"] or "", ""), False,  # type: ignore[arg-type]
                Lineage("", "", (str(f["id"]),), a["no"], a["answered"]), None, a["no"],
                "" if f["thread"] == m.row["thread"] else f["thread_key"],
            )
        )  # fmt: skip
    return found


def _word(type_: str) -> str:
    return {"effect.refused.v1": "refused", "effect.unclear.v1": "unclear"}.get(type_, "done")


def _waiting(m: Material, names: Names) -> list[Entry]:
    """Effects that nothing has been heard of yet, and those that were taken back."""
    found = []
    for f in m.effects:
        who = names.of(f["account"])
        match f["state"]:
            case 0:
                text = f"To be sent to {who}: {ask(f['kind'])}"
            case 1:
                text = f"Under way to {who}: {ask(f['kind'])}"
            case 11:
                text = f"Taken back before it was sent to {who}: {ask(f['kind'])}"
            case _:
                continue
        found.append(
            Entry(
                str(f["id"]), f["settled_at"] or f["journaled_at"], text, f["account"], "effect", f["kind"], "",
                f["state"] == 11, Lineage("", "", (str(f["id"]),)), None, f["attempts"],
                "" if f["thread"] == m.row["thread"] else f["thread_key"],
            )
        )  # fmt: skip
    return found
