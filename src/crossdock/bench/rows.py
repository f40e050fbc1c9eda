"""What a bench prints: one JSON object a line, beside a calibration of the machine in the same run."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from statistics import median
from time import perf_counter
from typing import Any


@dataclass
class Row:
    name: str
    value: float
    unit: str
    baseline: float | None = None
    """What `ratio` divides by, measured in the same run."""
    ratio: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    runs: list[float] = field(default_factory=list)
    calibration: dict[str, float] = field(default_factory=dict)
    note: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        values = asdict(self)
        more = values.pop("more")
        return json.dumps({k: _rounded(v) for k, v in (values | more).items()})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return [_rounded(x) for x in value] if isinstance(value, list) else value


@cache
def calibration() -> dict[str, float]:
    """Fsync latency and CPU speed of this machine, now."""
    times = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(100):
            began = perf_counter()
            os.write(file.fileno(), b"x" * 8192)
            os.fdatasync(file.fileno())
            times.append(perf_counter() - began)
    began = perf_counter()
    digest = b""
    for _ in range(200_000):
        digest = hashlib.blake2b(digest, digest_size=16).digest()
    return {"fdatasync_ms": median(times) * 1000, "blake2b_per_second": 200_000 / (perf_counter() - began)}


def row(name: str, runs: Sequence[float], unit: str, **more: Any) -> Row:
    """The median of the runs, with the calibration."""
    return Row(name, median(runs), unit, runs=list(runs), calibration=calibration(), **more)
