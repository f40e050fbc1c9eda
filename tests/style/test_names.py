"""Files are named by idea, and every module and test says what it is for."""

import ast
import re
from pathlib import Path

import pytest

from style.tree import files, functions, is_test, modules, name, parsed

FORBIDDEN = ("util", "helper", "manager", "service", "common", "base", "handler", "impl")
TEMPLATES = {"src/crossdock/console/templates/base.html": "the frame all pages extend, as every template engine calls it"}  # fmt: skip


def forbidden_in(path: str) -> list[str]:
    """Words of the path that name a pattern, not an idea."""
    words = re.split(r"[/_.\-]", path)
    return [word for word in words if word.removesuffix("s") in FORBIDDEN]


def test_files_are_named_by_idea() -> None:
    """If two files need a helper, it is an idea with a name."""
    assert [name(path) for path in files() if forbidden_in(name(path)) and name(path) not in TEMPLATES] == []


def test_the_name_check_sees() -> None:
    """Whole words count, in the singular and the plural."""
    assert forbidden_in("src/crossdock/store/db_helpers.py") == ["helpers"]
    assert forbidden_in("src/crossdock/store/database.py") == []


@pytest.mark.parametrize("path", modules(), ids=name)
def test_a_module_says_what_it_is(path: Path) -> None:
    """One to three sentences at the top; an empty `__init__.py` has nothing to say."""
    if path.name == "__init__.py" and not path.read_text().strip():
        return

    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("path", [p for p in modules() if is_test(p)], ids=name)
def test_a_test_says_what_it_expects(path: Path) -> None:
    """Every test has a sentence of expected behaviour."""
    silent = [
        f.name for f in functions(parsed(path)) if f.name.startswith("test_") and not ast.get_docstring(f)
    ]

    assert silent == []
