"""Finding connectors: every folder below `crossdock.connectors` with a manifest, and entry points of that group."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from importlib.metadata import entry_points
from pathlib import Path

from crossdock.connect.contract import Connector
from crossdock.connect.manifest import Manifest, load_manifest
from crossdock.errors import Misconfigured

PACKAGE = "crossdock.connectors"


@dataclass(frozen=True, slots=True)
class Found:
    """A connector that is installed; its code is imported on first use only."""

    package: str
    folder: Path
    manifest: Manifest

    def load(self) -> Connector:
        connector = import_module(f"{self.package}.connector").CONNECTOR
        assert isinstance(connector, Connector)
        return connector


def places() -> Iterator[tuple[str, Path]]:
    """Package and folder of every connector, ours first; their manifests are not read yet."""
    root = ours()
    yield from ((f"{PACKAGE}.{p.parent.name}", p.parent) for p in sorted(root.glob("*/manifest.toml")))
    for entry in entry_points(group=PACKAGE):
        try:
            yield entry.value, Path(str(resources.files(entry.value)))
        except ImportError as error:
            reason = f"{entry.value} cannot be imported: {error}. Install its package again, or uninstall it"
            raise Misconfigured(f"entry point {entry.name} of {PACKAGE}", reason) from None


def ours() -> Path:
    """The folder of the connectors that come with Crossdock."""
    return Path(str(resources.files(PACKAGE)))


@cache
def installed() -> dict[str, Found]:
    """All connectors by name. Two of one name are a misconfiguration."""
    found: dict[str, Found] = {}
    for package, folder in places():
        manifest = load_manifest(folder / "manifest.toml")
        if manifest.name in found:
            raise Misconfigured(str(folder / "manifest.toml"), f"a second connector named {manifest.name}")
        found[manifest.name] = Found(package, folder, manifest)
    return found
