"""A new connector's folder, written from the sample connector `new_connector`, which is a whole one and is tested as such."""

import keyword
import re
import sys
from pathlib import Path
from typing import Final

from crossdock.connect.discovery import ours, places
from crossdock.errors import Misconfigured

SAMPLE: Final = "new_connector"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,38}[a-z0-9]")
_FOLDER: Final = Path(__file__).parent / SAMPLE
_PROJECT: Final = Path(__file__).parent / f"{SAMPLE}.pyproject.toml"


def wrong_with(name: str, at: Path) -> str:
    """The rule that a name breaks, or nothing. Outside our tree the name is that of a package of its own."""
    if not NAME.fullmatch(name):
        return (
            "a name is 3 to 40 small letters, digits and underscores, begins with a letter and ends with none"
        )
    if name == SAMPLE or keyword.iskeyword(name):
        return "the name is taken: by the sample itself, or by Python's syntax"
    if not _is_ours(at) and name in (*sys.stdlib_module_names, "crossdock"):
        return "the name is taken: a Python package is called so"
    if name in {folder.name for _, folder in places()}:
        return "the name is taken: such a connector is installed"
    return ""


def _is_ours(at: Path) -> bool:
    return at.resolve() == ours().resolve()


def package_folder(name: str, at: Path) -> Path:
    """Where the connector itself stands: in our tree the folder, elsewhere below a project of its own."""
    return at / name if _is_ours(at) else at / name / "src" / name


def write(name: str, at: Path) -> list[Path]:
    """Write it; returns the files. Raises `Misconfigured`, and writes nothing, where there is something already."""
    if (at / name).exists():
        reason = "exists already; nothing was written. Choose another name, or another directory with --at"
        raise Misconfigured(str(at / name), reason)
    target = package_folder(name, at)
    copies = {path: target / str(path.relative_to(_FOLDER)).replace(SAMPLE, name) for path in _sample_files()}
    if not _is_ours(at):
        copies[_PROJECT] = at / name / "pyproject.toml"
    for path, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text().replace(SAMPLE, name))
    return list(copies.values())


def _sample_files() -> list[Path]:
    """Without what Python left behind when it ran them."""
    found = (*_FOLDER.glob("*.*"), *_FOLDER.glob("fixtures/*.json"))
    return sorted(path for path in found if path.is_file())
