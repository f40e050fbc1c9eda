"""Wall-clock times without a zone: whose clock it was, and which instant it showed. Nothing is invented.

Zones are those of the IANA time zone database (zone1970.tab). Where a country has several, its region decides;
where that is not known either, there is no instant.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_ZONES: Final[dict[str, str]] = {
    "AE": "Asia/Dubai", "AT": "Europe/Vienna", "BE": "Europe/Brussels", "BG": "Europe/Sofia", "CH": "Europe/Zurich",
    "CN": "Asia/Shanghai", "CZ": "Europe/Prague", "DE": "Europe/Berlin", "DK": "Europe/Copenhagen", "EE": "Europe/Tallinn",
    "FI": "Europe/Helsinki", "FR": "Europe/Paris", "GB": "Europe/London", "GR": "Europe/Athens", "HK": "Asia/Hong_Kong",
    "HR": "Europe/Zagreb", "HU": "Europe/Budapest", "IE": "Europe/Dublin", "IL": "Asia/Jerusalem", "IN": "Asia/Kolkata",
    "IT": "Europe/Rome", "JP": "Asia/Tokyo", "KR": "Asia/Seoul", "LT": "Europe/Vilnius", "LU": "Europe/Luxembourg",
    "LV": "Europe/Riga", "NL": "Europe/Amsterdam", "NO": "Europe/Oslo", "PL": "Europe/Warsaw", "RO": "Europe/Bucharest",
    "SA": "Asia/Riyadh", "SE": "Europe/Stockholm", "SG": "Asia/Singapore", "SI": "Europe/Ljubljana", "SK": "Europe/Bratislava",
    "TH": "Asia/Bangkok", "TR": "Europe/Istanbul", "TW": "Asia/Taipei", "UA": "Europe/Kyiv", "VN": "Asia/Ho_Chi_Minh",
    "ZA": "Africa/Johannesburg",
}  # fmt: skip
_REGIONS: Final[dict[str, str]] = {
    "US/NY": "America/New_York", "US/NJ": "America/New_York", "US/PA": "America/New_York", "US/MA": "America/New_York",
    "US/GA": "America/New_York", "US/OH": "America/New_York", "US/NC": "America/New_York", "US/VA": "America/New_York",
    "US/MD": "America/New_York", "US/CT": "America/New_York", "US/SC": "America/New_York", "US/WV": "America/New_York",
    "US/NH": "America/New_York", "US/VT": "America/New_York", "US/ME": "America/New_York", "US/RI": "America/New_York",
    "US/DE": "America/New_York", "US/DC": "America/New_York", "US/IL": "America/Chicago", "US/WI": "America/Chicago",
    "US/MN": "America/Chicago", "US/IA": "America/Chicago", "US/MO": "America/Chicago", "US/AR": "America/Chicago",
    "US/LA": "America/Chicago", "US/MS": "America/Chicago", "US/AL": "America/Chicago", "US/OK": "America/Chicago",
    "US/CO": "America/Denver", "US/NM": "America/Denver", "US/UT": "America/Denver", "US/WY": "America/Denver",
    "US/MT": "America/Denver", "US/AZ": "America/Phoenix", "US/CA": "America/Los_Angeles", "US/WA": "America/Los_Angeles",
    "US/NV": "America/Los_Angeles", "US/HI": "Pacific/Honolulu", "CA/ON": "America/Toronto", "CA/QC": "America/Toronto",
    "CA/MB": "America/Winnipeg", "CA/AB": "America/Edmonton", "CA/BC": "America/Vancouver", "CA/NS": "America/Halifax",
}  # fmt: skip
"""States that lie in one zone, or of which all but a sliver does not; the others have none here."""


LAST_ZONE: Final = timezone(timedelta(hours=-12))


class Instant(msgspec.Struct, frozen=True):
    """`doubt` says what makes the instant less than sure; empty where nothing does."""

    at: datetime
    doubt: str = ""


def zone_of(place: str) -> str:
    """The zone of `City, Region, CC` (as scans name places) or of a bare country code; empty where it is not sure."""
    parts = [part.strip().upper() for part in place.split(",") if part.strip()]
    if not parts:
        return ""
    region = f"{parts[-1]}/{parts[-2]}" if len(parts) > 1 else ""
    return _ZONES.get(parts[-1]) or _REGIONS.get(region, "")


def instant_of(local_at: str, place: str) -> Instant | None:
    """The instant of a local time in ISO 8601 without offset; None where the time or the zone is not to be had.

    In the hour that a clock shows twice the first is taken, in the one it skips the time is moved on: both say so.
    """
    zone = zone_of(place)
    try:
        local = datetime.fromisoformat(local_at)
    except ValueError:
        return None
    if not zone or local.tzinfo is not None or len(local_at) <= len("2026-01-01"):
        return None
    placed = local.replace(tzinfo=_zone(zone))
    at = placed.astimezone(UTC)
    if at.astimezone(_zone(zone)).replace(tzinfo=None) != local:
        return Instant(at, f"{local_at} does not exist in {zone}")
    if placed.utcoffset() != placed.replace(fold=1).utcoffset():
        return Instant(at, f"{local_at} comes twice in {zone}")
    return Instant(at)


def day_ends_at(day: date, place: str) -> datetime:
    """When a day given without a time is over at `place`: its last minute there, or, where the zone is not sure, the
    last on Earth (UTC-12), so that nobody is late by a clock that was guessed.
    """
    zone = zone_of(place)
    last = datetime.combine(day, time(23, 59))
    return last.replace(tzinfo=_zone(zone) if zone else LAST_ZONE).astimezone(UTC)


def believed(at: datetime, recorded_at: datetime, ahead_seconds: int) -> Instant:
    """A partner's time, or ours where its clock runs ahead by more than may be."""
    if at > recorded_at + timedelta(seconds=ahead_seconds):
        return Instant(recorded_at, f"{at.isoformat()} lies in the future")
    return Instant(at)


@lru_cache(maxsize=128)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
