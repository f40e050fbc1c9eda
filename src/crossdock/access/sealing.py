"""Sealing: AES-256-GCM under keys that can be destroyed one by one.

hub key ─wraps─► message key (one per raw message) and subject key (one per data subject). Erasure destroys a
subject's key; what is hashed for the audit is ciphertext, so the chain still verifies.
"""

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crossdock.errors import CrossdockError, Misconfigured

KEY_BYTES = 32
NONCE_BYTES = 12
DRAWN_BYTES = 4096
VERSION = b"\x01"


class Unsealable(CrossdockError):
    """The key was destroyed (erasure), or the bytes were tampered with or belong to another row."""


class _Randomness:
    """Random bytes of the system, drawn many at a time: one system call each would cost more than the sealing.

    Never shared: our processes are started, not forked.
    """

    def __init__(self) -> None:
        self._drawn, self._used = b"", 0

    def take(self, size: int) -> bytes:
        if self._used + size > len(self._drawn):
            self._drawn, self._used = os.urandom(DRAWN_BYTES), 0
        start, self._used = self._used, self._used + size
        return self._drawn[start : self._used]


random_bytes = _Randomness().take


def new_key() -> bytes:
    return random_bytes(KEY_BYTES)


def random_id() -> bytes:
    """The 16 bytes of a version 4 UUID (RFC 9562, section 5.4)."""
    drawn = bytearray(random_bytes(16))
    drawn[6] = drawn[6] & 0x0F | 0x40
    drawn[8] = drawn[8] & 0x3F | 0x80
    return bytes(drawn)


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Version ‖ nonce ‖ ciphertext; `context` (table, field, id) must be the same to open it."""
    return _seal(AESGCM(key), plain, context)


def _seal(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    nonce = random_bytes(NONCE_BYTES)
    return VERSION + nonce + cipher.encrypt(nonce, plain, context)


def open_sealed(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Raises `Unsealable`."""
    if sealed[:1] != VERSION:
        raise Unsealable(f"unknown sealing version {sealed[:1].hex()}")
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], context)
    except (InvalidTag, ValueError):  # ValueError: cut shorter than a nonce
        raise Unsealable("wrong key, wrong row, or changed bytes") from None


def subject_of(name: str) -> bytes:
    """The 16-byte handle under which a data subject's key is kept; the name itself is not stored."""
    return blake2b(name.encode(), digest_size=16, person=b"subject").digest()


@dataclass(frozen=True, slots=True)
class HubKey:
    """The key that wraps all others. `derive` gives keys for purposes that no subject owns."""

    key: bytes
    _cipher: AESGCM = field(init=False, repr=False, compare=False)
    """Its key schedule is the same for every message; made once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESGCM(self.key))

    def wrap(self, inner: bytes, context: bytes) -> bytes:
        return _seal(self._cipher, inner, b"wrap:" + context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return open_sealed(self.key, wrapped, b"wrap:" + context)

    def derive(self, purpose: str) -> bytes:
        return blake2b(
            purpose.encode(), key=self.key, digest_size=KEY_BYTES, person=b"crossdock-derive"
        ).digest()


def load_hub_key(path: Path) -> HubKey:
    """Read the hub key, or make one (mode 0600) where there is none. Back it up: without it nothing sealed opens."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(new_key().hex() + "\n")
    if path.stat().st_mode & 0o077:
        raise Misconfigured(str(path), "is readable by others: chmod 600")
    key = bytes.fromhex(path.read_text().strip())
    if len(key) != KEY_BYTES:
        raise Misconfigured(str(path), f"must hold {KEY_BYTES * 2} hexadecimal digits")
    return HubKey(key)
