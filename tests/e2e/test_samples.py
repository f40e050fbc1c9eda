"""Documents that others wrote, sent as their systems would: each comes to what `expected_samples.csv` says of it."""

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.running import RunningHub, stop
from e2e.second_shop import NAME, add_second_shop

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("CROSSDOCK_SAMPLES") or ROOT.parent / "shared" / "samples")
SOURCES = {"shopify": "shopify-eu", "woocommerce": NAME}

pytestmark = pytest.mark.skipif(
    not all((SAMPLES / folder).is_dir() for folder in SOURCES),
    reason="no samples: CROSSDOCK_SAMPLES names their folder",
)


def expected() -> dict[str, tuple[str, str]]:
    with (ROOT / "tests" / "expected_samples.csv").open(newline="") as rows:
        return {row["file"]: (row["outcome"], row["detail"]) for row in csv.DictReader(rows)}


def samples(folder: str) -> list[str]:
    return sorted(f"{folder}/{path.name}" for path in (SAMPLES / folder).iterdir())


@pytest.fixture(scope="module")
def two_shops(start_hub: Callable[..., RunningHub]) -> Iterator[RunningHub]:
    """The usual landscape with a second shop; nobody answers at the systems' addresses."""
    hub = start_hub("samples", edit=add_second_shop)
    yield hub
    stop(hub)


def test_every_sample_is_expected() -> None:
    """The list names just the files there are."""
    assert sorted(expected()) == [file for folder in SOURCES for file in samples(folder)]


@pytest.mark.parametrize("folder", SOURCES)
def test_samples_come_to_what_is_expected(two_shops: RunningHub, folder: str) -> None:
    """One process sends a whole folder; each line says a file's outcome, and the exit code sums them up."""
    files = samples(folder)
    ended = two_shops.crossdock(
        "send",
        *(str(SAMPLES / file) for file in files),
        "--source",
        SOURCES[folder],
        "--json",
        "--wait",
        "60",
    )
    told: list[dict[str, Any]] = [json.loads(line) for line in ended.stdout.splitlines()]
    found = {Path(x["file"]).relative_to(SAMPLES).as_posix(): (x["outcome"], x["detail"]) for x in told}

    assert found == {file: outcome for file, outcome in expected().items() if file.startswith(folder + "/")}
    assert [x["file"] for x in told if not x["message"]] == [], "each was kept under a number of its own"
    outcomes = {outcome for outcome, _ in found.values()}
    assert ended.returncode == {frozenset({"story"}): 0, frozenset({"case"}): 1}.get(frozenset(outcomes), 3)


def test_a_case_is_found_again(two_shops: RunningHub) -> None:
    """What could not be read is seen in the queue, and by the number of its case."""
    file = SAMPLES / "woocommerce" / "wp-api-v1__orders_4.json"
    ended = two_shops.crossdock("send", str(file), "--source", NAME, "--json", "--wait", "60")
    case = json.loads(ended.stdout)["case"]

    found = two_shops.crossdock("find", f"C-{case['number']}")
    assert found.returncode == 0, found.stderr
    assert "/line_items/0/sku" in found.stdout
