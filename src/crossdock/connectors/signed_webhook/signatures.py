"""Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`, one per active secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from crossdock.connect.contract import Account, Inbound
from crossdock.errors import Misconfigured, Unauthenticated

TOLERANCE_SECONDS: Final = 300
NAMES: Final = ("secret", "secret_previous")
SIGNATURES_MAX: Final = 16


def keys(account: Account) -> list[bytes]:
    """The active secrets, the current one first."""
    given = [(name, account.secrets[name]) for name in NAMES if account.secrets.get(name)]
    return [_key(name, secret) for name, secret in given]


def _key(name: str, secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise Misconfigured(name, "a secret is written whsec_ and base64")
    return key


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    told = hmac.digest(key, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(told).decode()}"


def signed_headers(account: Account, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The headers of one delivery; while secrets are being changed it carries a signature for each."""
    signatures = [signature(key, message_id, str(timestamp), body) for key in keys(account)]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def sign(message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """As a sender would sign this message now; equal bodies get one message id."""
    message_id = f"msg_{hashlib.blake2b(message.body, digest_size=12).hexdigest()}"
    return signed_headers(account, message_id, int(message.received_at.timestamp()), message.body)


def authenticate(inbound: Inbound, account: Account) -> None:
    """Raises `Unauthenticated` unless one signature is ours and the message is fresh."""
    message_id = inbound.headers.get("webhook-id", "")
    timestamp = inbound.headers.get("webhook-timestamp", "")
    given = inbound.headers.get("webhook-signature", "").split()
    if not (message_id and timestamp and given):
        raise Unauthenticated("webhook-id, webhook-timestamp and webhook-signature are needed")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise Unauthenticated("webhook-timestamp is not in Unix seconds")
    if abs(inbound.received_at.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise Unauthenticated("webhook-timestamp is too far from now")
    try:
        active = keys(account)
    except Misconfigured as error:
        raise Unauthenticated(f"the account cannot check signatures: {error}") from None
    wanted = [signature(key, message_id, timestamp, inbound.body).encode() for key in active]
    told = [one.encode() for one in given[:SIGNATURES_MAX]]
    matches = [hmac.compare_digest(one, right) for one in told for right in wanted]
    if not any(matches):
        raise Unauthenticated("no signature is right")
