"""Glue: notices go out as e-mail; nothing comes in."""

from crossdock.connect.contract import Account, Client, Connector
from crossdock.connect.transport import Transport
from crossdock.connectors.email.client import MailClient
from crossdock.connectors.email.mapping import from_payload


def open_client(account: Account, _transport: Transport) -> Client:
    """Mail does not travel over HTTP, so the shared transport stays unused."""
    return MailClient(account)


CONNECTOR = Connector(render=from_payload, open=open_client)
