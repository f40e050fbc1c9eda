"""The landscape: which systems there are, who serves what, and the company's rules. YAML in git.

`hub.yaml` holds settings, roles and policy; `systems/*.yaml` one system each, `subscriptions/*.yaml` one subscriber
each; `routing.yaml` the tables of nodes and carriers. A secret is always a reference:
`${env:NAME}`, `${file:path}` (relative to the landscape). A literal secret is refused.
"""

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from crossdock.errors import Misconfigured
from crossdock.yaml_file import read_yaml

_REFERENCE = re.compile(r"^\$\{(env|file):([^}]+)\}$")
_PASSWORD = re.compile(r"(://[^:/?@]*:)[^/?@]*(?=@)|((?:^|[?&])password=)[^&]*")
Documents = dict[str, Any]
"""The landscape's files by their path in the directory, each as it is written, in the shape that JSON keeps."""


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One external application and the account we use there."""

    name: str
    connector: str
    base_url: str = ""
    settings: dict[str, str] = {}
    secrets: dict[str, str] = {}
    rate_per_second: float | None = None
    """Overrides the connector's documented budget (0: no rate limit)."""
    burst: int | None = None
    concurrency: int | None = None
    backfill_seconds: float | None = None
    """How often the system is asked what changed, where its connector can (0: never)."""
    late_seconds: float | None = None
    """How late a message may come behind a later one before its number counts as missing, where its connector reads one."""
    snapshot_at: Annotated[str, msgspec.Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")] = ""
    """Time of day (HH:MM, of its node's zone) at which its stock is compared with the ledger; empty: only when asked."""


class Subscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Somebody who is sent events as they happen, and which of their fields."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    url: str
    secret: str
    """Reference to a Standard Webhooks secret (`whsec_` and base64)."""
    fields: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """What is sent besides `id`, `type` and `time`: dotted paths. There is no "everything"."""
    types: tuple[str, ...] = ()
    where: str = ""
    from_: Literal["now", "beginning"] = "now"
    secret_previous: str = ""
    """Signs as well while the secret is being changed."""
    allow_private: bool = False
    """Permits an address that is not public."""


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which system plays which part in the founding process."""

    erp: str
    warehouse: str
    carrier: str
    channels: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()


class Landscape(msgspec.Struct, frozen=True):
    folder: Path
    systems: dict[str, System]
    roles: Roles
    policy: dict[str, Any]
    """Overrides of `processes.policy.Policy`, by field name."""
    routing: dict[str, Any] = {}
    """`routing.yaml` as written: the tables of `processes.routing.Routing`."""
    subscriptions: dict[str, Subscription] = {}


class _Hub(msgspec.Struct, forbid_unknown_fields=True):
    roles: Roles
    settings: dict[str, Any] = {}
    policy: dict[str, Any] = {}


def load_landscape(folder: Path) -> Landscape:
    """Read and check the directory. Raises `Misconfigured` naming file and field."""
    return landscape_of(folder, read_documents(folder))


def read_documents(folder: Path) -> Documents:
    """What stands in the directory now, unchecked. The password of a `database_url` is in it: see `recordable`."""
    routing = folder / "routing.yaml"
    paths = [folder / "hub.yaml", *([routing] if routing.exists() else [])]
    for kind in ("systems", "subscriptions"):
        paths += sorted((folder / kind).glob("*.yaml"))
    return {path.relative_to(folder).as_posix(): _as_json(path) for path in paths}


def _as_json(path: Path) -> Any:
    """Dates become text: what was recorded and what is read from the file must be the same value."""
    try:
        return msgspec.json.decode(msgspec.json.encode(read_yaml(path)))
    except (TypeError, ValueError, OverflowError) as error:
        raise Misconfigured(str(path), f"cannot be kept as JSON: {error}") from None


def recordable(documents: Documents) -> Documents:
    """The same without the one secret that may stand in clear: the password in `settings.database_url`."""
    hub = documents["hub.yaml"]
    settings = hub.get("settings") if isinstance(hub, dict) else None
    url = settings.get("database_url") if isinstance(settings, dict) else None
    if not isinstance(url, str):
        return documents
    masked = _PASSWORD.sub(lambda found: f"{found[1] or found[2]}…", url)
    return documents | {"hub.yaml": {**hub, "settings": {**settings, "database_url": masked}}}  # type: ignore[dict-item]


def canonical(documents: Documents) -> bytes:
    """One text for one meaning: keys in order, no space."""
    return msgspec.json.encode(documents, order="sorted")


def digest(documents: Documents) -> str:
    return sha256(canonical(documents)).hexdigest()


def landscape_of(folder: Path, documents: Documents) -> Landscape:
    """Check documents as if they stood in the directory. Raises `Misconfigured` naming file and field."""
    hub = _shaped(folder, documents, "hub.yaml", _Hub)
    systems: dict[str, System] = {}
    for path in _below("systems", documents):
        system = _shaped(folder, documents, path, System)
        if system.name in systems:
            raise Misconfigured(str(folder / path), f"a second system named {system.name}")
        for name, value in system.secrets.items():
            if not _REFERENCE.match(value):
                raise Misconfigured(
                    str(folder / path), f"secrets.{name} is written out: use ${{env:…}} or ${{file:…}}"
                )
        systems[system.name] = system
    routing, subscriptions = _routing(folder, documents), _subscriptions(folder, documents)
    landscape = Landscape(folder, systems, hub.roles, hub.policy, routing, subscriptions)
    for role in ("erp", "warehouse", "carrier"):
        _known(landscape, f"roles.{role}", getattr(hub.roles, role))
    for role in ("channels", "notify", "follow"):
        for name in getattr(hub.roles, role):
            _known(landscape, f"roles.{role}", name)
    return landscape


def _below(kind: str, documents: Documents) -> list[str]:
    return [path for path in sorted(documents) if path.startswith(f"{kind}/")]


def _routing(folder: Path, documents: Documents) -> dict[str, Any]:
    """The tables as written; an installation with one node needs none."""
    found = documents.get("routing.yaml", {})
    if not isinstance(found, dict):
        raise Misconfigured(
            str(folder / "routing.yaml"), "must be a mapping of tables: nodes, calendars, orders, transport"
        )
    return found


def _subscriptions(folder: Path, documents: Documents) -> dict[str, Subscription]:
    found: dict[str, Subscription] = {}
    for name in _below("subscriptions", documents):
        one, path = _shaped(folder, documents, name, Subscription), folder / name
        if one.name != path.stem:
            raise Misconfigured(str(path), f"name is {one.name}: name the file after it")
        for key, value in (("secret", one.secret), ("secret_previous", one.secret_previous or one.secret)):
            if not _REFERENCE.match(value):
                raise Misconfigured(str(path), f"{key} is written out: use ${{env:…}} or ${{file:…}}")
        found[one.name] = one
    return found


def _known(landscape: Landscape, place: str, name: str) -> None:
    if name not in landscape.systems:
        raise Misconfigured(
            f"{landscape.folder / 'hub.yaml'}: {place}", f"no system named {name} in systems/"
        )


def _shaped(folder: Path, documents: Documents, path: str, shape: Any) -> Any:
    try:
        return msgspec.convert(documents[path], shape)
    except msgspec.ValidationError as error:
        raise Misconfigured(str(folder / path), str(error)) from None


def resolve_secret(folder: Path, name: str, reference: str) -> str:
    """The secret's value. Raises `Misconfigured` naming the reference, never the value."""
    found = _REFERENCE.match(reference)
    if not found:
        raise Misconfigured(name, "is not a reference")
    kind, target = found.groups()
    if kind == "env":
        value = os.environ.get(target)
        if value is None:
            raise Misconfigured(name, f"environment variable {target} is not set")
        return value
    try:
        return (folder / target).read_text().strip()
    except OSError as error:
        raise Misconfigured(name, f"file {target}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(name, f"file {target} is not text in UTF-8") from None
