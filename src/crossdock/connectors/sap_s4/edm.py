"""Values as OData V2 writes them. Pure."""

from datetime import UTC, date, datetime


def odata_date(day: date | datetime) -> str:
    """Edm.DateTime of OData V2: midnight UTC of the calendar day, in milliseconds."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"/Date({int(midnight.timestamp()) * 1000})/"
