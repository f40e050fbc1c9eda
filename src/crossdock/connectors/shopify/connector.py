"""Glue: Shopify's four abilities."""

import hmac

from crossdock.connect.contract import Account, Client, Connector, Inbound
from crossdock.connect.transport import Transport
from crossdock.connectors.shopify.client import ShopifyClient
from crossdock.connectors.shopify.listing import rows
from crossdock.connectors.shopify.mapping import to_translation
from crossdock.connectors.shopify.requests import from_payload
from crossdock.connectors.shopify.signing import sign, signature
from crossdock.errors import Unauthenticated


def authenticate(inbound: Inbound, account: Account) -> None:
    """Base64 HMAC-SHA256 of the raw body; the previous secret counts too while it is being replaced."""
    given = inbound.headers.get("x-shopify-hmac-sha256", "").strip().encode()
    if not given:
        raise Unauthenticated("no x-shopify-hmac-sha256 header")
    names = ("webhook_secret", "webhook_secret_previous")
    secrets = [secret for name in names if (secret := account.secrets.get(name))]
    matches = [hmac.compare_digest(given, signature(secret, inbound.body)) for secret in secrets]
    if not any(matches):
        raise Unauthenticated("the signature is not Shopify's")


def open_client(account: Account, transport: Transport) -> Client:
    return ShopifyClient(account, transport)


CONNECTOR = Connector(
    authenticate=authenticate,
    translate=to_translation,
    render=from_payload,
    open=open_client,
    sign=sign,
    rows=rows,
)
