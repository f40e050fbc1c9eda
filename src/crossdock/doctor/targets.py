"""The other sides: does each system answer our account, and how long is its certificate good."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from crossdock.connect.transport import Transport
from crossdock.doctor.check import Check
from crossdock.errors import CrossdockError
from crossdock.runtime.hub import Hub

CHECK_SECONDS = 20.0
HANDSHAKE_SECONDS = 5.0
CERTIFICATE_DAYS = 21
"""Fewer days than this are worth a warning: time to order, approve and install a new one."""


async def certificates(hub: Hub) -> list[Check]:
    """Of every https address, each host once."""
    hosts: dict[tuple[str, int], str] = {}
    called = [(name, system.base_url) for name, system in hub.landscape.systems.items()]
    called += [(name, one.url) for name, one in hub.landscape.subscriptions.items()]
    for name, address in called:
        url = urlsplit(address)
        if url.scheme == "https" and url.hostname:
            hosts.setdefault((url.hostname, url.port or 443), name)
    return list(await asyncio.gather(*(_certificate(*place, name) for place, name in hosts.items())))


async def _certificate(host: str, port: int, system: str) -> Check:
    name, where = f"certificate {system}", f"{host}:{port}"
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        return Check("fail", name, f"{where}: {error.verify_message}", "No call to it can succeed: renew it there, or trust its authority here.")  # fmt: skip
    except ssl.SSLError as error:
        return Check(
            "fail", name, f"{where}: {error.reason or error}", "Does a TLS server listen at base_url?"
        )
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {HANDSHAKE_SECONDS:g} s"
        return Check("warn", name, f"{where} could not be asked: {why}", "See base_url and the network.")
    ends = str(writer.get_extra_info("peercert")["notAfter"])
    writer.close()
    days = int((ssl.cert_time_to_seconds(ends) - time.time()) // 86400)
    text = f"{where}: good for {days} more days"
    if days < CERTIFICATE_DAYS:
        return Check("warn", name, text, f"Have it renewed before {ends}.")
    return Check("ok", name, text)


async def answers(hub: Hub) -> AsyncIterator[Check]:
    """Each connector's own check of its account; nothing is booked by it."""
    transport = Transport()
    try:
        names = [name for name in hub.landscape.systems if hub.manifest(name).effects]
        for check in await asyncio.gather(*(_answers(hub, name, transport) for name in names)):
            yield check
    finally:
        await transport.close()


async def _answers(hub: Hub, system: str, transport: Transport) -> Check:
    name = f"target {system}"
    remedy = f"See base_url, settings and secrets in systems/{system}.yaml, and the system itself."
    opened = hub.connector(system).open
    assert opened is not None, "an account with effects can be called"
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return Check("ok", name, await opened(hub.account(system), transport).check())
    except TimeoutError:
        return Check("fail", name, f"no answer within {CHECK_SECONDS:g} s", remedy)
    except (CrossdockError, socket.gaierror) as error:
        return Check("fail", name, str(error), remedy)
