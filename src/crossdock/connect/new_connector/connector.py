"""Glue: what the hub may ask of this connector."""

from crossdock.connect.contract import Account, Client, Connector
from crossdock.connect.transport import Transport

from .client import SystemClient
from .mapping import from_payload, to_translation
from .signing import authenticate, sign


def open_client(account: Account, transport: Transport) -> Client:
    return SystemClient(account, transport)


CONNECTOR = Connector(
    authenticate=authenticate, translate=to_translation, render=from_payload, open=open_client, sign=sign
)
