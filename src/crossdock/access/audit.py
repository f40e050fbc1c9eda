"""The audit chain's arithmetic: how a link is hashed, how its head is signed, and what a signature is worth. Pure.

A link's hash is over the link before it, its own header, and the digests of its rows. The rows hold ciphertext, so
destroying a key changes nothing of it.
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crossdock.access.sealing import HubKey
from crossdock.errors import CrossdockError

DIGEST_BYTES: Final = 16
FORM: Final = 1
"""Of the header's text and of the rows' digests; another form would be another number."""
TABLES: Final = ("events", "messages", "attempts", "actions")


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link: the rows that transactions `xid_from` < xid <= `xid_to` wrote."""

    no: int
    generation: int
    xid_from: int
    xid_to: int
    events: int
    messages: int
    attempts: int
    actions: int
    segment_from: int
    segment_to: int
    digests: bytes
    previous: bytes
    hash: bytes = b""
    sealed_at: datetime

    @property
    def rows(self) -> int:
        return self.events + self.messages + self.attempts + self.actions

    def hashed(self) -> bytes:
        """What its hash must be."""
        numbers = (
            FORM, self.no, self.generation, self.xid_from, self.xid_to, self.events, self.messages, self.attempts,
            self.actions, self.segment_from, self.segment_to,
        )  # fmt: skip
        header = "|".join((*map(str, numbers), self.sealed_at.astimezone(UTC).isoformat()))
        return sha256(self.previous + header.encode() + b"\0" + self.digests).digest()

    def of(self, table: str) -> list[bytes]:
        """Digests of one of `TABLES`, row by row."""
        start = sum(getattr(self, name) for name in TABLES[: TABLES.index(table)])
        places = range(start, start + getattr(self, table))
        return [self.digests[x * DIGEST_BYTES : (x + 1) * DIGEST_BYTES] for x in places]


def genesis(hub: str) -> bytes:
    """What the first link of a hub has before it."""
    return sha256(b"crossdock audit\0" + hub.encode()).digest()


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed: up to `link`, the chain was this, at this moment. `previous` is the SHA-256 of the body before it."""

    hub: str
    checkpoint: int
    link: int
    hash: str
    at: datetime
    previous: str


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore needs to erase again: data subjects (hexadecimal handles) and messages whose keys were destroyed `at`."""

    hub: str
    erasure: int
    at: datetime
    subjects: list[str]
    messages: list[str]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Something signed as it leaves the machine: one line of JSON."""

    body: str
    signature: str
    key: str


class BadSignature(CrossdockError):
    """The checkpoint was not signed by this hub, or was changed since."""


def signing_key(hub: HubKey) -> Ed25519PrivateKey:
    """Whoever has the hub key can sign; whoever has only the database cannot."""
    return Ed25519PrivateKey.from_private_bytes(hub.derive("audit checkpoints"))


def public_key(hub: HubKey) -> str:
    return signing_key(hub).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def sign(hub: HubKey, what: msgspec.Struct) -> Signed:
    body = msgspec.json.encode(what).decode()
    return Signed(body=body, signature=signing_key(hub).sign(body.encode()).hex(), key=public_key(hub))


S = TypeVar("S", bound=msgspec.Struct)


def opened(signed: Signed, key: str, shape: type[S]) -> S:
    """What was signed, once its signature by this public key (hexadecimal) holds. Raises `BadSignature`."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signed.signature), signed.body.encode())
        return msgspec.json.decode(signed.body, type=shape)
    except (InvalidSignature, ValueError, msgspec.DecodeError):
        raise BadSignature(f"signed by another key than {key[:16]}…, or changed since") from None
