"""The first thing on the Now page: what is stuck, where, since when, and whose move it is, to be read out."""

from datetime import timedelta
from typing import Final

from crossdock.views.now_shape import Flow, Now
from crossdock.views.story_shape import Said, Tone
from crossdock.views.words import counted

LATE: Final = timedelta(minutes=2)
"""An effect that waits longer for a target that answers is worth a word."""
BEHIND: Final = timedelta(seconds=30)
_NAMED_MAX: Final = 3


def sentence(now: Now) -> tuple[Tone, tuple[Said, ...]]:
    """(tone, pieces): what needs a person first, then what is slow, then what simply flows."""
    stuck = [*_hub(now), *_failing(now), *_cases(now)]
    late = [*_stopped(now), *_late(now)]
    pieces = [*stuck, *late]
    if now.empty and not stuck:
        return "done", (Said("Nothing has arrived at this hub yet."),)
    if not pieces:
        pieces = [Said("Nothing is stuck." if now.waiting else "All is done, and nothing is stuck.")]
    pieces += _flowing(now)
    tone: Tone = "blocked" if stuck else "waiting" if late else "moving" if now.waiting else "done"
    return tone, tuple(pieces)


def _hub(now: Now) -> list[Said]:
    """The hub's own fault: nobody processes, or nobody delivers."""
    pieces = []
    if now.behind.unowned:
        pieces.append(
            Said(f"{now.behind.unowned} of 64 partitions have no worker: events are kept, not processed.")
        )
    elif now.behind.oldest is not None and now.as_of - now.behind.oldest > BEHIND:
        many = f"{now.behind.events}{' or more' if now.behind.capped else ''}"
        pieces += [Said(f"Processing is behind: {many} events wait, the oldest since"), Said(at=now.behind.oldest), Said(".")]  # fmt: skip
    alone = [t.called for t in now.targets if not t.owned]
    if alone:
        pieces.append(Said(f"No delivery process serves {_listed(alone)}."))
    return pieces


def _failing(now: Now) -> list[Said]:
    pieces: list[Said] = []
    failing = sorted((t for t in now.targets if t.failing_since), key=lambda t: str(t.failing_since))
    for t in failing[:_NAMED_MAX]:
        why = f": {t.last_failure.rstrip('.')}" if t.last_failure else ""
        who = f"Subscriber {t.called}" if t.role == "Subscriber" else t.called
        pieces += [Said(f"{who} has been failing since"), Said(at=t.failing_since)]
        held = (
            f" {counted(t.waiting, 'effect')} {'waits' if t.waiting == 1 else 'wait'} for it."
            if t.waiting
            else ""
        )
        pieces.append(Said(f"{why}.{held}"))
    if len(failing) > _NAMED_MAX:
        pieces.append(Said(f"{len(failing) - _NAMED_MAX} more targets fail."))
    return pieces


def _cases(now: Now) -> list[Said]:
    total = sum(c.count for c in now.cases)
    if not total:
        return []
    owners = (
        _listed([f"{c.owner} {c.count}" for c in now.cases]) if len(now.cases) > 1 else now.cases[0].owner
    )
    oldest = min(c.oldest for c in now.cases)
    need = "needs" if total == 1 else "need"
    return [
        Said(f"{counted(total, 'case')} {need} a person ({owners}), the oldest since"),
        Said(at=oldest),
        Said("."),
    ]


def _stopped(now: Now) -> list[Said]:
    """What people stopped on purpose; it is no fault, and nobody shall wonder."""
    pieces: list[Said] = []
    stopped = [(t, t.stopped) for t in now.targets if t.stopped is not None]
    for t, hold in stopped[:_NAMED_MAX]:
        held = (
            f" {counted(t.waiting, 'effect')} {'waits' if t.waiting == 1 else 'wait'} for it."
            if t.waiting
            else ""
        )
        is_so = "is being drained" if hold.doing == "draining" else f"is {hold.doing}"
        pieces += [Said(f"{t.called} {is_so} since"), Said(at=hold.placed_at)]
        pieces.append(Said(f", by {hold.who}: {hold.reason.rstrip('.')}.{held}"))
    if len(stopped) > _NAMED_MAX:
        pieces.append(Said(f"{len(stopped) - _NAMED_MAX} more targets are paused."))
    holds = [x for x in now.holds if x.mode == "hold"]
    if holds:
        pieces += [
            Said(f"{counted(len(holds), 'hold')} {'keeps' if len(holds) == 1 else 'keep'} work back, the oldest since"),
            Said(at=holds[0].placed_at), Said("."),
        ]  # fmt: skip
    return pieces


def late_flows(now: Now) -> list[Flow]:
    """Flows whose oldest effect waits too long although the target answers."""
    return [f for f in now.flows if not f.failing and not f.paused and now.as_of - f.oldest > LATE]


def _late(now: Now) -> list[Said]:
    late = late_flows(now)
    if not late:
        return []
    f = min(late, key=lambda f: f.oldest)
    more = (
        f" {counted(len(late) - 1, 'more flow')} {'is' if len(late) == 2 else 'are'} late."
        if len(late) > 1
        else ""
    )
    return [
        Said(f"{f.called} answers, but a request to {f.ask} waits since"),
        Said(at=f.oldest),
        Said(f".{more}"),
    ]


def _flowing(now: Now) -> list[Said]:
    count = sum(w.count for w in now.waiting)
    pieces = []
    if count:
        many = f"{count} or more" if now.waiting_capped else str(count)
        one = count == 1
        pieces.append(
            Said(f"{many} {'object is' if one else 'objects are'} on {'its' if one else 'their'} way.")
        )
    if now.last_event_at is not None:
        pieces += [Said("Last event"), Said(at=now.last_event_at), Said(".")]
    return pieces


def _listed(words: list[str]) -> str:
    return ", ".join(words)
