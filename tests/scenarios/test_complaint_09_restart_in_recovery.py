"""dbos-transact-py#716, #805: a restart of the database during recovery strands work silently. Not here."""

from scenarios.group import Group
from scenarios.killing import kill


async def test_the_database_and_a_worker_die_together(own_group: Group) -> None:
    """Nothing is stranded, and nothing behind it is blocked."""
    group = own_group
    references = [await group.buy(("WID-1", 1)) for _ in range(4)]
    await kill(group, "worker")
    await kill(group, "postgres")
    references += [await group.buy(("WID-1", 1)) for _ in range(2)]
    for reference in references:
        await group.until(reference, "completed")
    assert len(await group.journal("sap-1", "sales_order.create")) == len(references)
