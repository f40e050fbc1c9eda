"""The event envelope: CloudEvents 1.0 with the documented extensions correlationid, causationid, sequence,
partitionkey, recordedtime and W3C traceparent.
"""

import re
from datetime import datetime
from typing import Any, Final

import msgspec

from crossdock.model.registry import TYPE_OF

HUB: Final = "crossdock"
"""Source of what the hub itself states; nobody outside may name it."""


class NewEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A fact that somebody wants recorded. `thread` is the subject; `occurred_at` is aware or None (unknown)."""

    thread: str
    data: msgspec.Struct
    id: str = ""
    """Unique per source. Empty: derived from the message it came in with and its place there."""
    occurred_at: datetime | None = None
    sequence: int | None = None
    """The source's own order for this object, where it has one; arrival order otherwise."""

    @property
    def type(self) -> str:
        return TYPE_OF[type(self.data)]


class Recorded(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A fact as a process sees it: `data.people` is always None here, `sealed` holds it for those who may open it."""

    thread: str
    type: str
    data: Any
    id: str
    source: str
    occurred_at: datetime
    recorded_at: datetime
    sequence: int | None = None
    about: str = ""
    """For the receipt of an effect: the business object the effect was about."""
    effect: str = ""
    """For the receipt of an effect: its id."""
    sealed: bytes | None = None
    subject: bytes | None = None


_VARIANT = re.compile(r"(.+)~[0-9a-f]{8}")


def variant_id(id_: str, content: bytes) -> str:
    """The id under which a source id is kept that came before with another content."""
    return f"{id_}~{content.hex()[:8]}"


def first_told_as(id_: str) -> str:
    """The source id that a variant shares with what was told first; empty where the event is the first of its id."""
    found = _VARIANT.fullmatch(id_)
    return found[1] if found else ""


class CloudEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The wire form (structured mode). `subject` is the thread key; `type` carries the full prefix."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str = ""
    time: datetime | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    datacontenttype: str = "application/json"
    dataschema: str = ""
    sequence: str = ""
    correlationid: str = ""
    causationid: str = ""
    partitionkey: str = ""
    recordedtime: datetime | None = None
    expirytime: datetime | None = None
    dataclassification: str = ""
    dataregulation: str = ""
    bamtxid: str = ""
    traceparent: str = ""
