"""Complaint 3: check and allocation lie apart, so that what is paid for is silently not there."""

import asyncio

from e2e.running import eventually
from scenarios.callers import act, ask, balance, line, state_of, until_balance
from scenarios.goods import broken_law, make_known
from scenarios.goods_between import stocked
from scenarios.group import Group

SOON = 60
"""Seconds of the business clock, which goes twenty times as fast as ours."""


async def test_one_piece_two_checkouts(group: Group) -> None:
    """The second is told at once; after the first expired it gets the piece, and the first is told when it pays too late."""
    await make_known(group, "PAID-1")
    await stocked(group, "PAID-1", 1)

    first = await ask(group, "cart-1", line("PAID-1", "1"), kind="soft", expires_in_seconds=SOON)
    second = await ask(group, "cart-2", line("PAID-1", "1"), kind="soft", expires_in_seconds=SOON)

    assert first.status == 201
    assert first.json()["expires_at"]
    assert (second.status, second.problem["code"]) == (409, "not-enough-stock")
    assert second.problem["errors"][0]["available"] == "0 EA"

    async def expired() -> bool:
        return await state_of(group, "cart-1") == "expired"

    await eventually(expired, what="the first checkout expires")
    again = await ask(group, "cart-2b", line("PAID-1", "1"), kind="soft", expires_in_seconds=SOON)
    assert again.status == 201
    late = await act(group, "cart-1", "change", kind="firm")
    assert (late.status, late.problem["code"]) == (409, "claim-ended")
    assert "expired" in late.problem["detail"]
    paid = await act(group, "cart-2b", "change", kind="firm")
    assert paid.json()["kind"] == "firm"
    assert (await act(group, "cart-2b", "extend", expires_in_seconds=None)).json()["expires_at"] is None
    assert await balance(group, "PAID-1", "SITE1") == {"firm_claim": 1}
    assert await broken_law(group) == []


async def test_payment_and_expiry_at_the_same_moment_have_one_winner(group: Group) -> None:
    """Whoever is told that the claim is bound has it for good; whoever is told that it ended does not."""
    await make_known(group, "PAID-2")
    await stocked(group, "PAID-2", 12)
    carts = [f"tight-{n}" for n in range(12)]
    for cart in carts:
        answer = await ask(group, cart, line("PAID-2", "1"), kind="soft", expires_in_seconds=SOON)
        assert answer.status == 201

    async def pay(cart: str, after: float) -> bool:
        await asyncio.sleep(after)
        answer = await act(group, cart, "commit")
        assert answer.status == 200 or answer.problem["code"] == "claim-ended"
        return answer.status == 200

    bound = await asyncio.gather(*(pay(cart, 1.5 + n * 0.2) for n, cart in enumerate(carts)))

    async def over() -> bool:
        return {await state_of(group, x) for x in carts} <= {"posted", "expired"}

    await eventually(over, what="every checkout has ended")
    states = [await state_of(group, x) for x in carts]
    assert [x == "posted" for x in states] == bound
    wanted = {"allocated": sum(bound), "available": 12 - sum(bound)}
    await until_balance(group, "PAID-2", "SITE1", **{k: v for k, v in wanted.items() if v})


async def test_a_paid_order_that_finds_nothing_says_so_and_gets_it_later(group: Group) -> None:
    """A checkout holds the only piece: the order says what it lacks, nothing leaves, and it is served once that is given up."""
    await make_known(group, "PAID-3")
    await stocked(group, "PAID-3", 1)
    assert (await ask(group, "cart-3", line("PAID-3", "1"), kind="soft")).status == 201

    reference = await group.buy(("PAID-3", 1))

    await group.until(reference, "held")
    [case] = await group.cases(f"order/{reference}")
    assert case["title"] == "Not enough stock to promise the order"
    assert (await group.line(reference, "PAID-3"))["open"] == 1
    assert await group.left(reference) == {}
    assert await balance(group, "PAID-3", "SITE1") == {"soft_claim": 1}
    assert (await act(group, "cart-3", "release")).status == 200
    await group.until(reference, "completed")
    assert await group.left(reference) == {"PAID-3": 1}
    assert await broken_law(group) == []
