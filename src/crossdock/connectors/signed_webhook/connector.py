"""Glue: the four abilities of signed webhooks."""

from crossdock.connect.contract import Account, Client, Connector
from crossdock.connect.transport import Transport
from crossdock.connectors.signed_webhook.client import WebhookClient
from crossdock.connectors.signed_webhook.mapping import from_payload, to_translation
from crossdock.connectors.signed_webhook.signatures import authenticate, sign


def open_client(account: Account, transport: Transport) -> Client:
    return WebhookClient(account, transport)


CONNECTOR = Connector(
    authenticate=authenticate, translate=to_translation, render=from_payload, open=open_client, sign=sign
)
