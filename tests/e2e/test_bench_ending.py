"""A bench that is ended leaves no hub behind."""

import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil

WAIT_SECONDS = 60.0
ENDED = 143


def test_a_bench_ended_by_sigterm_ends_its_hub(tmp_path: Path) -> None:
    """Supervisor, API and PostgreSQL of a bench are gone once the bench is, and it says so without a stack trace."""
    bench = subprocess.Popen(
        [sys.executable, "-m", "crossdock.cli.main", "bench", "append"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    started = _hub_of(bench)

    bench.send_signal(signal.SIGTERM)
    _, told = bench.communicate(timeout=WAIT_SECONDS)

    gone, alive = psutil.wait_procs(started, timeout=5)
    assert not alive
    assert gone
    assert bench.returncode == ENDED
    assert "Traceback" not in told
    assert "Stopped." in told


def _hub_of(bench: "subprocess.Popen[str]") -> list[psutil.Process]:
    """What the bench started, once PostgreSQL is among it."""
    end = monotonic() + WAIT_SECONDS
    while monotonic() < end:
        found = psutil.Process(bench.pid).children(recursive=True)
        if any(process.name() == "postgres" for process in found):
            return found
        sleep(0.1)
    raise TimeoutError("the bench started no hub")
