"""Glue: WooCommerce's abilities."""

from crossdock.connect.contract import Account, Client, Connector
from crossdock.connect.transport import Transport
from crossdock.connectors.woocommerce.client import WooCommerceClient
from crossdock.connectors.woocommerce.listing import rows
from crossdock.connectors.woocommerce.mapping import to_translation
from crossdock.connectors.woocommerce.requests import from_payload
from crossdock.connectors.woocommerce.signing import authenticate, sign


def open_client(account: Account, transport: Transport) -> Client:
    return WooCommerceClient(account, transport)


CONNECTOR = Connector(
    authenticate=authenticate,
    translate=to_translation,
    render=from_payload,
    open=open_client,
    sign=sign,
    rows=rows,
)
