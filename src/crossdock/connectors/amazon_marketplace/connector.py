"""Glue: the abilities of the connector."""

from crossdock.connect.contract import Connector
from crossdock.connectors.amazon_marketplace.client import AmazonClient
from crossdock.connectors.amazon_marketplace.listing import rows
from crossdock.connectors.amazon_marketplace.mapping import to_translation
from crossdock.connectors.amazon_marketplace.requests import from_payload
from crossdock.connectors.amazon_marketplace.signing import authenticate, sign

CONNECTOR = Connector(
    authenticate=authenticate,
    translate=to_translation,
    render=from_payload,
    open=AmazonClient,
    sign=sign,
    rows=rows,
)
