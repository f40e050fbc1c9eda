"""What orders and notifications have in common: order numbers, instants, and whose orders are none of ours."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from crossdock.errors import Rejected

AMAZONS: Final = "AFN: Amazon fulfils it from its own warehouse"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def order_id(given: str | None, at: str) -> str:
    """`902-3159896-1390916`."""
    if not given or not re.fullmatch(r"[A-Z0-9]{1,10}(-[A-Z0-9]{1,10}){0,3}", given):
        raise Rejected(at, "not an order id such as 902-3159896-1390916")
    return given


def instant(text: str | None, at: str) -> datetime:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        raise Rejected(at, "not a time") from None
    if found.tzinfo is None:
        raise Rejected(at, "a time without offset")
    return found


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
