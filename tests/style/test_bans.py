"""What may not stand in this repository, and where the few exceptions are."""

import ast
import re
from pathlib import Path

import pytest

from style.tree import ROOT, SOURCE, code, files, modules, name, parsed

BROAD = {
    "src/crossdock/runtime/batch.py": (1, "a bug in a process parks its thread and stops no other"),
    "src/crossdock/runtime/target.py": (2, "a bug in a connector's client must not lose the lane: once when sending, once when looking up"),
    "src/crossdock/runtime/backfill.py": (1, "a bug in how a connector reads a list must not end its account's delivery"),
    "src/crossdock/runtime/intake.py": (1, "callers of a group wait for its end, whatever ended it"),
    "src/crossdock/runtime/journal.py": (1, "a bug in a connector's render parks its lane"),
    "src/crossdock/runtime/worker.py": (1, "a batch that cannot be written is bisected down to its one thread"),
    "src/crossdock/processes/kit.py": (1, "names whatever a process raises as its fault"),
    "src/crossdock/connect/twin.py": (1, "rolls back, then raises on"),
    "src/crossdock/demo/day.py": (1, "ends what was started, then raises on"),
}  # fmt: skip
"""How many places of a file may catch anything, and why. May only shrink."""
PURE = ("model", "processes", "formats")
IMPURE_MODULES = {"time", "random", "secrets", "os", "socket", "threading", "subprocess", "uuid4"}
CLOCKS = {"now", "utcnow", "today"}
MACHINE = re.compile(r"(?<![\w.~/])/(?:work|root|home/\w+|Users/\w+)/\w")
REGISTRIES = tuple(f"{host}.{end}" for host, end in (
    ("pypi", "org"), ("files.pythonhosted", "org"), ("registry.npmjs", "org"), ("proxy.golang", "org"), ("crates", "io"),
))  # fmt: skip
BINARY = {".png", ".ico", ".woff2"}


def broad_places(tree: ast.AST) -> list[int]:
    """Lines that catch or suppress everything."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            found += [node.lineno for caught in node.args if _catches_all(caught)]
    return found


def _catches_all(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(ast.unparse(one) in ("Exception", "BaseException") for one in names)


def impurities(tree: ast.AST) -> list[str]:
    """Clocks, randomness and the like, as imported or called."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [n.name for n in names if n.name.split(".")[0] in IMPURE_MODULES]
            case ast.ImportFrom(module=module, names=names):
                if (module or "").split(".")[0] in IMPURE_MODULES:
                    found.append(module or "")
                found += [n.name for n in names if n.name in ("uuid4", "uuid1", "uuid7")]
            case ast.Call(func=ast.Attribute(attr=called)) if called in CLOCKS:
                found.append(ast.unparse(node.func))
    return found


@pytest.mark.parametrize("path", code(), ids=name)
def test_anything_is_caught_in_few_places_only(path: Path) -> None:
    """One broad `except` per loop of the runtime, each with its reason."""
    allowed, _ = BROAD.get(name(path), (0, ""))

    assert len(broad_places(parsed(path))) == allowed


def test_every_exception_is_of_a_file_that_exists() -> None:
    """The list may only shrink."""
    assert [listed for listed in BROAD if not (ROOT / listed).exists()] == []


PURE_FILES = [path for path in code() if path.relative_to(SOURCE).parts[0] in PURE]


@pytest.mark.parametrize("path", PURE_FILES, ids=name)
def test_the_pure_middle_has_no_clock_and_no_dice(path: Path) -> None:
    """The instant is an argument; so a process can be replayed."""
    assert impurities(parsed(path)) == []


def test_the_bans_see() -> None:
    """Each kind of offence is found in a small offender."""
    offender = ast.parse(
        "import random\nfrom uuid import uuid4\ntry:\n    x = datetime.now(UTC)\nexcept (ValueError, Exception):\n    ...\n"
        "with contextlib.suppress(Exception):\n    ...\ntry:\n    ...\nexcept OSError:\n    ...\n"
    )

    assert sorted(impurities(offender)) == ["datetime.now", "random", "uuid4"]
    assert len(broad_places(offender)) == 2
    assert MACHINE.search(f"see /{'root'}/x")
    assert not MACHINE.search(f"https://example.com/{'work'}/x")


@pytest.mark.parametrize("path", [p for p in files() if p.suffix not in BINARY], ids=name)
def test_no_path_of_a_machine_and_no_registry(path: Path) -> None:
    """The project says nothing of where it was written, nor where packages come from."""
    text = path.read_text(errors="replace")

    assert MACHINE.findall(text) == []
    assert [host for host in REGISTRIES if host in text] == []


def test_the_lock_file_pins_by_hash() -> None:
    """Every requirement has an exact version and hashes; no line names an index."""
    text = (ROOT / "requirements.lock").read_text()
    entries = [e for e in re.split(r"\n(?=[a-zA-Z0-9])", text) if e and not e.startswith("#")]

    assert len(entries) > 20
    assert [e.split()[0] for e in entries if not re.match(r"[\w.\-\[\]]+==\S+", e)] == []
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert re.findall(r"(?m)^\s*(?:-i|--index|--extra-index|--find-links|--trusted-host).*", text) == []


def test_every_dependency_is_locked() -> None:
    """What `requirements.in` asks for stands in the lock file."""
    asked = [re.split(r"[<>=\[; ]", line)[0] for line in (ROOT / "requirements.in").read_text().splitlines() if line[:1].isalnum()]  # fmt: skip
    locked = {m.lower().replace("_", "-") for m in re.findall(r"(?m)^([\w.\-]+)==", (ROOT / "requirements.lock").read_text())}  # fmt: skip

    assert [one for one in asked if one.lower().replace("_", "-") not in locked] == []


def test_the_readme_is_one_screen() -> None:
    """Sixty lines; what needs more has a page of its own."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 60


def test_tests_replace_nothing_of_ours() -> None:
    """No mock library and no patching: tests speak to promised surfaces."""
    banned = ("unittest.mock", "pytest_mock", "monkeypatch.setattr")
    own = Path(__file__)

    assert [name(p) for p in modules() if p != own and any(word in p.read_text() for word in banned)] == []
