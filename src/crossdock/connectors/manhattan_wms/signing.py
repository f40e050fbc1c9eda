"""How Manhattan signs an event: HMAC-SHA256 of the raw body, hexadecimal."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from crossdock.connect.contract import Account, Inbound

SIGNATURE_HEADER = "x-manhattan-signature"


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def sign(message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """The headers of one event; what kind it is stands in the body."""
    signed = signature(account.secrets["event_secret"], message.body)
    return {"content-type": "application/json", SIGNATURE_HEADER: signed}
