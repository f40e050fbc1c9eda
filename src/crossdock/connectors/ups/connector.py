"""The connector's four abilities put together."""

import hmac

from crossdock.connect.contract import Account, Connector, Inbound
from crossdock.connectors.ups.client import UpsClient
from crossdock.connectors.ups.mapping import from_payload
from crossdock.connectors.ups.scans import to_milestones
from crossdock.connectors.ups.signing import CREDENTIAL_HEADER, sign
from crossdock.errors import Unauthenticated

SECRETS = ("webhook_credential", "webhook_credential_previous")


def authenticate(inbound: Inbound, account: Account) -> None:
    """UPS signs nothing: it sends the credential we gave it, or the one before it."""
    given = inbound.headers.get(CREDENTIAL_HEADER, "").encode("utf-8", "surrogateescape")
    right = False
    for name in SECRETS:
        secret = account.secrets.get(name, "").encode()
        right |= bool(secret) and hmac.compare_digest(secret, given)
    if not right:
        raise Unauthenticated(f"header {CREDENTIAL_HEADER} is missing or wrong")


CONNECTOR = Connector(
    authenticate=authenticate, translate=to_milestones, render=from_payload, open=UpsClient, sign=sign
)
