"""Basic authentication (RFC 7617) of a partner that posts to us, by the secrets `event_user` and `event_password`."""

import hmac
from base64 import b64encode

from crossdock.connect.contract import Account, Inbound
from crossdock.errors import Unauthenticated

HEADER = "authorization"
PASSWORDS = ("event_password", "event_password_previous")


def basic(user: str, password: str) -> str:
    """The header's value."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def as_sender(account: Account) -> str:
    """The header's value with which this partner posts to us."""
    return basic(account.secrets.get("event_user", ""), account.secrets.get("event_password", ""))


def authenticate(inbound: Inbound, account: Account) -> None:
    """The password before counts too while it is being replaced; without a configured one nothing is let in."""
    given = inbound.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
    user = account.secrets.get("event_user", "")
    right = False
    for name in PASSWORDS:
        password = account.secrets.get(name, "")
        right |= bool(user and password) and hmac.compare_digest(basic(user, password).encode(), given)
    if not right:
        raise Unauthenticated(f"header {HEADER} does not carry event_user and event_password")
