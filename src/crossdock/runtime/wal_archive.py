"""The archive of PostgreSQL's write-ahead log: how segments get there and back, and how far they reach without a gap."""

import re
from pathlib import Path

from crossdock.errors import Misconfigured

SEGMENTS_PER_LOG = 0x100
"""Segments of 16 MiB, which is what `initdb` makes."""
ARCHIVE_SECONDS = 60
"""A segment that is not full goes to the archive after this long, if anything was written."""
_PATH = re.compile(r"[\w./ -]+", re.ASCII)
_NAME = re.compile(r"[0-9A-F]{24}")
_START = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", re.MULTILINE)


def archive_settings(folder: Path) -> str:
    """PostgreSQL's settings that fill the archive. A segment appears under its name whole or not at all."""
    place = f'"{_plain(folder)}/%f"'
    partial = f'"{_plain(folder)}/%f.part"'
    copy = f'test ! -e {place} && cp "%p" {partial} && sync {partial} && mv {partial} {place}'
    return (
        f"archive_mode = on\narchive_timeout = {ARCHIVE_SECONDS}s\n"
        f"archive_command = 'cmp -s \"%p\" {place} || ( {copy} )'\n"
    )


def fetch_settings(folder: Path | None) -> str:
    """PostgreSQL's setting that reads from the archive; without one only what the backup holds is replayed."""
    command = f'cp "{_plain(folder)}/%f" "%p"' if folder is not None else "false"
    return f"restore_command = '{command}'\n"


def _plain(folder: Path) -> str:
    if not folder.is_absolute() or not _PATH.fullmatch(str(folder)):
        raise Misconfigured("wal_archive", f"{folder} must be a path of letters, digits and . _ - / only")
    return str(folder)


def first_segment(backup_label: str) -> str:
    """The segment with which replaying a backup begins."""
    found = _START.search(backup_label)
    if found is None:
        raise Misconfigured("backup_label", "names no START WAL LOCATION: this is no base backup")
    return found[1]


def next_segment(name: str) -> str:
    """Segment names are timeline, log and segment, in 8 hexadecimal digits each."""
    timeline, number = name[:8], int(name[8:16], 16) * SEGMENTS_PER_LOG + int(name[16:], 16) + 1
    return f"{timeline}{number // SEGMENTS_PER_LOG:08X}{number % SEGMENTS_PER_LOG:08X}"


def last_without_gap(folder: Path, after: str) -> Path | None:
    """The newest archived segment that can be reached from `after` without a gap; None where not even the next is there."""
    there = {path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)}
    last = None
    name = after
    while name in there:
        last, name = folder / name, next_segment(name)
    return last
