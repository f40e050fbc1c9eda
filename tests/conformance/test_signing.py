"""What a connector signs as its partner would, it must itself accept; changed, it must not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from crossdock.connect.contract import Inbound
from crossdock.connect.discovery import Found, installed
from crossdock.connect.fixtures import account_of
from crossdock.errors import Unauthenticated

SIGNING = {name: found for name, found in installed().items() if found.manifest.inbound}


def message(found: Found, body: bytes) -> Inbound:
    channel = next(iter(found.manifest.inbound))
    return Inbound(channel=channel, headers={}, body=body, received_at=datetime.now(UTC))


@pytest.mark.parametrize("name", SIGNING)
def test_a_connector_accepts_what_it_signs(name: str) -> None:
    """`crossdock send` and the twins rely on it."""
    connector, account = SIGNING[name].load(), account_of(SIGNING[name])
    assert connector.sign, "an inbound connector says how its partner signs"
    assert connector.authenticate
    sent = message(SIGNING[name], b'{"a": 1}')
    headers = connector.sign(sent, account, "a.topic")

    connector.authenticate(replace(sent, headers=headers), account)
    assert set(headers) == {header.lower() for header in headers}
    assert headers == connector.sign(sent, account, "a.topic"), "equal messages are signed alike"


@pytest.mark.parametrize("name", SIGNING)
def test_a_connector_refuses_what_somebody_else_signs(name: str) -> None:
    """The proof is the secret, not the form of the headers."""
    connector, account = SIGNING[name].load(), account_of(SIGNING[name])
    assert connector.sign
    assert connector.authenticate
    stranger = replace(account, secrets={key: "whsec_c3RyYW5nZXI=" for key in account.secrets})
    sent = message(SIGNING[name], b"{}")

    with pytest.raises(Unauthenticated):
        connector.authenticate(replace(sent, headers=connector.sign(sent, stranger, "")), account)
