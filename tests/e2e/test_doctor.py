"""`crossdock doctor`: one line for each thing that a hub needs, with the remedy; also when the hub is down."""

import asyncio
import datetime as dt
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from crossdock.cli.main import app
from crossdock.demo.twins import Twins
from crossdock.runtime.hub import load_hub
from e2e.running import RunningHub

CERTIFICATE_DAYS = 10


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    """What `crossdock init` writes; it never ran."""
    ended = CliRunner().invoke(app, ["init", str(tmp_path / "hub"), "--port", "18400"])
    assert ended.exit_code == 0, ended.output
    return tmp_path / "hub"


async def doctor(folder: Path, *options: str, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """(exit code, the checks by name; several of one name: the worst)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crossdock.cli.main", "doctor", "--json", "--hub", str(folder), *options,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert err == b""
    found = json.loads(out)
    assert found["ok"] is (process.returncode == 0)
    order = ("ok", "skip", "warn", "fail")
    checks: dict[str, dict[str, Any]] = {}
    for check in sorted(found["checks"], key=lambda x: order.index(x["level"])):
        assert check["remedy"] or check["level"] in ("ok", "skip")
        checks[check["name"]] = check
    return process.returncode or 0, checks


async def test_a_hub_that_trades_is_well(trading_hub: tuple[RunningHub, Twins]) -> None:
    """Nothing fails; every account and target has its line, and the demo's fast clock is warned of."""
    hub, twins = trading_hub
    code, checks = await doctor(hub.directory, "--targets")

    assert code == 0, checks
    assert checks["business clock"]["level"] == "warn"
    assert checks["backup"] | {"remedy": ""} == {
        "level": "warn", "name": "backup", "text": "none was ever taken", "remedy": "",
    }  # fmt: skip
    for name in (
        "hub key",
        "landscape",
        "database",
        "PostgreSQL",
        "schema",
        "durability",
        "clocks",
        "partitions",
        "lag",
    ):
        assert checks[name]["level"] == "ok", checks[name]
    assert {f"account {s}" for s in twins.processes} | {f"target {s}" for s in twins.processes} <= set(checks)


async def test_lines_are_for_people(hub: RunningHub) -> None:
    """Without --json: level, name, what was found, in one line each."""
    ended = hub.crossdock("doctor")

    lines = ended.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warn", "fail", "skip") for line in lines)
    assert any(line.startswith("ok   schema") for line in lines)


async def test_a_hub_that_never_ran(landscape: Path) -> None:
    """What can be looked at is; the key is not made by looking."""
    code, checks = await doctor(landscape)

    assert code == 0
    assert checks["hub key"]["level"] == checks["hub"]["level"] == "warn"
    assert checks["landscape"]["level"] == "skip"
    assert not (landscape / ".crossdock" / "hub.key").exists()


async def test_a_hub_that_is_down(landscape: Path) -> None:
    """The landscape, key and disk are examined; that the database is not there is said, and is no failure."""
    load_hub(landscape)
    code, checks = await doctor(landscape)

    assert code == 0
    assert checks["database"]["level"] == "skip"
    assert checks["landscape"]["level"] == checks["disk"]["level"] == "ok"


async def test_a_lost_key_is_found_out(landscape: Path) -> None:
    """A hub that ran and whose key is gone must not be given a new one."""
    load_hub(landscape)
    (landscape / ".crossdock" / "operator.token").write_text("xd_x_y\n")
    (landscape / ".crossdock" / "hub.key").unlink()
    code, checks = await doctor(landscape)

    assert code == 1
    assert "backup" in checks["hub key"]["remedy"]
    assert not (landscape / ".crossdock" / "hub.key").exists()


async def test_a_key_for_everybody_is_found_out(landscape: Path) -> None:
    """The key file's mode is told, with the command that mends it."""
    load_hub(landscape)
    key = landscape / ".crossdock" / "hub.key"
    key.chmod(0o644)
    code, checks = await doctor(landscape)

    assert code == 1
    assert checks["hub key"]["remedy"] == f"chmod 600 {key}"


async def test_a_secret_that_is_missing_is_named(landscape: Path) -> None:
    """By its place and reference; no value of any secret is printed."""
    load_hub(landscape)
    value = (landscape / "secrets" / "portal.secret").read_text().strip()
    (landscape / "secrets" / "crm.secret").unlink()
    code, checks = await doctor(landscape)

    assert code == 1
    assert "systems/crm.yaml: secrets.secret" in checks["landscape"]["text"]
    assert value not in json.dumps(checks)


async def test_a_database_that_does_not_answer(landscape: Path) -> None:
    """With database_url it must be there at any time."""
    load_hub(landscape)
    code, checks = await doctor(landscape, CROSSDOCK_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")

    assert code == 1
    assert "does not answer" in checks["database"]["text"]


async def test_a_transaction_that_stalls_readers_is_named(hub: RunningHub) -> None:
    """Another program that writes without an end is found by its name, with the way to end it."""
    other = await asyncpg.connect(hub.dsn, server_settings={"application_name": "nightly report"})
    try:
        async with other.transaction():
            await other.fetchval("select pg_current_xact_id()")
            await asyncio.sleep(5.5)
            _, checks = await doctor(hub.directory)
    finally:
        await other.close()

    assert checks["open transactions"]["level"] == "warn"
    assert "nightly report" in checks["open transactions"]["text"]
    assert "pg_terminate_backend" in checks["open transactions"]["remedy"]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of `localhost` that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=CERTIFICATE_DAYS, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    """A TLS server: its port, and the file that vouches for it."""
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], certificate


async def test_certificates_are_watched(landscape: Path, tls: tuple[int, Path]) -> None:
    """One that ends within three weeks is warned of with its days; one that nobody vouches for fails."""
    port, certificate = tls
    load_hub(landscape)
    file = landscape / "systems" / "crm.yaml"
    file.write_text(
        file.read_text().replace("base_url: http://127.0.0.1:18504", f"base_url: https://localhost:{port}")
    )
    assert f"https://localhost:{port}" in file.read_text()
    code, checks = await doctor(landscape, SSL_CERT_FILE=str(certificate))

    assert code == 0
    assert checks["certificate crm"]["level"] == "warn"
    assert f"good for {CERTIFICATE_DAYS} more days" in checks["certificate crm"]["text"]
    code, checks = await doctor(landscape)
    assert code == 1
    assert checks["certificate crm"]["level"] == "fail"
