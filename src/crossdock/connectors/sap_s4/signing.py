"""How SAP's event broker proves itself: the user name and password of the webhook, as basic authentication."""

from collections.abc import Mapping

from crossdock.connect.basic import HEADER, as_sender
from crossdock.connect.contract import Account, Inbound


def sign(_message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """The headers of one delivery; an event's id stands in its body."""
    return {"content-type": "application/cloudevents+json", HEADER: as_sender(account)}
