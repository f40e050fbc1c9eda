"""What an examination says: one line for each thing looked at, with the remedy where something is wrong."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail", "skip"]
"""skip: it could not be looked at now."""


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy` is what to do; empty where all is well."""

    level: Level
    name: str
    text: str
    remedy: str = ""


def graded(value: float, bounds: tuple[float, float]) -> Level:
    """`bounds` are what is worth a warning and what is wrong; more is worse."""
    return "fail" if value > bounds[1] else "warn" if value > bounds[0] else "ok"


def lasting(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
