"""Values as OData V2 writes them. Pure."""

import re
from datetime import UTC, date, datetime

_MOMENT = re.compile(r"/Date\((-?\d+)(?:[+-]\d{1,4})?\)/")


def odata_date(day: date | datetime) -> str:
    """Edm.DateTime of OData V2: midnight UTC of the calendar day, in milliseconds."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"/Date({int(midnight.timestamp()) * 1000})/"


def milliseconds(text: str | None) -> int | None:
    """Of an Edm.DateTime or DateTimeOffset since 1970; None where it is none."""
    found = _MOMENT.fullmatch(text or "")
    return int(found[1]) if found else None


def day_of(text: str | None) -> date | None:
    """The calendar day of a date that is written as midnight UTC."""
    since = milliseconds(text)
    return None if since is None else datetime.fromtimestamp(since / 1000, UTC).date()
