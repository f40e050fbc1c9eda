"""`init`, `config lint`, `status`, `migrate`: a hub's directory before it runs, and while it does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crossdock.cli.main import app
from e2e.running import RunningHub

Ended = subprocess.CompletedProcess[str]


def crossdock(*arguments: str | Path, **environment: str) -> Ended:
    """Run a command of ours, as a person would."""
    command = [sys.executable, "-m", "crossdock.cli.main", *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CROSSDOCK_")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=clean | environment
    )


def lint(folder: Path) -> Result:
    """`config lint --json` within this process: there are many mistakes to make."""
    return CliRunner().invoke(
        app, ["config", "lint", "--hub", str(folder), "--json"], env={"CROSSDOCK_PORT": None}
    )


def says_it_plainly(ended: Ended) -> bool:
    """No stack trace, and one line at a time."""
    return "Traceback" not in ended.stderr + ended.stdout


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert re.search(old, text), f"{old} does not stand in {file.name}"
    file.write_text(re.sub(old, new, text))


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    """What `crossdock init` writes."""
    ended = CliRunner().invoke(app, ["init", str(tmp_path / "hub"), "--port", "18400"])
    assert ended.exit_code == 0, ended.output
    return tmp_path / "hub"


def test_init_writes_what_lint_finds_right(landscape: Path) -> None:
    """From nothing to a landscape without anything to correct; secrets are for the owner only."""
    ended = crossdock("config", "lint", "--hub", landscape, "--strict")

    assert (ended.returncode, ended.stdout) == (0, "")
    assert {path.stat().st_mode & 0o77 for path in (landscape / "secrets").iterdir()} == {0}


def test_init_overwrites_nothing(landscape: Path) -> None:
    """A second init changes no file."""
    before = {path: path.read_bytes() for path in landscape.rglob("*") if path.is_file()}
    ended = crossdock("init", landscape)

    assert ended.returncode == 1
    assert "exists already" in ended.stderr
    assert {path: path.read_bytes() for path in landscape.rglob("*") if path.is_file()} == before


WRONG = {
    "unknown setting": ("hub.yaml", "port: 18400", "prot: 18400", "hub.yaml: settings", "prot"),
    "setting of a wrong type": ("hub.yaml", "port: 18400", "port: many", "hub.yaml: settings", "port"),
    "setting out of range": ("hub.yaml", "port: 18400", "port: 70000", "hub.yaml: settings", "port"),
    "settings that are none": ("hub.yaml", "(?s)settings:.*?roles:", "settings: 5\nroles:", "hub.yaml", "settings"),
    "a list instead of a landscape": ("hub.yaml", "(?s).*", "- a", "hub.yaml", "object"),
    "an empty file": ("hub.yaml", "(?s).+", "", "hub.yaml", "object"),
    "no YAML": ("hub.yaml", "(?s).+", "a: [\n", "hub.yaml: line 2, column 1", "expected"),
    "role of nobody": ("hub.yaml", "erp: sap-1", "erp: sap-9", "hub.yaml: roles.erp", "sap-9"),
    "unknown policy": ("hub.yaml", "location: SITE1", "locatoin: SITE1", "hub.yaml: policy", "locatoin"),
    "unknown connector": ("systems/crm.yaml", "signed_webhook", "signed_webhok", "systems/crm.yaml", "installed: "),
    "literal secret": ("systems/crm.yaml", r"secret: \$\{.*\}", "secret: hunter2", "systems/crm.yaml", "secrets.secret"),
    "unknown secret": ("systems/crm.yaml", "secret: ", "secrte: ", "systems/crm.yaml", "secrets.secrte"),
    "missing secret": ("systems/ups-1.yaml", "(?m)^  client_id: .*\n", "", "systems/ups-1.yaml", "secrets.client_id"),
    "unknown system setting": ("systems/ups-1.yaml", "shipper_city:", "shiper_city:", "systems/ups-1.yaml", "shiper_city"),
    "unknown field": ("systems/crm.yaml", "burst:", "brust:", "systems/crm.yaml", "brust"),
    "field of a wrong type": ("systems/crm.yaml", "burst: 200", "burst: lots", "systems/crm.yaml", "burst"),
    "the same name twice": ("systems/crm.yaml", "name: crm", "name: portal", "systems/portal.yaml", "portal"),
    "secret in no file": ("systems/crm.yaml", "file:secrets/crm", "file:nowhere/crm", "systems/crm.yaml: secrets.secret", "No such file"),
    "secret in no variable": ("systems/crm.yaml", r"\$\{file:.*\}", "${env:NOT_SET_HERE}", "systems/crm.yaml: secrets.secret", "NOT_SET_HERE"),
    "empty secret": ("secrets/crm.secret", "(?s).+", "\n", "systems/crm.yaml: secrets.secret", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_lint_names_file_field_and_remedy(landscape: Path, case: str) -> None:
    """Each mistake is found before a hub runs on it; a secret's value is never repeated."""
    file, old, new, place, told = WRONG[case]
    edit(landscape / file, old, new)
    ended = lint(landscape)

    assert ended.exit_code == 1, ended.exception
    found = json.loads(ended.stdout)
    assert found["ok"] is False
    [finding] = found["findings"]
    assert finding["level"] == "error"
    assert place in finding["place"]
    assert told in finding["problem"]
    assert finding["remedy"]
    assert "hunter2" not in ended.output


