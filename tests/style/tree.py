"""The project's own files, as the style tests read them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "crossdock"
_IGNORED = {".venv", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis", "build", "demo-hub"}  # fmt: skip


@cache
def files() -> tuple[Path, ...]:
    """What git knows or would add; without git, everything but the ignored folders."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        found = [ROOT / line for line in listed.stdout.splitlines()]
    else:
        found = [path for path in ROOT.rglob("*") if not _IGNORED & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in found if path.is_file() and "egg-info" not in str(path)))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> list[Path]:
    """Every Python file of ours, tests included."""
    return [path for path in files() if path.suffix == ".py"]


def is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def code() -> list[Path]:
    """Python files that are not tests."""
    return [path for path in modules() if path.is_relative_to(SOURCE) and not is_test(path) and path.name != "conftest.py"]  # fmt: skip


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]
