"""How a notification proves itself: EventBridge signs nothing, its connection sends the key that was agreed."""

import hmac
from collections.abc import Mapping
from typing import Final

from crossdock.connect.contract import Account, Inbound
from crossdock.errors import Unauthenticated

KEY_HEADER: Final = "x-api-key"
SECRETS: Final = ("notification_key", "notification_key_previous")


def sign(_message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """The headers of one delivery; the id of a notification stands in its body."""
    return {"content-type": "application/json", KEY_HEADER: account.secrets["notification_key"]}


def authenticate(inbound: Inbound, account: Account) -> None:
    """The key before counts too while it is being changed. Nothing of the body is looked at."""
    given = inbound.headers.get(KEY_HEADER, "").encode("utf-8", "surrogateescape")
    if not given:
        raise Unauthenticated(f"no {KEY_HEADER} header")
    secrets = [secret.encode() for name in SECRETS if (secret := account.secrets.get(name))]
    matches = [hmac.compare_digest(given, secret) for secret in secrets]
    if not any(matches):
        raise Unauthenticated(f"header {KEY_HEADER} is wrong")
