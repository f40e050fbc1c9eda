"""Who may say what about a place: the warehouse that the routing tables name for it, and nobody else."""

from crossdock.model.envelope import Recorded
from crossdock.processes.intents import OpenCase
from crossdock.processes.policy import Policy


def not_theirs(event: Recorded, what: str, location: str, policy: Policy) -> OpenCase:
    """One case for each system and place, whatever it reports there."""
    return OpenCase(
        f"authority/{event.source}/{location}", "authorisation", "not the authority",
        f"{event.source} reports {what} at {location}, which is {policy.warehouse_of(location)}'s",
        f"Nothing of it was applied. Correct the node in routing.yaml, or the location that {event.source} sends.",
        "integration", "authority",
    )  # fmt: skip
