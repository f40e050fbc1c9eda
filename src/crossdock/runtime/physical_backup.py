"""A base backup judged by PostgreSQL's own manifest: every file's size and checksum, and a log without a gap.

Done here and not by `pg_verifybackup`, because the wheel's copy of that program does not start (decision 0009).
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossdock.errors import Misconfigured

MANIFEST = "backup_manifest"
_UNLISTED = {MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"}
"""May differ or come and go, as `pg_verifybackup` has it; the log in `pg_wal` is judged record by record."""
_SAID_MAX = 600


class File(msgspec.Struct, frozen=True, rename={"path": "Path", "encoded": "Encoded-Path", "size": "Size", "checksum": "Checksum", "algorithm": "Checksum-Algorithm"}):  # fmt: skip
    size: int
    path: str = ""
    encoded: str = ""
    """In hexadecimal, for a name that is not UTF-8."""
    checksum: str = ""
    algorithm: str = ""

    @property
    def name(self) -> str:
        return self.path or os.fsdecode(bytes.fromhex(self.encoded))


class WalRange(msgspec.Struct, frozen=True, rename={"timeline": "Timeline", "start": "Start-LSN", "end": "End-LSN"}):  # fmt: skip
    """What must be replayed for the files to tie."""

    timeline: int
    start: str
    end: str


class Manifest(msgspec.Struct, frozen=True, rename={"cluster": "System-Identifier", "files": "Files", "wal": "WAL-Ranges", "checksum": "Manifest-Checksum"}):  # fmt: skip
    cluster: int
    files: tuple[File, ...]
    wal: tuple[WalRange, ...]
    checksum: str


def verify_base(base: Path, bin_dir: Path) -> Manifest:
    """Raises `Misconfigured` naming the first file that is not as it was written."""
    manifest = read_manifest(base / MANIFEST)
    listed = {file.name for file in manifest.files}
    for file in manifest.files:
        path = base / file.name
        if file.name in _UNLISTED:
            continue
        if not path.is_file() or path.stat().st_size != file.size:
            raise Misconfigured(
                str(path), f"is missing or not of its {file.size} bytes: the backup is damaged"
            )
        if file.algorithm != "SHA256" or _sum(path) != file.checksum:
            raise Misconfigured(str(path), "is not what was written: the backup is damaged")
    for path in base.rglob("*"):
        name = str(path.relative_to(base))
        if path.is_file() and not name.startswith("pg_wal/") and name not in listed | _UNLISTED:
            raise Misconfigured(str(path), "does not belong to the backup")
    for wal in manifest.wal:
        command: list[str | Path] = [
            bin_dir / "pg_waldump", "--quiet", "--path", base / "pg_wal", "--timeline", str(wal.timeline),
            "--start", wal.start, "--end", wal.end,
        ]  # fmt: skip
        run_program(command)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Checks the manifest's own checksum: SHA-256 of all lines before the one that holds it."""
    try:
        raw = path.read_bytes()
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise Misconfigured(str(path), f"cannot be read: {error}") from None
    told = raw[: raw.rindex(b'"Manifest-Checksum"')]
    if hashlib.sha256(told).hexdigest() != manifest.checksum:
        raise Misconfigured(str(path), "was changed: its checksum is another")
    return manifest


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_program(command: Sequence[str | Path]) -> None:
    """One of PostgreSQL's programs, to its end. Raises `Misconfigured` with what it said."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-_SAID_MAX:] or f"ended with {done.returncode}"
        raise Misconfigured(Path(command[0]).name, said)
