"""Threads: the business objects that have a life of their own, and their partition.

A thread key is `kind/…`: `order/shopify-eu/1042`, `shipment/wms-1/S-77`, `inbound/sap-1/4500000017`, `transfer/sap-1/4500000018`,
`identifier/tracking/ups/1Z…`, `stock/SITE1/WID-1`, `serial/WID-1/SN-42`, `message/<message id>`. The key's 16-byte hash decides the partition.
"""

from hashlib import blake2b
from typing import NewType

ThreadKey = NewType("ThreadKey", str)

PARTITIONS = 64
KEY_LENGTH_MAX = 200


def thread_key(kind: str, *parts: str) -> ThreadKey:
    """Build a key; parts are used as the source gave them (case kept), separated by `/`."""
    return ThreadKey("/".join((kind, *parts))[:KEY_LENGTH_MAX])


def order_thread(system: str, number: str) -> ThreadKey:
    return thread_key("order", system, number)


def shipment_thread(system: str, number: str) -> ThreadKey:
    return thread_key("shipment", system, number)


def stock_thread(location: str, item: str) -> ThreadKey:
    return thread_key("stock", location, item)


def identifier_thread(scheme: str, issuer: str, value: str) -> ThreadKey:
    """The home of an identifier: an event that knows only (scheme, issuer, value) is addressed here."""
    return thread_key("identifier", scheme, issuer, value)


def kind_of(thread: str) -> str:
    return thread.partition("/")[0]


def reference_of(thread: str) -> str:
    """The part that partners see and echo: `shopify-eu/1042` of `order/shopify-eu/1042`."""
    return thread.partition("/")[2]


def hash16(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def partition_of(thread_hash: bytes) -> int:
    """Map a thread hash to its partition (generation 1 of the map: the first two bytes modulo 64)."""
    return (thread_hash[0] << 8 | thread_hash[1]) % PARTITIONS
