"""hookdeck/outpost PR#670: the second manual retry does nothing for a day, and nobody says so. Here every retry is an attempt of its own."""

from decimal import Decimal

from e2e.running import eventually, rows
from scenarios.group import Group

ATTEMPTS = (
    "select count(*) as n from attempt a join effect e on e.id = a.effect"
    " where e.thread_key = $1 and e.kind = 'goods_issue.post' and a.purpose = 'send'"
)


async def test_every_retry_is_tried_and_seen_and_the_effect_is_one(group: Group) -> None:
    """Three times in vain, each time with the ERP's answer in the story; the fourth posts it, once."""
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("CBL-1", 1))
        thread = f"order/{reference}"

        async def attempts() -> int:
            [row] = await rows(group.api.hub, ATTEMPTS, thread)
            return int(row["n"])

        for tried in (1, 2, 3):

            async def refused(tried: int = tried) -> bool:
                return await attempts() == tried and bool(await group.cases(thread))

            await eventually(refused, what=f"attempt {tried} was refused and is a case")
            [case] = await group.cases(thread)
            if tried < 3:
                await group.retry(case)
        told = [
            x["text"]
            for x in (await group.story(thread))["timeline"]
            if "refused to post the goods issue" in x["text"]
        ]
        assert len(told) == 3
    await group.retry(case)
    await group.until(reference, "completed")

    assert await group.booked(reference, "goods_issue.post") == {"CBL-1": Decimal(1)}
    answer = await group.api.post(f"/v1/cases/{case['number']}/retry", {"reason": "once more"})
    assert answer.status == 404, "a case that is settled says so"
