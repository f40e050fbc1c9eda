"""What can be seen without a database: the hub's key, its token, the disks, the business clock, its processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from crossdock.client import read_status
from crossdock.doctor.check import Check, graded
from crossdock.runtime.hub import PRIVATE, Hub
from crossdock.runtime.postgres import place_for
from crossdock.settings import Settings

NARROW = 2.0
"""So many times the limit of free disk is worth a warning."""


def key_path(folder: Path, settings: Settings) -> Path:
    return Path(settings.hub_key) if settings.hub_key else folder / PRIVATE / "hub.key"


def key(folder: Path, settings: Settings) -> Check:
    """Looked at before anything reads it: reading makes one where there is none."""
    path = key_path(folder, settings)
    if not path.exists():
        ran = any((folder / PRIVATE / name).exists() for name in ("operator.token", "postgres", "cluster"))
        if ran:
            remedy = (
                "Put it back from its backup: without it nothing sealed opens, and every token is invalid."
            )
            return Check("fail", "hub key", f"{path} is gone", remedy)
        return Check(
            "warn", "hub key", f"{path} is not there yet", "`crossdock up` makes it. Then back it up."
        )
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Check("fail", "hub key", f"{path} is readable by others (mode {mode:o})", f"chmod 600 {path}")
    return Check("ok", "hub key", f"{path}, mode {mode:o}")


def token(folder: Path) -> Check:
    path = folder / PRIVATE / "operator.token"
    if not path.exists():
        return Check("warn", "operator token", f"{path} is not there", "The first start writes it, once, on the machine where it happens.")  # fmt: skip
    if path.stat().st_mode & 0o077:
        return Check("fail", "operator token", f"{path} is readable by others", f"chmod 600 {path}")
    return Check("ok", "operator token", f"{path}, for its owner only")


def clock_rate(settings: Settings) -> Check:
    rate = settings.business_clock_rate
    if rate != 1:
        return Check("warn", "business clock", f"runs {rate:g} times as fast as the real one", "Set business_clock_rate to 1 outside demonstrations.")  # fmt: skip
    return Check("ok", "business clock", "runs with the real one")


def disks(hub: Hub) -> Iterator[Check]:
    """The landscape's disk, and that of the hub's own PostgreSQL where it is another."""
    places = [hub.folder]
    if not hub.settings.database_url:
        data = place_for(hub.folder, Path(hub.settings.bin_dir) if hub.settings.bin_dir else None).data
        if data.exists() and data.stat().st_dev != hub.folder.stat().st_dev:
            places.append(data)
    limit = hub.settings.disk_free_min_share
    for place in places:
        usage = shutil.disk_usage(place)
        share = usage.free / usage.total
        text = f"{place}: {share:.0%} free ({usage.free / 2**30:.1f} GiB), intake stops below {limit:.0%}"
        remedy = "Free space, set retention_days, or move the data to a larger disk."
        level = graded(-share, (-NARROW * limit, -limit))
        yield Check(level, "disk", text, "" if level == "ok" else remedy)


def running(folder: Path) -> Check:
    found = read_status(folder)
    if found is None:
        return Check("warn", "hub", "does not run here", f"crossdock up --hub {folder}")
    names = sorted(found["pids"])  # type: ignore[call-overload]
    return Check("ok", "hub", f"runs: {', '.join(names)}")
