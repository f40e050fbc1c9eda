"""What every process must keep, ours or a company's own: run it over events and read the list of what it breaks."""

from collections.abc import Iterable
from typing import get_args

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.processes.catalogue import Process
from crossdock.processes.intents import Intent, Verdict
from crossdock.processes.policy import Policy

_ENCODE = msgspec.msgpack.Encoder(decimal_format="string").encode


def faults(process: Process, events: Iterable[Recorded], policy: Policy) -> list[str]:
    """Empty where the process is pure, total, storable and has something to say after each of the events."""
    found: list[str] = []
    decode = msgspec.msgpack.Decoder(process.state).decode
    state = process.initial(f"{process.kind}/kit")
    for event in events:
        where = f"{process.kind} on {event.type}"
        try:
            step, again = process.step(state, event, policy), process.step(state, event, policy)
            summary = process.summary(step.state, policy)
        except Exception as error:
            return [*found, f"{where}: raises {type(error).__name__}: {error}"]
        if (step.state, step.intents) != (again.state, again.intents):
            found.append(f"{where}: the same event on the same state has two outcomes")
        if decode(_ENCODE(step.state)) != step.state:
            found.append(f"{where}: its state is not the same after it was stored")
        if step.verdict not in get_args(Verdict):
            found.append(f"{where}: {step.verdict} is no verdict")
        found += [
            f"{where}: {type(x).__name__} is no intent" for x in step.intents if not isinstance(x, Intent)
        ]
        if not summary.phase:
            found.append(f"{where}: its summary names no phase")
        state = step.state
    return found
