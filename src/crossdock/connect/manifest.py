"""A connector's manifest: what the remote side really offers, so that the engine can adapt.

Read from `manifest.toml`; a wrong manifest is a `Misconfigured` that names file and field.
"""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from crossdock.errors import Misconfigured

Idempotency = Literal["key", "upsert", "look_up", "query", "none"]
"""key: the target remembers our effect id. upsert: same external id writes the same record. look_up: we can ask
afterwards by our reference. query: nothing is booked, asking twice harms nobody. none: at most once, plus a person.
"""


class EffectTraits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one effect kind behaves at the target."""

    idempotency: Idempotency
    search_lag_seconds: float = 0.0
    """How long a committed effect may stay invisible to the look-up."""
    timeout_seconds: float = 15.0
    receipt: str = ""
    """The event type a `Done` answer brings, or empty."""
    posting_date: bool = False
    """True where the target books it on a day: a person may decide another one after a refusal (a closed period)."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The budget of one account, as the partner documents it."""

    concurrency: int = 8
    rate_per_second: float = 0.0
    """0 means the partner limits concurrency only."""
    burst: int = 1


class Inbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One inbound channel."""

    events: tuple[str, ...]
    dedupe_days: int = 30
    """The window in which the sender may repeat a delivery; processes are idempotent by business key after it."""
    late_seconds: float = 60.0
    """How late a message may come behind a later one, where its connector reads a running number: then it counts as missing."""


class ChangedList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list of the partner's objects by when they changed: what a sender gave up telling is found there."""

    channel: str
    """The inbound channel that tells of the same objects."""
    every_seconds: float = 300.0
    """How often it is asked; `backfill_seconds` of the system changes it."""
    overlap_seconds: float = 120.0
    """How far before the newest known change a reading begins: clocks differ, and a change may show late."""
    grace_seconds: float = 60.0
    """What changed more recently may still be told by itself, and is left for the next reading."""
    timeout_seconds: float = 15.0
    is_source: bool = False
    """True where objects come by this list alone: what it shows, nobody failed to tell."""


class Availability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a channel makes of the number it is told with `availability.publish`, and how late it is."""

    counts: Literal["available", "on_hand"]
    """available: what may still be sold; the channel takes its own new orders off it until it is told again, and nothing
    else. on_hand: what lies there; the channel takes all its open orders off it.
    """
    latency_seconds: float
    """From our call to what buyers see: the time in which three in four calls show."""
    orders_seconds: float = 60.0
    """From an order there to our hearing of it, likewise."""


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One setting or secret of an account."""

    describe: str
    default: str | None = None
    """None: required."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    title: str
    docs: str
    owner: str
    version: str
    settings: dict[str, Field] = {}
    secrets: dict[str, Field] = {}
    inbound: dict[str, Inbox] = {}
    effects: dict[str, EffectTraits] = {}
    lists: dict[str, ChangedList] = {}
    limits: Limits = Limits()
    availability: Availability | None = None
    quirks: dict[str, str] = {}
    """The twin's switches: name → what misbehaves, as documented by the partner or its users."""


def load_manifest(path: Path) -> Manifest:
    """Read one `manifest.toml`."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Manifest)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured(str(path), str(error)) from None
