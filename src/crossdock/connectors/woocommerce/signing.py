"""How WooCommerce signs and labels a webhook: base64 HMAC-SHA256 of the raw body."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from crossdock.connect.contract import Account, Inbound
from crossdock.errors import Unauthenticated

SIGNATURE_HEADER = "x-wc-webhook-signature"
SECRETS = ("webhook_secret", "webhook_secret_previous")


def signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def sign(message: Inbound, account: Account, topic: str) -> Mapping[str, str]:
    """The headers of one delivery; equal messages get one delivery id."""
    delivery = hashlib.sha256(topic.encode() + b"/" + message.body).hexdigest()[:32]
    headers = {
        "content-type": "application/json",
        "x-wc-webhook-source": f"https://{account.name}.example/",
        "x-wc-webhook-delivery-id": delivery,
        SIGNATURE_HEADER: signature(account.secrets["webhook_secret"], message.body),
    }
    if topic:
        resource, _, event = topic.partition(".")
        headers |= {
            "x-wc-webhook-topic": topic, "x-wc-webhook-resource": resource, "x-wc-webhook-event": event,
        }  # fmt: skip
    return headers


def authenticate(inbound: Inbound, account: Account) -> None:
    """The secret before counts too while it is being replaced."""
    given = inbound.headers.get(SIGNATURE_HEADER, "").strip().encode("utf-8", "surrogateescape")
    if not given:
        raise Unauthenticated(f"no {SIGNATURE_HEADER} header")
    secrets = [secret for name in SECRETS if (secret := account.secrets.get(name))]
    matches = [hmac.compare_digest(given, signature(secret, inbound.body).encode()) for secret in secrets]
    if not any(matches):
        raise Unauthenticated("the signature is not the shop's")
