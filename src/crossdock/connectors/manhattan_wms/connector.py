"""The connector's abilities put together."""

import hmac

from crossdock.connect.contract import Account, Connector, Inbound
from crossdock.connectors.manhattan_wms.client import ManhattanClient
from crossdock.connectors.manhattan_wms.mapping import to_events, to_number
from crossdock.connectors.manhattan_wms.mapping_out import from_payload
from crossdock.connectors.manhattan_wms.signing import SIGNATURE_HEADER, sign, signature
from crossdock.errors import Unauthenticated

SECRETS = ("event_secret", "event_secret_previous")


def authenticate(inbound: Inbound, account: Account) -> None:
    """HMAC-SHA256 of the raw body, hex; the previous secret stays good during a rotation."""
    given = inbound.headers.get(SIGNATURE_HEADER, "").encode("utf-8", "surrogateescape")
    right = False
    for name in SECRETS:
        secret = account.secrets.get(name, "")
        expected = signature(secret, inbound.body)
        right |= bool(secret) and hmac.compare_digest(expected.encode(), given)
    if not right:
        raise Unauthenticated(f"{SIGNATURE_HEADER} is missing or wrong")


CONNECTOR = Connector(
    authenticate=authenticate,
    translate=to_events,
    render=from_payload,
    open=ManhattanClient,
    sign=sign,
    stock=ManhattanClient,
    number=to_number,
)
