"""The demo as a person runs it: a seeded day of trade with faults ends with books that tie, and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

ORDERS, SEED = 15, 5
PROMISED = {
    "orders", "completed", "cancelled", "rejected", "open", "differences", "duplicated_effects", "lost_events", "seconds",
    "lines_from_two_sites", "labels_made_again",
}  # fmt: skip


def test_a_small_day_ends_with_books_that_tie(tmp_path: Path) -> None:
    """One JSON object on stdout with the promised fields; every order is accounted for; exit 0."""
    done = subprocess.run(
        [sys.executable, "-m", "crossdock.cli.main", "demo", "--orders", str(ORDERS), "--seed", str(SEED), "--exit", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)
    assert set(found) >= PROMISED
    assert found["orders"] == ORDERS
    assert found["seed"] == SEED
    assert found["completed"] + found["cancelled"] + found["rejected"] + found["open"] == ORDERS
    assert found["open"] == len(found["refused_for_good"])
    assert found["completed"] > ORDERS / 2
    assert (found["differences"], found["duplicated_effects"], found["lost_events"]) == ([], 0, 0)
    assert found["order_violations"] == 0
    assert (found["lines_from_two_sites"], found["labels_made_again"]) == (1, 1)
    assert 0 < found["first_order_seconds"] <= 60
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [], "a demo that leaves, leaves nothing"
