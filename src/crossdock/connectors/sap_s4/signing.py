"""How SAP's event broker proves itself: the user name and password of the webhook, as basic authentication."""

import hmac
from base64 import b64encode
from collections.abc import Mapping

from crossdock.connect.contract import Account, Inbound
from crossdock.errors import Unauthenticated

AUTHORIZATION_HEADER = "authorization"
PASSWORDS = ("event_password", "event_password_previous")


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def sign(_message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """The headers of one delivery; an event's id stands in its body."""
    secrets = account.secrets
    return {
        "content-type": "application/cloudevents+json",
        AUTHORIZATION_HEADER: basic(secrets.get("event_user", ""), secrets.get("event_password", "")),
    }


def authenticate(inbound: Inbound, account: Account) -> None:
    """The password before counts too while it is being replaced; without a configured one nothing is let in."""
    given = inbound.headers.get(AUTHORIZATION_HEADER, "").encode("utf-8", "surrogateescape")
    user = account.secrets.get("event_user", "")
    right = False
    for name in PASSWORDS:
        password = account.secrets.get(name, "")
        right |= bool(user and password) and hmac.compare_digest(basic(user, password).encode(), given)
    if not right:
        raise Unauthenticated(f"header {AUTHORIZATION_HEADER} does not carry event_user and event_password")
