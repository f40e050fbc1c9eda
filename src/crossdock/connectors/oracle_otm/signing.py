"""How OTM proves itself: the user name and password of its external system record, as basic authentication."""

from collections.abc import Mapping

from crossdock.connect.basic import HEADER, as_sender
from crossdock.connect.contract import Account, Inbound


def sign(_message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """The headers of one outbound message; OTM signs nothing, and numbers its messages in the body."""
    return {"content-type": "application/json", HEADER: as_sender(account)}
