"""Named SQL blocks: each is asked for, and nothing is asked for that is not there."""

import ast
import re
from pathlib import Path

import pytest

from crossdock.views.sql import blocks
from style.tree import SOURCE, code, files, name, parsed

FILES = [path for path in files() if path.suffix == ".sql" and path.parent == SOURCE / "views"]


def texts_of(path: Path) -> set[str]:
    """Every literal text of a module."""
    return {
        n.value for n in ast.walk(parsed(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_block_is_used(file: Path) -> None:
    """A block that no module which reads this file names is dead."""
    named = set().union(*(texts_of(path) for path in code() if file.name in texts_of(path)))

    assert sorted(set(blocks(file.name)) - named) == []


@pytest.mark.parametrize("path", [p for p in code() if "blocks(" in p.read_text()], ids=name)
def test_every_wanted_block_exists(path: Path) -> None:
    """`blocks("x.sql")["y"]` names a block of that file."""
    wanted = re.findall(r'blocks\("(\w+\.sql)"\)\["(\w+)"\]', path.read_text())

    assert [pair for pair in wanted if pair[1] not in blocks(pair[0])] == []


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_view_writes_nothing(file: Path) -> None:
    """Views read; whoever writes is in `store/`."""
    starts = {
        sql.lstrip("-").split()[0].lower() for sql in blocks(file.name).values() if not sql.startswith("--")
    }

    assert starts <= {"select", "with"}
    assert not re.search(r"(?im)^\s*(insert|update|delete|truncate)\b", file.read_text())
