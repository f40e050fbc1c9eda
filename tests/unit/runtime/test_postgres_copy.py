"""PostgreSQL's binaries where the account that runs them cannot read the virtual environment."""

from pathlib import Path

from crossdock.runtime.postgres import _reachable


def installed(folder: Path) -> Path:
    """A wheel's layout, in a closed folder: binaries in the package, shared libraries beside it."""
    site = folder / "site-packages"
    binaries = site / "pgserver" / "pginstall18" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "postgres").write_bytes(b"a server")
    (site / "pgserver.libs").mkdir()
    (site / "pgserver.libs" / "libpq.so.5").write_bytes(b"a library")
    folder.chmod(0o700)
    return binaries


def test_a_closed_installation_is_copied_with_its_libraries(tmp_path: Path) -> None:
    """Where the binaries look for them (`$ORIGIN/../../../pgserver.libs`), they are."""
    binaries = installed(tmp_path / "closed")
    copied = _reachable(binaries, tmp_path / "copies")

    assert copied != binaries
    assert (copied / "postgres").read_bytes() == b"a server"
    assert (copied / ".." / ".." / ".." / "pgserver.libs" / "libpq.so.5").read_bytes() == b"a library"
    assert _reachable(binaries, tmp_path / "copies") == copied, "once is enough"
