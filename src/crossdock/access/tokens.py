"""Access tokens `xd_<id>_<secret>`: made once, shown once, kept as HMAC-SHA256 under a derived hub key."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from crossdock.access.sealing import HubKey

PREFIX = "xd"
TOKEN_LENGTH_MAX = 200
SCOPES: Final = {
    "operator": "everything: reads, writes, actions, personal data, the console",
    "read": "stories, lists, cases, find; the console without its buttons",
    "events": "append events and orders",
    "feed": "follow the log",
    "reconcile": "ask for comparisons of stock, and settle their differences",
    "metrics": "Prometheus metrics",
}
"""What a key may be good for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is calling, and for which of `SCOPES` the key is good."""

    id: str
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key."""

    identity: Identity
    hash: bytes
    expires_at: datetime | None


def new_token() -> tuple[str, str]:
    """(id, token)."""
    identifier = secrets.token_hex(4)
    return identifier, f"{PREFIX}_{identifier}_{secrets.token_urlsafe(32)}"


def hash_token(hub: HubKey, token: str) -> bytes:
    return hmac.new(hub.derive("access tokens"), token.encode(), sha256).digest()


def id_of(token: str) -> str:
    """The key id inside a token, or empty for anything that is none."""
    parts = token.split("_", 2)
    return parts[1] if len(token) <= TOKEN_LENGTH_MAX and len(parts) == 3 and parts[0] == PREFIX else ""


def matches(hub: HubKey, key: Key, token: str, now: datetime) -> bool:
    """Constant-time comparison; an expired key matches nothing."""
    fits = hmac.compare_digest(key.hash, hash_token(hub, token))
    return fits and (key.expires_at is None or now < key.expires_at)
