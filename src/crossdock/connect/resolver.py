"""Names of foreign URLs: looked up once and judged, then connected to by address, never by name again."""

import asyncio
import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from crossdock.connect.addresses import is_public


class PublicResolver(AbstractResolver):
    """Resolves to public addresses, or fails. aiohttp connects to what it is given, and does not ask for IP literals."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """One address that is not public spoils all: who mixes them wants to get inside."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results = []
        for kind, _, proto, _, place in found:
            address = str(place[0])
            if not is_public(ip_address(address.partition("%")[0])):
                raise OSError(None, f"{host} resolves to {address}, which is not public")
            results.append(
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        """There is nothing to close."""
