"""What the systems saw of the hub's calls, by the log at each twin's gate, and how the gate is set."""

from dataclasses import dataclass
from typing import Any

from scenarios.group import Group


@dataclass(frozen=True)
class Seen:
    """Calls of one account, oldest first."""

    calls: tuple[dict[str, Any], ...]

    @property
    def refused(self) -> list[dict[str, Any]]:
        return [x for x in self.calls if x["refused"]]

    def most_within(self, seconds: float) -> int:
        """The most calls that began in any stretch so long."""
        at = [x["at"] for x in self.calls]
        first = most = 0
        for last, moment in enumerate(at):
            while at[first] < moment - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def most_at_once(self) -> int:
        """The most calls that were under way at the same time."""
        turns = sorted(
            (moment, step)
            for x in self.calls
            for moment, step in ((x["at"], 1), (x["ended_at"] or x["at"], -1))
        )
        under_way = most = 0
        for _, step in turns:
            under_way += step
            most = max(most, under_way)
        return most


async def seen(group: Group, system: str, *, after: float = 0.0) -> Seen:
    """Calls that began after an instant (seconds since 1970)."""
    calls = await group.twin(system, "/calls")
    return Seen(tuple(x for x in sorted(calls, key=lambda x: x["at"]) if x["at"] > after))


async def gate(group: Group, system: str, **limits: Any) -> None:
    """What the account may do from now on; nothing given: everything."""
    await group.twin(system, "/gate", limits, "PUT")
