"""What the author of a connector does, from outside: write one, judge it, correct it, install it."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto" / "own-connector.md"
Ended = subprocess.CompletedProcess[str]


def crossdock(*arguments: str | Path, cwd: Path) -> Ended:
    """Run `crossdock connector …` as a person would."""
    command = [sys.executable, "-m", "crossdock.cli.main", "connector", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


def judged(cwd: Path, *arguments: str) -> dict[str, Any]:
    """The one connector of `check --json`, by rule."""
    ended = crossdock("check", *arguments, "--json", cwd=cwd)
    told = json.loads(ended.stdout)
    assert ended.returncode == (0 if told["ok"] else 1)
    [connector] = told["connectors"]
    return {rule["rule"]: rule for rule in connector["rules"]}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `new` wrote a connector; it says which files."""
    place = tmp_path_factory.mktemp("written")
    ended = crossdock("new", "acme_wms", cwd=place)
    assert ended.returncode == 0, ended.stderr
    files = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    assert sorted(ended.stdout.split()) == files
    return place


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of the package, for one test to work on."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return tmp_path / "acme_wms" / "src" / "acme_wms"


def test_a_new_connector_breaks_no_rule_and_lists_what_is_left(folder: Path, tmp_path: Path) -> None:
    """Everything that only its author can say is a todo with file and remedy; nothing has failed."""
    rules = judged(tmp_path, "acme_wms", "--at", ".")
    assert {name for name, rule in rules.items() if rule["result"] != "ok"} == {"outcomes", "leftovers"}
    assert {rule["result"] for rule in rules.values()} == {"ok", "todo"}
    left = [finding for rule in rules.values() for finding in rule["findings"]]
    assert all((folder / finding["file"]).exists() and finding["remedy"] for finding in left)
    fields = {(finding["file"], finding["field"]) for finding in left}
    assert {("manifest.toml", "owner"), ("manifest.toml", "title"), ("manifest.toml", "docs")} <= fields
    assert any("rate limits" in finding["remedy"] for finding in left if finding["file"] == "README.md")


def test_a_new_connector_is_written_as_ours_are(folder: Path) -> None:
    """Format and lint hold; types hold because its code is the sample's, which mypy reads with all of ours."""
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(folder)]
    first_party = ["--config", "lint.isort.known-first-party = ['crossdock']"]
    for command in (["format", "--check", *config], ["check", *first_party, *config]):
        ended = subprocess.run(["ruff", *command], capture_output=True, text=True, check=False, env=_path())
        assert ended.returncode == 0, ended.stdout + ended.stderr
    sample = ROOT / "src" / "crossdock" / "connect" / "new_connector"
    for path in folder.glob("*.py"):
        assert path.read_text() == (sample / path.name.replace("acme_wms", "new_connector")).read_text()
    assert not any(
        "new_connector" in path.read_text() for path in folder.parents[1].rglob("*.*") if path.is_file()
    )


def _path(first: str = "") -> dict[str, str]:
    places = (first, sysconfig.get_path("scripts"), os.environ["PATH"])
    return {**os.environ, "PATH": os.pathsep.join(place for place in places if place)}


def test_what_is_there_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """A second `new` of one name is refused, and changes nothing."""
    (folder / "client.py").write_text("mine")
    ended = crossdock("new", "acme_wms", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == (
        "crossdock: acme_wms: exists already; nothing was written."
        " Choose another name, or another directory with --at\n"
    )
    assert (folder / "client.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Acme-WMS", "small letters, digits and underscores"),
        ("../acme", "small letters, digits and underscores"),
        ("lambda", "by Python's syntax"),
        ("json", "a Python package is called so"),
        ("sap_s4", "such a connector is installed"),
    ],
)
def test_a_bad_name_is_refused_with_its_rule(tmp_path: Path, name: str, rule: str) -> None:
    """Nothing is written."""
    ended = crossdock("new", name, "--at", "here", cwd=tmp_path)
    assert ended.returncode == 2
    assert rule in " ".join(ended.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_broken_promise_fails_and_regenerating_mends_it(folder: Path, tmp_path: Path) -> None:
    """One line per rule; the failed one has file, difference and remedy; `--write` shows what it changes."""
    expected = folder / "fixtures" / "in_order_stopped_sample.expected.json"
    right = expected.read_text()
    expected.write_text(right.replace("order/shop-1/5001", "order/shop-1/5002"))
    ended = crossdock("check", "acme_wms", "--at", ".", cwd=tmp_path)
    assert ended.returncode == 1
    [start] = [line for line in ended.stdout.splitlines() if line.startswith("  failed ")]
    assert start.split()[1:4] == ["translations", "fixtures/in_order_stopped_sample.json:", "differs"]
    assert "→ Correct the mapping; or" in ended.stdout
    assert ended.stdout.count("✓") == 16

    ended = crossdock("check", "acme_wms", "--at", ".", "--write", cwd=tmp_path)
    assert ended.returncode == 0
    assert '+      "thread": "order/shop-1/5001",' in ended.stderr
    assert expected.read_text() == right


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "said"),
    [
        ("mapping.py", "import msgspec", "import no_such_module", "code", "no_such_module"),
        ("manifest.toml", 'idempotency = "key"', 'idempotency = "hope"', "manifest", "hope"),
        ("mapping.py", "parse(inbound.body)", "msgspec.json.decode(inbound.body)", "damage", "DecodeError"),
    ],
)
def test_what_is_broken_is_told_without_a_stack_trace(
    folder: Path, tmp_path: Path, file: str, old: str, new: str, rule: str, said: str
) -> None:
    """Code that does not load, a wrong manifest, a crash on damaged messages: each is a finding with a remedy."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    failed = [one for one in judged(tmp_path, "acme_wms", "--at", ".").values() if one["result"] == "failed"]
    assert [one["rule"] for one in failed] == [rule]
    assert said in failed[0]["findings"][0]["problem"]
    assert failed[0]["findings"][0]["remedy"]


def test_what_is_not_there_cannot_be_judged(tmp_path: Path) -> None:
    """Names that are known are told; `--at` without a name is wrong use."""
    ended = crossdock("check", "acme_wms", cwd=tmp_path)
    assert ended.returncode == 1
    assert "crossdock: connector acme_wms: is not installed (amazon_marketplace, email, " in ended.stderr
    assert crossdock("check", "acme_wms", "--at", ".", cwd=tmp_path).returncode == 1
    assert crossdock("check", "--at", ".", cwd=tmp_path).returncode == 2


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A Python of its own that sees what ours has, so that installing into it leaves ours alone."""
    own = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", own], check=True)
    [packages] = own.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    command = own / "bin" / "crossdock"
    command.write_text(f'#!/bin/sh\nexec "{own}/bin/python" -m crossdock.cli.main "$@"\n')
    command.chmod(0o755)
    return _path(str(own / "bin"))


def test_the_howto_leads_to_an_installed_connector(tmp_path: Path, environment: dict[str, str]) -> None:
    """Its commands, one after the other: written, judged, tested, installed, and judged with ours."""
    commands = re.findall(r"^\$ (.*)$", HOWTO.read_text(), re.MULTILINE)
    said = []
    for command in commands:
        ended = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        said.append(ended.stdout)
    assert len(commands) == 5
    assert "6 passed" in said[2]
    listed = re.findall(r"^(\w+) in ", said[-1], re.MULTILINE)
    assert "acme_wms" in listed
    assert "signed_webhook" in listed
    for line in re.findall(r"^  (?:✓|todo) .*$", HOWTO.read_text(), re.MULTILINE):
        assert line in said[1]
