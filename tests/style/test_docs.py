"""The reference is complete: whatever a person can write, call or meet is named in `docs/reference/`."""

import ast
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from crossdock import landscape
from crossdock.api.application import api_app
from crossdock.cli.main import app
from crossdock.connect.discovery import installed
from crossdock.demo.landscape import write
from crossdock.model.registry import EFFECTS, EVENTS
from crossdock.processes.policy import Policy
from crossdock.runtime.hub import load_hub
from crossdock.settings import ENVIRONMENT, Settings
from style.tree import ROOT, SOURCE, code, parsed

TYPE_OF_PARAMETER = re.compile(r":\w+(?=})")
REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    path = REFERENCE / f"{name}.md"
    return path.read_text() if path.exists() else ""


def missing(names: list[str], text: str) -> list[str]:
    """Names that do not stand in the text as words of their own."""
    return [n for n in names if not re.search(rf"(?<![\w.-]){re.escape(n)}(?![\w-])", text)]


def commands(command: Any, path: str = "crossdock") -> dict[str, Any]:
    """Every command a person can type, with the words that lead to it."""
    children = getattr(command, "commands", None)
    if children:
        below: dict[str, Any] = {}
        for name, child in children.items():
            below |= commands(child, f"{path} {name}")
        return below
    return {path: command}


COMMANDS = commands(typer.main.get_command(app))


def fields(shape: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(shape)]


def test_every_command_is_named() -> None:
    """docs/reference/cli.md."""
    assert missing(list(COMMANDS), page("cli")) == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_named(path: str) -> None:
    """docs/reference/cli.md names each `--option` of the command."""
    options = [o for p in COMMANDS[path].params for o in p.opts if o.startswith("--") and o != "--help"]

    assert missing(options, page("cli")) == []


def test_every_setting_is_named_with_its_variable() -> None:
    """docs/reference/settings.md."""
    names = fields(Settings)

    assert missing(names, page("settings")) == []
    assert missing([ENVIRONMENT + name.upper() for name in names], page("settings")) == []


def test_every_landscape_key_is_named() -> None:
    """docs/reference/landscape.md: systems, roles, and the company's rules."""
    shapes = (landscape.System, landscape.Roles, landscape.Subscription, landscape._Hub, Policy)
    names = [name for shape in shapes for name in fields(shape)]

    assert missing(sorted(set(names)), page("landscape")) == []


def test_every_event_type_is_named() -> None:
    """docs/reference/events.md."""
    assert missing(list(EVENTS), page("events")) == []


def test_every_effect_kind_is_named() -> None:
    """docs/reference/effects.md."""
    assert missing(list(EFFECTS), page("effects")) == []


def test_every_connector_is_named() -> None:
    """docs/reference/connectors.md."""
    assert missing(list(installed()), page("connectors")) == []


@pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
def test_every_endpoint_is_named_with_its_method(tmp_path: Path) -> None:
    """docs/reference/api.md has `METHOD /path` for each route of the API; the console's pages are not one."""
    write(tmp_path, hub_port=1, system_port=2)
    routes = api_app(load_hub(tmp_path)).routes
    named = [
        f"{method} {TYPE_OF_PARAMETER.sub('', route.path)}"
        for route in routes
        for handler in getattr(route, "route_handlers", ())
        if handler.include_in_schema is not False and not handler.handler_name.startswith("crossdock.console")
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"})
    ]
    wanted = [one for one in named if one.split()[1].startswith(("/v1/", "/health", "/metrics"))]

    assert len(wanted) > 12
    assert missing([one for one in wanted if "/openapi/" not in one], page("api")) == []


def test_every_problem_is_named() -> None:
    """docs/reference/api.md has each stable code an error may carry."""
    codes = set()
    for path in code():
        if path.parent in (SOURCE / "api", SOURCE / "console"):
            for node in ast.walk(parsed(path)):
                match node:
                    case ast.Call(func=ast.Name(id="Problem"), args=[_, ast.Constant(value=str(value)), *_]):
                        codes.add(value)

    assert len(codes) > 10
    assert missing(sorted(codes), page("api")) == []


def test_the_search_searches() -> None:
    """A name inside a longer one is not named."""
    assert missing(["port", "GET /v1/find"], "`database_port`; `GET /v1/findings`") == [
        "port",
        "GET /v1/find",
    ]
    assert missing(["port", "GET /v1/find"], "| `port` | `GET /v1/find` |") == []
