"""An account's settings: its own values, the manifest's defaults, and values that differ by location. Pure."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from crossdock.connect.contract import Account
from crossdock.connect.manifest import load_manifest
from crossdock.errors import Misconfigured


@cache
def _defaults() -> Mapping[str, str]:
    manifest = load_manifest(Path(__file__).with_name("manifest.toml"))
    return {name: field.default for name, field in manifest.settings.items() if field.default is not None}


def setting(account: Account, name: str) -> str:
    """The account's value or the manifest's default. Raises `Misconfigured` where there is neither."""
    value = account.settings.get(name) or _defaults().get(name)
    if value is None:
        raise Misconfigured(f"accounts.{account.name}.settings.{name}", "is required")
    return value


def placed(configured: str, location: str) -> str | None:
    """A setting that is one value for all locations, or a list `SITE1=1010, SITE2=1020`; None: not in the list."""
    if "=" not in configured:
        return configured
    pairs = (entry.partition("=") for entry in configured.split(","))
    return next((value.strip() for name, _, value in pairs if name.strip() == location), None)


def plant_of(location: str, account: Account) -> str:
    """The plant of a location; one that is not configured is its own plant."""
    return placed(setting(account, "plant"), location) or location


def at_location(name: str, location: str, account: Account) -> str:
    """A setting that may differ by location; empty where SAP shall determine it."""
    return placed(setting(account, name), location) or ""


def plants_of(account: Account) -> tuple[str, ...]:
    """All plants that are configured; empty where every location is its own plant."""
    configured = listed(setting(account, "plant"))
    return tuple(dict.fromkeys(entry.rpartition("=")[2].strip() for entry in configured))


def locations_by_plant(configured: str) -> dict[str, str]:
    """Plant → location. One plant for all locations cannot be led back to them."""
    pairs = (entry.partition("=") for entry in listed(configured))
    return {plant.strip(): location.strip() for location, sign, plant in pairs if sign}


def listed(configured: str) -> tuple[str, ...]:
    """The entries of a setting that is a list."""
    return tuple(entry.strip() for entry in configured.split(",") if entry.strip())
