"""The landscape: which systems there are, who serves what, and the company's rules. YAML in git.

`hub.yaml` holds settings, roles and policy; `systems/*.yaml` one system each, `subscriptions/*.yaml` one subscriber
each; `routing.yaml` the tables of nodes and carriers. A secret is always a reference:
`${env:NAME}`, `${file:path}` (relative to the landscape). A literal secret is refused.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from crossdock.errors import Misconfigured
from crossdock.yaml_file import read_yaml

_REFERENCE = re.compile(r"^\$\{(env|file):([^}]+)\}$")


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
    hub = _read(folder / "hub.yaml", _Hub)
    systems: dict[str, System] = {}
    for path in sorted((folder / "systems").glob("*.yaml")):
        system = _read(path, System)
        if system.name in systems:
            raise Misconfigured(str(path), f"a second system named {system.name}")
        for name, value in system.secrets.items():
            if not _REFERENCE.match(value):
                raise Misconfigured(
                    str(path), f"secrets.{name} is written out: use ${{env:…}} or ${{file:…}}"
                )
        systems[system.name] = system
    landscape = Landscape(
        folder, systems, hub.roles, hub.policy, _read_routing(folder / "routing.yaml"), _subscriptions(folder)
    )
    for role in ("erp", "warehouse", "carrier"):
        _known(landscape, f"roles.{role}", getattr(hub.roles, role))
    for role in ("channels", "notify", "follow"):
        for name in getattr(hub.roles, role):
            _known(landscape, f"roles.{role}", name)
    return landscape


def _read_routing(path: Path) -> dict[str, Any]:
    """The tables as written; an installation with one node needs none."""
    if not path.exists():
        return {}
    found = read_yaml(path)
    if not isinstance(found, dict):
        raise Misconfigured(str(path), "must be a mapping of tables: nodes, calendars, orders, transport")
    return found


def _subscriptions(folder: Path) -> dict[str, Subscription]:
    found: dict[str, Subscription] = {}
    for path in sorted((folder / "subscriptions").glob("*.yaml")):
        one = _read(path, Subscription)
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


def _read(path: Path, shape: Any) -> Any:
    try:
        return msgspec.convert(read_yaml(path), shape)
    except msgspec.ValidationError as error:
        raise Misconfigured(str(path), str(error)) from None


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
