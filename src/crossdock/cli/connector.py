"""`connector new` and `connector check`: an author's tools, without a hub."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crossdock.cli.hub import JsonOption, note

if TYPE_CHECKING:
    from crossdock.connect.conformance import Ruling

MARKS: Final = {"ok": "✓", "todo": "todo", "failed": "failed"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One connector and what the kit says of it."""

    name: str
    folder: str
    rules: "list[Ruling]"

    def count(self, result: str) -> int:
        return sum(rule.result == result for rule in self.rules)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Write and judge connectors.", no_args_is_help=True)
    group.command("new")(new)
    group.command("check")(check)
    app.add_typer(group, name="connector")


def new(
    name: Annotated[str, typer.Argument(help="Small letters, digits, underscores: acme_wms.")],
    at: Annotated[Path, typer.Option(help="The directory to write it into.")] = Path(),
) -> None:
    """Write a connector's folder that works against its own twin, and lists what is left to do."""
    from crossdock.connect import scaffold

    if wrong := scaffold.wrong_with(name, at):
        raise typer.BadParameter(wrong, param_hint="NAME")
    written = scaffold.write(name, at)
    sys.stdout.writelines(f"{path}\n" for path in written)
    note(f"Wrote {len(written)} files. What is left to do: crossdock connector check {name} --at {at}")


def check(
    name: Annotated[str, typer.Argument(help="The connector; without one, all that are installed.")] = "",
    *,
    at: Annotated[Path | None, typer.Option(help="Where `new` wrote it, while it is not installed.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="First regenerate its expected files and show the difference.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a connector by the rules of the kit: one line each, with file, field and remedy. Todo does not fail."""
    from crossdock.connect.conformance import judge_folder

    if not name and (at or write):
        raise typer.BadParameter("--at and --write need one", param_hint="NAME")
    judged = []
    for package, folder in _places(name, at):
        if write:
            _regenerate(package, folder)
        one = Judged(name=_called(folder), folder=str(folder), rules=list(judge_folder(package, folder)))
        judged.append(one)
        if not as_json:
            sys.stdout.writelines(_lines(one))
            sys.stdout.flush()
    failed = any(one.count("failed") for one in judged)
    if as_json:
        sys.stdout.write(json.dumps({"ok": not failed, "connectors": [asdict(one) for one in judged]}) + "\n")
    if failed:
        raise typer.Exit(1)


def _places(name: str, at: Path | None) -> Iterator[tuple[str, Path]]:
    """Package and folder of what is to be judged. Raises `Misconfigured` where there is none."""
    from crossdock.connect.discovery import PACKAGE, ours, places
    from crossdock.connect.scaffold import package_folder
    from crossdock.errors import Misconfigured

    if at is not None:
        folder = package_folder(name, at).resolve()
        if not folder.is_dir():
            raise Misconfigured(
                str(folder), f"there is no such folder; crossdock connector new {name} writes it"
            )
        if folder.parent == ours().resolve():
            yield f"{PACKAGE}.{name}", folder
            return
        sys.path.insert(0, str(folder.parent))
        yield name, folder
        return
    installed = list(places())
    found = [place for place in installed if name in ("", _called(place[1]))]
    if not found:
        known = ", ".join(_called(folder) for _, folder in installed)
        raise Misconfigured(
            f"connector {name}", f"is not installed ({known} are); --at names a directory of yours"
        )
    yield from found


def _called(folder: Path) -> str:
    """Its own name; a folder whose manifest is wrong is called as the folder."""
    from crossdock.connect.manifest import load_manifest
    from crossdock.errors import Misconfigured

    try:
        return load_manifest(folder / "manifest.toml").name
    except Misconfigured:
        return folder.name


def _regenerate(package: str, folder: Path) -> None:
    """Tells the differences on stderr. What keeps it from working is told by the judgement that follows."""
    from crossdock.connect.discovery import Found
    from crossdock.connect.fixtures import CRASHES, write_expected
    from crossdock.connect.manifest import load_manifest
    from crossdock.connect.rules_folder import check_code
    from crossdock.connect.rules_messages import check_fixtures

    found = Found(package, folder, load_manifest(folder / "manifest.toml"))
    if any(check_code(found)) or any(check_fixtures(found)):
        return
    try:
        for difference in write_expected(found):
            note(difference)
    except CRASHES as error:
        note(f"not all expected files are written: {type(error).__name__}: {error}")


def _lines(judged: Judged) -> Iterator[str]:
    """A rule that holds is one line; of one that does not, each finding is."""
    from crossdock.connect.conformance import RULES

    yield f"{judged.name} in {judged.folder}\n"
    for ruling in judged.rules:
        if ruling.result == "ok":
            yield f"  {MARKS['ok']:6} {ruling.rule:16} {ruling.says}\n"
        for finding in ruling.findings:
            mark = MARKS["todo" if finding.todo else "failed"]
            said = str(finding).replace("\n", "\n" + " " * 10)
            yield f"  {mark:6} {ruling.rule:16} {said} → {finding.remedy}\n"
    unjudged = len(RULES) - len(judged.rules)
    left = f"; {unjudged} rules could not be judged" if unjudged else ""
    yield f"  {judged.count('ok')} hold, {judged.count('todo')} to do, {judged.count('failed')} failed{left}\n"
