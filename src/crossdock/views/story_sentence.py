"""The first thing on the page: one or two sentences that can be read out on the phone."""

from datetime import UTC, datetime
from typing import Any, Final

from crossdock.processes.clocks import KEY
from crossdock.processes.order_state import State as Order
from crossdock.processes.receiving import ACCEPT
from crossdock.processes.serial import State as Serial
from crossdock.processes.shipment import State as Shipment
from crossdock.processes.stock import UNBOOKED
from crossdock.views.holds import because
from crossdock.views.names import Names
from crossdock.views.retryable import FREIGHT, HOLD
from crossdock.views.story_material import Material
from crossdock.views.story_shape import Case, Milestone, Said, Tone
from crossdock.views.words import ask, counted

_REASON_MAX: Final = 300


def sentence(
    m: Material, line: list[Milestone], cases: list[Case], names: Names
) -> tuple[Tone, tuple[Said, ...]]:
    """(tone, the pieces)."""
    if m.row["done"] and not cases and m.row["parked"] is None:
        return "done", _ended(m)
    trouble = sorted((f for f in m.effects if f["state"] in (5, 6)), key=lambda f: f["seq"])
    pieces = [*_waits(m, names), *because(m.holds, names)]
    if m.row["parked"] is not None:
        pieces += _parked(m)
    if trouble:
        pieces += _refused(trouble, names)
    if cases:
        pieces += _cased(cases, trouble, names)
    if trouble or cases or m.row["parked"] is not None:
        return "blocked", tuple(pieces)
    if m.holds:
        return "waiting", tuple(pieces)
    pieces += _moving(m, names)
    pieces += _then(line)
    under_way = any(f["state"] in (0, 1) for f in m.effects)
    return "moving" if under_way else "waiting", tuple(pieces)


def _ended(m: Material) -> tuple[Said, ...]:
    at = Said(at=m.row["updated_at"])
    match m.state:
        case Order(phase="completed"):
            return (
                Said("Complete: every line is shipped, delivered and invoiced. Finished"),
                at,
                Said(". Nothing is waited for."),
            )
        case Order(phase="cancelled"):
            why = f" ({m.state.cancel_reason})" if m.state.cancel_reason else ""
            return (Said(f"Cancelled{why}"), at, Said(". Nothing further happens."))
        case Order(phase="rejected"):
            why = f": {m.state.cancel_reason}" if m.state.cancel_reason else ""
            return (Said(f"Rejected{why}"), at, Said(". The shop was told; nothing further happens."))
        case Serial(places=(place,)):
            return (Said(f"It is {place}, since"), Said(at=place.since), Said("."))
        case Shipment(delivered_at=datetime() as delivered):
            return (Said("Delivered"), Said(at=delivered), Said(". Nothing is waited for."))
        case _:
            return (Said(f"{m.row['phase'].capitalize() or 'Kept'}. Last change"), at, Said("."))


def _waits(m: Material, names: Names) -> list[Said]:
    waiting = names.plain(m.row["waiting_on"])
    if not waiting:
        return [Said(f"{m.row['phase'].capitalize()}.")] if m.row["phase"] else []
    since = m.row["waiting_since"]
    pieces = [Said(f"Waiting on {waiting}")]
    return [*pieces, Said("since"), Said(at=since), Said(".")] if since else [*pieces, Said(".")]


def _parked(m: Material) -> list[Said]:
    held = f"; {counted(m.parked_events, 'later event')} wait in order" if m.parked_events > 1 else ""
    return [Said(f"It is parked: {m.row['parked'][:_REASON_MAX]}{held}.")]


def _refused(trouble: list[Any], names: Names) -> list[Said]:
    f = trouble[0]
    who, reason = (
        names.of(f["account"]),
        names.plain((f["reason"] or "no reason given")[:_REASON_MAX]).rstrip("."),
    )
    if f["state"] == 5:
        text = f"{who} refused to {ask(f['kind'])}: {reason}."
    else:
        text = f"Nobody can tell whether {who} did {ask(f['kind'])}: {reason}."
    more = len(trouble) - 1
    return [
        Said(
            text
            + (f" {counted(more, 'more effect')} {'is' if more == 1 else 'are'} in trouble." if more else "")
        )
    ]


