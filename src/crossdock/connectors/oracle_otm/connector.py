"""The connector's abilities put together."""

from crossdock.connect.basic import authenticate
from crossdock.connect.contract import Connector
from crossdock.connectors.oracle_otm.client import OtmClient
from crossdock.connectors.oracle_otm.mapping import from_payload
from crossdock.connectors.oracle_otm.notices import to_events
from crossdock.connectors.oracle_otm.signing import sign

CONNECTOR = Connector(
    authenticate=authenticate, translate=to_events, render=from_payload, open=OtmClient, sign=sign
)
