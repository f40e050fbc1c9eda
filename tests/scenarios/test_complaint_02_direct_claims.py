"""Complaint 2: whoever claims directly, past the workflow that is careful, oversubscribes the stock."""

import asyncio
from decimal import Decimal

from e2e.running import eventually
from scenarios.callers import act, ask, line, state_of, until_balance
from scenarios.goods import broken_law, make_known
from scenarios.goods_between import stocked
from scenarios.group import Group

SCARCE = 20


async def test_callers_and_orders_at_once_share_what_there_is(group: Group) -> None:
    """Thirty callers, each twice at once, and eight orders want 46 of 20: every piece has one owner, here and in the warehouse."""
    await make_known(group, "DIRECT-1")
    await stocked(group, "DIRECT-1", SCARCE)
    claims = [f"direct-{n}" for n in range(30)]

    async def caller(number: int, claim: str) -> int:
        await asyncio.sleep(number * 0.05)
        first, again = await asyncio.gather(*(ask(group, claim, line("DIRECT-1", "1")) for _ in range(2)))
        assert {first.status, again.status} in ({200, 201}, {409})
        return int(409 not in (first.status, again.status))

    async def buyer() -> str:
        return await group.buy(("DIRECT-1", 2))

    granted, orders = await asyncio.gather(
        asyncio.gather(*(caller(n, x) for n, x in enumerate(claims))),
        asyncio.gather(*(buyer() for _ in range(8))),
    )

    async def shipped() -> bool:
        left = [(await group.left(x)).get("DIRECT-1", Decimal(0)) for x in orders]
        return sum(granted) + sum(left) == SCARCE

    await eventually(shipped, what=f"{SCARCE - sum(granted)} pieces leave for the orders")
    assert 0 < sum(granted) < SCARCE
    lines = [await group.line(x, "DIRECT-1") for x in orders]
    lacking = sum(x.get("open", 0) + x.get("backordered", 0) for x in lines)
    assert lacking == 16 - (SCARCE - sum(granted))
    states = [await state_of(group, x) for x in claims]
    assert states.count("pending") == sum(granted)
    assert states.count("refused") == 30 - sum(granted)

    await until_balance(group, "DIRECT-1", "SITE1", firm_claim=sum(granted))
    assert Decimal((await group.twin("wms-1", "/stock"))["DIRECT-1"]["quantity"]) == sum(granted)
    assert await broken_law(group) == []


async def test_no_update_of_a_claim_is_lost(group: Group) -> None:
    """Ten claims grow and shrink at the same moment; what they say they hold is what the ledger holds."""
    await make_known(group, "DIRECT-2")
    await stocked(group, "DIRECT-2", SCARCE)
    claims = [f"grow-{n}" for n in range(10)]
    for claim in claims:
        assert (await ask(group, claim, line("DIRECT-2", "1"))).status == 201

    async def grow(claim: str, to: int) -> None:
        lines = [{"line": "1", "quantity": {"value": str(to), "unit": "EA"}}]
        assert (await act(group, claim, "change", lines=lines)).status in (200, 409)

    await asyncio.gather(*(grow(claim, to) for to in (3, 5, 2) for claim in claims))

    held = 0
    for claim in claims:
        shares = (await group.api.get(f"/v1/claims/{claim}"))["lines"]
        held += sum(int(x["open"]["value"]) for x in shares)
    assert held <= SCARCE
    left = {"available": SCARCE - held} if held < SCARCE else {}
    await until_balance(group, "DIRECT-2", "SITE1", firm_claim=held, **left)
    assert await broken_law(group) == []
