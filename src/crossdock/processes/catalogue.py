"""Which process looks after which kind of thread: ours, and those a company brings by the entry point group
`crossdock.processes`. A company's process hears canonical events on threads of its own and touches none of ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

import msgspec

from crossdock.errors import Misconfigured
from crossdock.model.envelope import Recorded
from crossdock.model.registry import EVENTS
from crossdock.processes import (
    case_telling,
    claim,
    elsewhere,
    gap,
    identifier,
    inbound,
    master,
    message,
    order,
    returning,
    serial,
    shipment,
    stock,
    transfer,
)
from crossdock.processes.intents import Step, Summary
from crossdock.processes.policy import Policy

GROUP: Final = "crossdock.processes"


@dataclass(frozen=True, slots=True)
class Process:
    """A pure state machine: `step` is a function of its arguments and nothing else."""

    kind: str
    version: int
    state: type[msgspec.Struct]
    initial: Callable[[str], Any]
    step: Callable[[Any, Recorded, Policy], Step]
    summary: Callable[[Any, Policy], Summary]
    listens: Mapping[str, Callable[[Recorded], str]] = field(default_factory=dict)
    """For a company's own: event type → the key of its thread that hears it, or "" for none. Personal data stays out."""


def process_of(module: Any) -> Process:
    """From a module with `KIND`, `VERSION`, `State`, `initial`, `step`, `summary`, and `LISTENS` where it is one's own."""
    listens = getattr(module, "LISTENS", {})
    return Process(
        module.KIND, module.VERSION, module.State, module.initial, module.step, module.summary, listens
    )


def _brought() -> list[Process]:
    """Processes of installed packages. Raises `Misconfigured` with the entry point's name."""
    found = []
    for entry in entry_points(group=GROUP):
        try:
            process = process_of(import_module(entry.value))
        except (ImportError, AttributeError) as error:
            raise Misconfigured(f"entry point {GROUP}: {entry.name}", str(error)) from None
        unknown = sorted(set(process.listens) - set(EVENTS))
        if unknown:
            raise Misconfigured(
                f"entry point {GROUP}: {entry.name}", f"listens to unknown event {unknown[0]}"
            )
        found.append(process)
    return found


def _all() -> dict[str, Process]:
    ours = [
        process_of(module)
        for module in (
            order,
            shipment,
            inbound,
            transfer,
            returning,
            identifier,
            message,
            stock,
            serial,
            elsewhere,
            claim,
            case_telling,
            gap,
        )
    ]
    ours += [process_of(kind) for kind in master.KINDS]
    known = {process.kind: process for process in ours}
    for process in _brought():
        if process.kind in known:
            raise Misconfigured(
                f"entry point group {GROUP}", f"a second process for threads of kind {process.kind}"
            )
        known[process.kind] = process
    return known


PROCESSES: Final[dict[str, Process]] = _all()
OWN: Final[frozenset[str]] = frozenset(kind for kind, process in PROCESSES.items() if process.listens)
"""Kinds of a company's own threads; what they hear is not offered again."""
_HEARD_BY: Final[dict[str, list[Process]]] = {
    type_: [p for p in PROCESSES.values() if type_ in p.listens] for type_ in EVENTS
}


def heard_by(event: Recorded) -> list[str]:
    """Threads of a company's own processes that want this event."""
    keys = ((p.kind, p.listens[event.type](event)) for p in _HEARD_BY.get(event.type, ()))
    return [f"{kind}/{key}" for kind, key in keys if key]
