"""Where a foreign URL may lead: public addresses only, whatever they are written like."""

from ipaddress import ip_address

import pytest

from crossdock.connect.addresses import is_public, objection
from crossdock.connect.resolver import PublicResolver
from crossdock.connect.transport import NotSent, Transport

PRIVATE = (
    "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2001:db8::1",
)  # fmt: skip
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public(address: str) -> None:
    """Loopback, private, link-local (cloud metadata), shared, multicast; also wrapped in IPv6."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address: str) -> None:
    """Ordinary addresses, in both families."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x", "ftp://example.com/x", "example.com/x", "https://", "https://user:pw@example.com/", "https://example.com/#a",
        "https://10.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest", "http://127.0.0.1/x",
        "https://localhost/", "https://exa mple.com/", "https://example.com:99999/", "https://[bad/", "https://example.com/" + "x" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_may_not_be_called(url: str) -> None:
    """Without TLS, with credentials, to an address inside: each is refused before anything is asked."""
    assert objection(url, allow_private=False)


def test_a_url_that_may() -> None:
    """https to a name or a public address; http and private addresses as far as it is permitted."""
    assert objection("https://hooks.example.com/crossdock?x=1", allow_private=False) == ""
    assert objection("https://93.184.216.34/", allow_private=False) == ""
    assert objection("http://127.0.0.1:9000/hook", allow_private=True) == ""
    assert objection("https://10.0.0.1/", allow_private=True) == ""
    assert objection("http://10.0.0.1/", allow_private=True) != ""


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
async def test_a_name_that_leads_inside_is_not_connected_to(host: str) -> None:
    """Judged by what it resolves to, however it is written."""
    with pytest.raises(OSError, match="not public"):
        await PublicResolver().resolve(host, 443)
    transport = Transport(resolver=PublicResolver())
    try:
        with pytest.raises(NotSent, match=r"not public|not a canonical"):
            await transport.request("POST", f"https://{host}:9/", body=b"{}")
    finally:
        await transport.close()