@pytest.mark.parametrize("file", ["hub.yaml", "systems/crm.yaml", "secrets/crm.secret"])
def test_lint_survives_files_that_are_no_text(landscape: Path, file: str) -> None:
    """Bytes that are not UTF-8 are a finding, not a crash."""
    (landscape / file).write_bytes(b"\xff\xfe\x00")
    ended = lint(landscape)

    assert ended.exit_code == 1, ended.exception
    [finding] = json.loads(ended.stdout)["findings"]
    assert Path(file).stem.split(".")[0] in finding["place"]
    assert "UTF-8" in finding["problem"]


def test_lint_blames_the_environment_for_what_came_from_it(landscape: Path) -> None:
    """A wrong variable is not looked for in a file."""
    ended = crossdock("config", "lint", "--hub", landscape, CROSSDOCK_PORT="many")

    assert ended.returncode == 1
    assert "CROSSDOCK_PORT" in ended.stdout
    assert "hub.yaml" not in ended.stdout


def test_lint_warns_of_a_role_that_cannot_be_played(landscape: Path) -> None:
    """The hub would start; each such effect would be refused. `--strict` makes it an error."""
    edit(landscape / "hub.yaml", "carrier: ups-1", "carrier: crm")
    ended = crossdock("config", "lint", "--hub", landscape)
    strict = crossdock("config", "lint", "--hub", landscape, "--strict")

    assert (ended.returncode, strict.returncode) == (0, 1)
    assert "warning: " in ended.stdout
    assert "label.create" in ended.stdout


@pytest.mark.parametrize("command", [["config", "lint"], ["up"]])
def test_a_folder_without_landscape_is_told_how_to_begin(tmp_path: Path, command: list[str]) -> None:
    """A beginner's first error."""
    ended = crossdock(*command, "--hub", tmp_path)

    assert ended.returncode == 1
    assert says_it_plainly(ended)
    assert "crossdock init" in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "command",
    [["find", "x"], ["trace", "x"], ["migrate", "plan"], ["send", __file__, "--source", "crm"]],
    ids=lambda c: c[0],
)
def test_without_a_running_hub_commands_say_so(landscape: Path, command: list[str]) -> None:
    """One sentence with the remedy, exit 1."""
    ended = crossdock(*command, "--hub", landscape)

    assert ended.returncode == 1
    assert says_it_plainly(ended)
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "crossdock up" in ended.stderr


def test_status_of_nothing(landscape: Path) -> None:
    """A hub that does not run is exit 1, in words and as JSON; stopping it again is no error."""
    told, parsed = crossdock("status", "--hub", landscape), crossdock("status", "--hub", landscape, "--json")

    assert (told.returncode, parsed.returncode) == (1, 1)
    assert "crossdock up" in told.stderr
    assert json.loads(parsed.stdout) == {"running": False}
    assert crossdock("down", "--hub", landscape).returncode == 0


def test_status_of_a_running_hub(hub: RunningHub) -> None:
    """Address, readiness and processes."""
    told, parsed = hub.crossdock("status"), hub.crossdock("status", "--json")

    assert (told.returncode, parsed.returncode) == (0, 0)
    assert told.stdout.startswith(f"{hub.url}  ready\n")
    found = json.loads(parsed.stdout)
    assert found["running"] is True
    assert found["health"] == {"status": "ready", "reasons": []}
    assert found["pids"]["supervisor"] == hub.process.pid
    assert {"api-0", "worker-0", "delivery-0", "postgres"} <= set(found["pids"])


@pytest.mark.parametrize(("verb", "word"), [("plan", "pending"), ("up", "applied")])
def test_a_running_hub_has_nothing_to_migrate(hub: RunningHub, verb: str, word: str) -> None:
    """`crossdock up` has brought the schema up to date by itself."""
    told, parsed = hub.crossdock("migrate", verb), hub.crossdock("migrate", verb, "--json")

    assert (told.returncode, parsed.returncode) == (0, 0)
    assert (told.stdout, told.stderr) == ("", "The schema is up to date.\n")
    assert json.loads(parsed.stdout) == {word: []}


@pytest.mark.parametrize("command", [["find"], ["trace", "x", "--unknown"], ["init", "--port", "70000"]])
def test_wrong_usage_is_exit_2(command: list[str]) -> None:
    """As everywhere."""
    ended = crossdock(*command)

    assert ended.returncode == 2
    assert "Usage: " in ended.stderr
