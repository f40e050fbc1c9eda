"""Claims as other programs ask for them and are answered (`/v1/claims`)."""

import re
from datetime import datetime
from typing import Final, Literal

import msgspec

from crossdock.model.quantity import Quantity

CLAIM_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
LINES_MAX = 100
NODES_MAX = 50
EXPIRY_SECONDS_MAX = 366 * 86400


class WantedLine(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One line. `line` is its name, by default its number from 1; `location` and `lot` pin it.

    `owner`: whose goods; left out, those that the routing table's rule for the claim sells.
    """

    item: str
    quantity: Quantity
    line: str = ""
    location: str = ""
    lot: str = ""
    owner: str = ""


class ClaimWanted(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    """`claim` is the caller's own id. Without `nodes` and without a location in its lines, the routing table says where
    from: by `channel`, `country`, `region`, `service`. Only an order of its `channel` can take it over.
    """

    claim: str
    lines: tuple[WantedLine, ...]
    mode: Literal["all_or_nothing", "partial"] = "all_or_nothing"
    kind: Literal["soft", "firm"] = "firm"
    nodes: tuple[str, ...] = ()
    channel: str = ""
    country: str = ""
    region: str = ""
    service: str = ""
    expires_in_seconds: int | None = None


class Source(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a quantity comes from."""

    item: str
    location: str
    quantity: Quantity
    lot: str = ""


class Content(msgspec.Struct, frozen=True, gc=False):
    """Of a kit: so much of an item is in one."""

    item: str
    quantity: Quantity


class AnswerLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`needed` and `granted` are in the item's base unit; of a kit, in kits."""

    line: str
    item: str
    wanted: Quantity
    needed: Quantity
    granted: Quantity
    sources: tuple[Source, ...] = ()
    contents: tuple[Content, ...] = ()
    """What one kit is made of."""


class ClaimAnswer(msgspec.Struct, frozen=True, gc=False):
    """What became of a claim when it was asked for; a repeat gets it again. `as_of` is a cursor of the feed."""

    claim: str
    state: Literal["pending", "refused"]
    kind: Literal["soft", "firm"]
    lines: tuple[AnswerLine, ...]
    expires_at: datetime | None
    as_of: str


class ClaimShare(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a line holds of one balance, and what became of it."""

    line: str
    item: str
    location: str
    quantity: Quantity
    posted: Quantity
    released: Quantity
    open: Quantity
    lot: str = ""


class ClaimView(msgspec.Struct, frozen=True, gc=False):
    """A claim as it stands."""

    claim: str
    state: Literal["pending", "partly_posted", "posted", "released", "expired", "refused", "taken_over"]
    kind: Literal["soft", "firm"]
    lines: tuple[ClaimShare, ...]
    expires_at: datetime | None
    as_of: str
    channel: str = ""
    taken_by: str = ""
    """The thread of the order that took it over, or for which it is kept; nobody else can use it."""


class PartWanted(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """So much of a line, in any unit of its item; of a kit, in kits."""

    line: str
    quantity: Quantity


class Commit(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Without lines: all that is open. What is committed is bound (`allocated`) or has left (`outside`)."""

    lines: tuple[PartWanted, ...] | None = None
    to: Literal["allocated", "outside"] = "allocated"


class Release(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Without lines: all that is open."""

    lines: tuple[PartWanted, ...] | None = None


class Extend(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A new expiry, counted from now; null: none any more."""

    expires_in_seconds: int | None


class Change(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """These lines shall hold these quantities, counting what was committed or released of them; the kind, where given."""

    lines: tuple[PartWanted, ...] = ()
    kind: Literal["", "soft", "firm"] = ""


class Transfer(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What is open at one node shall be held at another instead; without lines: all of it."""

    from_node: str
    to_node: str
    lines: tuple[PartWanted, ...] | None = None


Act = Commit | Release | Extend | Change | Transfer
