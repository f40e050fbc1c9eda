"""The archive of the log: names that follow on each other, and how far they reach."""

from pathlib import Path

import pytest

from crossdock.errors import Misconfigured
from crossdock.runtime.wal_archive import (
    archive_settings,
    fetch_settings,
    first_segment,
    last_without_gap,
    next_segment,
)

FIRST = "000000010000000000000002"


@pytest.mark.parametrize(
    ("name", "following"),
    [
        (FIRST, "000000010000000000000003"),
        ("00000001000000000000000F", "000000010000000000000010"),
        ("0000000100000000000000FF", "000000010000000100000000"),
        ("0000000A0000000F000000FF", "0000000A0000001000000000"),
    ],
)
def test_a_segment_is_followed_by_the_next(name: str, following: str) -> None:
    """256 segments make a log file's number; the timeline stays."""
    assert next_segment(name) == following


def test_a_gap_ends_the_archive(tmp_path: Path) -> None:
    """What comes behind a missing segment cannot be replayed; half-copied ones do not count."""
    assert last_without_gap(tmp_path, FIRST) is None
    for name in (
        FIRST,
        next_segment(FIRST),
        f"{next_segment(next_segment(FIRST))}.part",
        "000000010000000000000005",
    ):
        (tmp_path / name).touch()
    assert last_without_gap(tmp_path, FIRST) == tmp_path / next_segment(FIRST)


def test_a_backup_says_where_its_log_begins() -> None:
    """In its label; anything else is no base backup."""
    label = f"START WAL LOCATION: 0/2000028 (file {FIRST})\nCHECKPOINT LOCATION: 0/2000080\n"
    assert first_segment(label) == FIRST
    with pytest.raises(Misconfigured, match="START WAL LOCATION"):
        first_segment("CHECKPOINT LOCATION: 0/2000080\n")


@pytest.mark.parametrize("folder", ["/a'b", '/a"b', "/a%fb", "/a$(b)", "/a\nb", "relative"])
def test_a_path_that_a_shell_would_read_is_refused(folder: str) -> None:
    """PostgreSQL hands the command to a shell."""
    with pytest.raises(Misconfigured, match="wal_archive"):
        archive_settings(Path(folder))
    with pytest.raises(Misconfigured, match="wal_archive"):
        fetch_settings(Path(folder))
