"""Which process looks after which kind of thread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.processes import identifier, message, order, shipment, stock
from crossdock.processes.intents import Step, Summary
from crossdock.processes.policy import Policy


@dataclass(frozen=True, slots=True)
class Process:
    """A pure state machine: `step` is a function of its arguments and nothing else."""

    kind: str
    version: int
    state: type[msgspec.Struct]
    initial: Callable[[str], Any]
    step: Callable[[Any, Recorded, Policy], Step]
    summary: Callable[[Any, Policy], Summary]


def _of(module: Any) -> Process:
    return Process(module.KIND, module.VERSION, module.State, module.initial, module.step, module.summary)


PROCESSES: dict[str, Process] = {
    process.kind: process for process in map(_of, (order, shipment, identifier, message, stock))
}
