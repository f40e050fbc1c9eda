"""Documents that tests send: a shop's order and canonical events, each under numbers of its own."""

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

from crossdock.connect.discovery import installed
from crossdock.model.registry import TYPE_PREFIX

_SAMPLES = Path(__file__).parents[1] / "unit" / "model" / "samples"
_numbers = itertools.count(int(time.time()) % 10**6 * 10**6 + os.getpid() % 1000 * 1000)


def next_number() -> int:
    """A number that no other test uses."""
    return next(_numbers)


def shop_order(**changes: Any) -> dict[str, Any]:
    """An order as the shop's webhook carries it; its number is in `id`."""
    folder = installed()["shopify"].folder / "fixtures"
    body: dict[str, Any] = json.loads((folder / "in_order_create.json").read_text())["body"]
    number = next_number()
    return body | {"id": number, "name": f"#{number}", "order_number": number} | changes


def canonical(type_: str, thread: str, **changes: Any) -> dict[str, Any]:
    """A CloudEvent with the stored sample's data."""
    data = json.loads((_SAMPLES / f"{type_}.json").read_text()) | changes
    return {
        "specversion": "1.0", "id": f"test-{next_number()}", "source": "tests", "type": TYPE_PREFIX + type_,
        "subject": thread, "time": "2026-11-20T10:00:00Z", "data": data,
    }  # fmt: skip


def canonical_order() -> dict[str, Any]:
    """`order.received` of a new order of the shop, as data for `POST /v1/orders`."""
    reference = f"shopify-eu/{next_number()}"
    data: dict[str, Any] = json.loads((_SAMPLES / "order.received.v1.json").read_text())
    return data | {"reference": reference, "number": "#" + reference.partition("/")[2]}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


DEEP = b'{"":' * 200_000 + b"1" + b"}" * 200_000
"""JSON nested beyond any reader's stack."""
