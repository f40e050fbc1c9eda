"""The proof as an operator runs it: everything is killed once while orders run, and the twins' books judge."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crossdock.prove.kill import Proof, schedule

ORDERS = 20
TARGETS = ("worker", "api", "delivery", "supervisor", "postgres", "twin sap-1", "twin ups-1")


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any-seed"])
def test_killing_everything_once_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    """Exit 0, zeros, and every order ended; the seed is printed so that a failure can be had again."""
    done = subprocess.run(
        [
            sys.executable, "-m", "crossdock.cli.main", "prove", "kill", "--orders", str(ORDERS), "--kills", "1", "--stops", "0",
            "--seed", str(seed), "--json",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip

    told = f"seed {seed}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, told
    assert f"Seed {seed}" in done.stderr
    found = json.loads(done.stdout)
    assert (found["lost_events"], found["duplicated_effects"], found["order_violations"]) == (0, 0, 0), told
    assert found["differences"] == [], told
    assert (found["orders"], found["kills"], found["stops"], found["seed"]) == (ORDERS, 1, 0, seed)
    assert found["worker_resume_s_max"] > 0
    assert found["postgres_resume_s_max"] > 0
    assert not re.search("Traceback", done.stderr)


def test_the_same_seed_is_the_same_mischief() -> None:
    """The schedule holds each target as often as asked, in an order that the seed alone decides."""
    twins = ["sap-1", "ups-1"]

    steps = schedule(3, 2, twins, 7)

    assert steps == schedule(3, 2, twins, 7)
    assert steps != schedule(3, 2, twins, 8)
    assert sorted(steps) == sorted(
        [("kill", t) for t in TARGETS for _ in range(3)]
        + [("stop", t) for t in ("worker", "delivery") for _ in range(2)]
    )


@pytest.mark.parametrize(
    "flaw",
    [{"lost_events": 1}, {"duplicated_effects": 1}, {"order_violations": 1}, {"differences": ["x"]}],
    ids=lambda flaw: next(iter(flaw)),
)
def test_one_flaw_fails_the_proof(flaw: dict[str, object]) -> None:
    """There is no tolerance."""
    assert Proof(orders=5, completed=5).good
    assert not Proof(orders=5, completed=5, **flaw).good  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any-seed"])
def test_claims_survive_kills_of_api_and_database(tmp_path: Path, seed: int) -> None:
    """Exit 0: nothing oversold, no answer lost, and the ledger adds up."""
    done = subprocess.run(
        [
            sys.executable, "-m", "crossdock.cli.main", "prove", "claims", "--claims", "400", "--kills", "1", "--seed", str(seed),
            "--json",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    told = f"seed {seed}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, told
    found = json.loads(done.stdout)
    assert (found["oversold"], found["lost_answers"], found["differences"]) == (0, 0, []), told
    assert found["granted"] > 0
    assert found["refused"] > 0
    assert found["granted"] + found["refused"] == 400


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any-seed"])
def test_lost_answers_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """A fifth of all answers is lost after the systems did what they were asked: nothing is done twice, and soon it is known."""
    done = subprocess.run(
        [sys.executable, "-m", "crossdock.cli.main", "prove", "answers", "--orders", str(ORDERS), "--seed", str(seed), "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip

    told = f"seed {seed}\n{done.stdout[-3000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, told
    found = json.loads(done.stdout)
    assert (found["lost_events"], found["duplicated_effects"], found["order_violations"]) == (0, 0, 0), told
    assert (found["differences"], found["late"]) == ([], []), told
    assert found["lost_answers"] > 0
