"""From one partner's message to the item that intake appends, whoever brought the message: its sender, or we asked."""

from dataclasses import replace

from crossdock.access.sealing import subject_of
from crossdock.connect.contract import Inbound, Translation
from crossdock.errors import Malformed, Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.operations import MessageNotTranslated
from crossdock.model.thread import thread_key
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Kept, Raw
from crossdock.store.log import Item
from crossdock.store.messages import READ_IN_PART

KEPT_HEADERS_MAX = 20
ORIGIN = "crossdock-origin"
"""Kept with a message that its sender did not bring; no sender can set it."""
RULES = "crossdock-rules"
"""Kept with a message that rules read otherwise than it came."""
_LEFT_OUT = (
    "authorization", "cookie", "credential", "signature", "hmac", "token", "secret", "api-key", "crossdock-",
)  # fmt: skip
Trouble = Malformed | Rejected | Unsupported


def received(
    hub: Hub, intake: Intake, system: str, inbound: Inbound, *, days: int, origin: str = ""
) -> tuple[Item, Trouble | None]:
    """The item to append, and what was wrong with the message, if anything: then the item keeps it for a person."""
    item, trouble = _read(hub, intake, system, inbound, days=days, origin=origin)
    number = hub.connector(system).number
    told = number(inbound) if number else None
    if told is not None:
        item.number = (system, told.series, told.number)
    return item, trouble


def _read(
    hub: Hub, intake: Intake, system: str, inbound: Inbound, *, days: int, origin: str
) -> tuple[Item, Trouble | None]:
    connector = hub.connector(system)
    assert connector.translate is not None, "a system with channels can be understood"
    read, rules = intake.rules.read(system, inbound.channel, inbound.body)
    own = {ORIGIN: origin, RULES: rules}
    headers = kept_headers(inbound) | {name: value for name, value in own.items() if value}
    raw = Raw(system=system, channel=inbound.channel, body=inbound.body, headers=headers)
    try:
        translation = connector.translate(replace(inbound, body=read), hub.account(system))
    except Malformed as error:
        return intake.untranslated(raw, "parse", error.at, error.reason), error
    except Rejected as error:
        return intake.untranslated(raw, "value", error.path, error.reason), error
    except Unsupported as error:
        return intake.untranslated(raw, "unsupported", "", str(error)), error
    return _translated(intake, raw, translation, days), None


def _translated(intake: Intake, raw: Raw, translation: Translation, days: int) -> Item:
    subject = next((s for e in translation.events if (s := getattr(e.data, "subject", ""))), "")
    raw = Raw(
        system=raw.system, channel=raw.channel, body=raw.body, headers=raw.headers, unmapped=translation.unmapped,
        subject=subject_of(subject) if subject else None,
        outcome=_outcome(translation),
    )  # fmt: skip
    kept = intake.keep(raw)
    told = tuple(
        _unread(raw, kept, problem) for problem in translation.unread[:1]
    )  # a case for the message, not for each
    return intake.item(
        raw.system, translation.source_id, (*translation.events, *told), content=translation.content or kept.content,
        kept=kept, days=days,
    )  # fmt: skip


def _outcome(translation: Translation) -> str:
    if translation.ignored:
        return f"ignored: {translation.ignored}"
    return READ_IN_PART if translation.unread else "translated"


def _unread(raw: Raw, kept: Kept, problem: Rejected) -> NewEvent:
    """Nobody but a person can say what a part of the message was to mean."""
    message = str(kept.message)
    data = MessageNotTranslated(raw.system, raw.channel, "value", problem.path, problem.reason, message)
    return NewEvent(thread=thread_key("message", message), data=data)


def kept_headers(inbound: Inbound) -> dict[str, str]:
    """Headers worth keeping with a message: no credential, no signature, none of our own."""
    kept = [(k, v[:300]) for k, v in inbound.headers.items() if not any(word in k for word in _LEFT_OUT)]
    return dict(kept[:KEPT_HEADERS_MAX])
