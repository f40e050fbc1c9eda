"""OCA/queue#386: a crash leaves jobs started, the channel is blocked, and starting them again blindly does them twice. Not here."""

from decimal import Decimal

from e2e.running import eventually, rows
from scenarios.group import Group
from scenarios.killing import kill

SENDING = "select count(*) as n from effect where account = 'sap-1' and state = 1"


async def test_what_was_under_way_in_a_crash_goes_on_and_is_done_once(own_group: Group) -> None:
    """Delivery is killed in the middle of calls, twice; nobody does anything, and every order is booked once."""
    group = own_group
    async with group.quirks("sap-1", slow=1.0):  # two seconds for a call: the kill meets some
        references = [await group.buy(("WID-1", 1)) for _ in range(4)]
        for _ in range(2):

            async def calling() -> bool:
                [row] = await rows(group.api.hub, SENDING)
                return bool(row["n"])

            await eventually(calling, what="a call to the ERP is under way")
            await kill(group, "delivery")
    for reference in references:
        await group.until(reference, "completed")

    created = [x["reference"] for x in await group.journal("sap-1", "sales_order.create")]
    assert sorted(created) == sorted(references)
    for reference in references:
        assert await group.booked(reference, "goods_issue.post") == {"WID-1": Decimal(1)}
        assert await group.booked(reference, "invoice.release") == {"WID-1": Decimal(1)}
