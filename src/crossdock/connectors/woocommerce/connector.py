"""Glue: WooCommerce's two abilities. Nothing is told to the shop yet."""

from crossdock.connect.contract import Connector
from crossdock.connectors.woocommerce.mapping import to_translation
from crossdock.connectors.woocommerce.signing import authenticate, sign

CONNECTOR = Connector(authenticate=authenticate, translate=to_translation, sign=sign)
