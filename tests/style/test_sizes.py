"""Sizes: what does not fit a screen or a head is split. The lists of exceptions may only shrink."""

import ast
from pathlib import Path

import pytest

from style.tree import Function, code, functions, modules, name, parsed

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
CLASS_LINES_MAX = 250
PARAMETERS_MAX = 6

WIDE = {
    "src/crossdock/store/log.py: event_row": "one keyword per column of the log's row, in one place only",
    "src/crossdock/connect/twin.py: call_back": "one keyword per column of the outbox",
    "src/crossdock/runtime/batch.py: append": "an event's own parts, by keyword",
    "src/crossdock/runtime/intake.py: item": "an item's own parts, by keyword; most have defaults",
    "src/crossdock/cli/backup.py: restore": "a command's options, each as people type it",
    "src/crossdock/cli/correct.py: message": "a command's options, each as people type it",
    "src/crossdock/cli/replay.py: run": "a command's options, each as people type it",
    "src/crossdock/cli/send.py: send": "a command's options, each as people type it",
    "src/crossdock/cli/holds.py: place": "a command's options, each as people type it",
    "src/crossdock/cli/holds.py: pause": "a command's options, each as people type it",
    "src/crossdock/cli/holds.py: drain": "a command's options, each as people type it",
}
"""Functions with more parameters than allowed, each with its reason."""
LONG_CLASSES: dict[str, str] = {}


def lines_of(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def parameters_of(function: Function) -> int:
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([a for a in names if a not in ("self", "cls")])


def too_wide(tree: ast.AST) -> list[Function]:
    return [f for f in functions(tree) if parameters_of(f) > PARAMETERS_MAX]


def too_long(tree: ast.AST) -> list[Function]:
    return [f for f in functions(tree) if lines_of(f) > FUNCTION_LINES_MAX]


@pytest.mark.parametrize("path", modules(), ids=name)
def test_a_module_is_short(path: Path) -> None:
    """At most 500 lines; 300 is the aim."""
    assert len(path.read_text().splitlines()) <= MODULE_LINES_MAX, "split it by idea"


@pytest.mark.parametrize("path", modules(), ids=name)
def test_its_functions_are_short(path: Path) -> None:
    """At most 60 lines; 30 is the aim."""
    assert [f"{f.name}, line {f.lineno}" for f in too_long(parsed(path))] == []


@pytest.mark.parametrize("path", modules(), ids=name)
def test_its_classes_are_short(path: Path) -> None:
    """At most 250 lines; a class beyond that knows too much."""
    long = [
        n.name for n in ast.walk(parsed(path)) if isinstance(n, ast.ClassDef) and lines_of(n) > CLASS_LINES_MAX
    ]  # fmt: skip

    assert [c for c in long if f"{name(path)}: {c}" not in LONG_CLASSES] == []


@pytest.mark.parametrize("path", code(), ids=name)
def test_its_functions_take_few_parameters(path: Path) -> None:
    """At most six; more is a value that has no name yet."""
    assert [f.name for f in too_wide(parsed(path)) if f"{name(path)}: {f.name}" not in WIDE] == []


def test_the_lists_only_shrink() -> None:
    """An exception that is no longer needed is struck off."""
    wide = {f"{name(path)}: {f.name}" for path in code() for f in too_wide(parsed(path))}
    long = {
        f"{name(path)}: {n.name}"
        for path in code()
        for n in ast.walk(parsed(path))
        if isinstance(n, ast.ClassDef) and lines_of(n) > CLASS_LINES_MAX
    }

    assert set(WIDE) <= wide
    assert set(LONG_CLASSES) <= long


def test_the_measures_measure() -> None:
    """A long function and a wide one are seen."""
    tree = ast.parse("def wide(a, b, c, d, *, e, f, g): ...\ndef long():\n" + "    pass\n" * 60)

    assert [f.name for f in too_wide(tree)] == ["wide"]
    assert [f.name for f in too_long(tree)] == ["long"]
