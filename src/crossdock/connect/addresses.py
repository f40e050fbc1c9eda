"""Which addresses a foreign URL may lead to: public ones only."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

URL_LENGTH_MAX: Final = 2000
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Reachable on the public internet; an IPv4 address wrapped in an IPv6 one counts as what it is."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def objection(url: str, *, allow_private: bool) -> str:
    """Why this URL may not be called, or empty. Names are judged when they are resolved."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return f"is no URL: {error}"
    if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
        return f"must be printable ASCII without spaces, at most {URL_LENGTH_MAX} characters"
    if parts.username is not None or parts.fragment:
        return "must hold neither a user name nor a fragment"
    literal = _literal(host)
    loopback = host == "localhost" or (literal is not None and literal.is_loopback)
    if not host or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not loopback):
        return "must begin with https:// (http:// is for loopback only)"
    if not allow_private and (loopback or (literal is not None and not is_public(literal))):
        return f"{host} is not a public address: only `allow_private: true` permits that"
    return ""


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
