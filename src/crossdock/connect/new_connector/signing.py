"""How the partner proves itself: a hexadecimal HMAC-SHA256 of the raw body in `x-signature`."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from crossdock.connect.contract import Account, Inbound
from crossdock.errors import Unauthenticated

HEADER: Final = "x-signature"


# todo: Sign and verify as the partner does, over the raw body.
def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def sign(message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    return {"content-type": "application/json", HEADER: signature(account.secrets["secret"], message.body)}


def authenticate(inbound: Inbound, account: Account) -> None:
    """Raises `Unauthenticated`; an account without its secret lets nobody in."""
    secret = account.secrets.get("secret", "")
    given = inbound.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
    if not secret or not hmac.compare_digest(given, signature(secret, inbound.body).encode()):
        raise Unauthenticated(f"{HEADER} is not the partner's signature of this body")