def _cased(cases: list[Case], trouble: list[Any], names: Names) -> list[Said]:
    """Whose move it is. Without a refused effect, the case's own title says what is wrong."""
    keys = {str(f["id"]) for f in trouble[:1]}
    case = next((c for c in cases if c.key in keys), cases[0])
    what = "" if trouble else f"{case.title.rstrip('.')}. "
    more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
    if trouble:
        then = f"Once it is settled in {names.of(trouble[0]['account'])}, retry the case: the same effect is tried again."
    elif case.key == "hold":
        then = "It is checked again by itself, or at once when the case is retried."
    elif case.key.startswith(FREIGHT):
        then = "Retry the case to accept the bill."
    elif case.key.startswith(ACCEPT):
        then = "Retry the case to accept it as it came."
    elif case.key.startswith(UNBOOKED):
        then = "Correct the units of the item, then retry the case: all is booked as it was told."
    elif case.key.startswith(KEY):
        then = "It closes by itself when that comes."
    elif case.key.startswith(HOLD):
        then = "Retry the case to release the hold."
    else:
        then = "It goes on once the case is settled."
    return [Said(f"{what}Case C-{case.number}{more}, {case.owner}. {then}")]


def _moving(m: Material, names: Names) -> list[Said]:
    """What is being tried right now, and when the next try comes."""
    waiting = [f for f in m.effects if f["state"] in (2, 3)]
    if waiting:
        f = min(waiting, key=lambda f: f["seq"])
        who = names.of(f["account"])
        reason = names.plain((f["reason"] or "").rstrip(".")[:_REASON_MAX])
        what = "has not answered clearly; we look whether it did" if f["state"] == 3 else "could not yet"
        pieces = [
            Said(
                f"{who} {what} {ask(f['kind'])}{': ' + reason if reason else ''}. Attempt {f['attempts'] + 1} comes"
            )
        ]
        return [*pieces, Said(at=f["next_at"]), Said(".")] if f["next_at"] else [*pieces, Said("at once.")]
    failing = [f for f in m.effects if f["state"] < 5 and f["account"] in m.failing]
    if failing:
        row = m.failing[failing[0]["account"]]
        why = names.plain((row["last_failure"] or "").rstrip("."))
        return [
            Said(f"{names.of(row['name'])} has been failing since"),
            Said(at=row["failing_since"]),
            Said(f": {why}." if why else "."),
        ]
    if m.timers:
        return [Said("The next check comes"), Said(at=m.timers[0]["due_at"]), Said(".")]
    return []


def _then(line: list[Milestone]) -> list[Said]:
    """What follows, when nothing is in the way."""
    ahead = [x.label for x in line if x.classifier not in ("actual", "unreported") and not x.standing]
    return [Said(f"Then: {', '.join(ahead[:3])}.")] if ahead else []


def spoken(pieces: tuple[Said, ...], now: datetime) -> str:
    """The sentence as plain text, instants in UTC with their age."""
    words = [piece.text if piece.at is None else clock(piece.at, now) for piece in pieces]
    text = " ".join(words)
    return text.replace(" .", ".").replace(" :", ":")


def clock(at: datetime, now: datetime) -> str:
    """`14:02 UTC (18 min ago)`; the date where it is another day."""
    at = at.astimezone(UTC)
    day = "" if at.date() == now.date() else f"{at:%a %d %b} " if at.year == now.year else f"{at:%d %b %Y} "
    return f"{day}{at:%H:%M} UTC ({ago(at, now)})"


def ago(at: datetime, now: datetime) -> str:
    """`18 min ago`, `in 3 h`: the two largest units that matter to a person."""
    seconds = (now - at).total_seconds()
    size = abs(seconds)
    if size < 1:
        return "now"
    if size < 60:
        text = f"{size:.0f} s"
    elif size < 3600:
        text = f"{size // 60:.0f} min"
    elif size < 86400:
        text = (
            f"{size // 3600:.0f} h {size % 3600 // 60:.0f} min"
            if size < 6 * 3600
            else f"{size // 3600:.0f} h"
        )
    else:
        text = f"{size // 86400:.0f} d"
    return f"{text} ago" if seconds > 0 else f"in {text}"
