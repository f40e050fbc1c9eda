"""How Shopify signs and labels a webhook: base64 HMAC-SHA256 of the raw body."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from crossdock.connect.contract import Account, Inbound


def signature(secret: str, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))


def sign(message: Inbound, account: Account, topic: str) -> Mapping[str, str]:
    """The headers of one delivery; equal messages are copies of one event."""
    digest = hashlib.sha256(message.body).hexdigest()
    event = str(uuid5(NAMESPACE_URL, f"{topic}/{digest}"))
    headers = {
        "content-type": "application/json",
        "x-shopify-event-id": event,
        "x-shopify-webhook-id": str(uuid5(NAMESPACE_URL, f"{event}/delivery")),
        "x-shopify-shop-domain": f"{account.name}.myshopify.com",
        "x-shopify-triggered-at": message.received_at.isoformat(),
        "x-shopify-hmac-sha256": signature(account.secrets["webhook_secret"], message.body).decode(),
    }
    return {**headers, "x-shopify-topic": topic} if topic else headers
