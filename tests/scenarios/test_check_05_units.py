"""DOMAIN check 5: each, inner, case and pallet, with ratios that do not come out even: no 0.96 and no 61."""

from e2e.running import eventually
from scenarios.callers import act, ask, balance, define, fact, line, until_balance
from scenarios.goods import broken_law
from scenarios.group import Group

NODE = "UNIT-1"


def quantity(value: str, unit: str) -> dict[str, dict[str, str]]:
    return {"quantity": {"value": value, "unit": unit}}


async def test_receipts_and_claims_in_other_units_meet_in_one(group: Group) -> None:
    """A pallet of 40 cases of 12 less what cases, inners of 7 and eaches take; sixty stay sixty."""
    units = [
        {"unit": "IN", "numerator": 7}, {"unit": "CS", "numerator": 12}, {"unit": "PF", "numerator": 480},
    ]  # fmt: skip
    await define(group, "UOM-1", units=units)
    await fact(group, "stock.received.v1", NODE, "UOM-1", quantity("1", "PF"))
    await until_balance(group, "UOM-1", NODE, available=480)

    for value, unit, pieces in (("5", "CS", "60"), ("3", "IN", "21"), ("1", "EA", "1")):
        told = (await ask(group, f"uom-{unit}", line("UOM-1", value, unit), node=NODE)).json()["lines"][0]
        assert (told["granted"]["value"], told["granted"]["unit"]) == (pieces, "EA")
    await until_balance(group, "UOM-1", NODE, available=398, firm_claim=82)
    part = {"lines": [{"line": "1", "quantity": {"value": "2", "unit": "CS"}}]}
    assert (await act(group, "uom-CS", "release", **part)).status == 200
    await fact(group, "stock.received.v1", NODE, "UOM-1", quantity("2", "IN"))
    await until_balance(group, "UOM-1", NODE, available=436, firm_claim=58)
    minus = {"change": {"value": "-3", "unit": "CS"}, "reason": "damaged"}
    await fact(group, "stock.adjusted.v1", NODE, "UOM-1", minus)
    await until_balance(group, "UOM-1", NODE, available=400, firm_claim=58)
    assert await broken_law(group) == []


async def test_what_is_no_number_of_the_base_unit_is_said_and_not_rounded(group: Group) -> None:
    """Kept in cases of 12 and in kilograms of 2.2046 pounds: twelfths and pounds count where they come out even."""
    twelfth = [{"unit": "EA", "numerator": 1, "denominator": 12}]
    pound = [{"unit": "LBR", "numerator": 10000, "denominator": 22046}]
    await define(group, "UOM-2", "CS", units=twelfth)
    await define(group, "UOM-3", "KGM", units=pound)
    await fact(group, "stock.received.v1", NODE, "UOM-2", quantity("60", "EA"))
    await fact(group, "stock.received.v1", NODE, "UOM-3", quantity("11.023", "LBR"))
    await until_balance(group, "UOM-2", NODE, available=5)
    await until_balance(group, "UOM-3", NODE, available=5)

    for item, value, unit, comes_to in (("UOM-2", "1", "EA", "1/12"), ("UOM-3", "1", "LBR", "5000/11023")):
        refused = await ask(group, f"uneven-{item}", line(item, value, unit), node=NODE)
        assert (refused.status, refused.problem["errors"][0]["pointer"]) == (422, "/lines/0/quantity")
        assert f"comes to {comes_to} of the base unit" in refused.problem["detail"]
    assert (await ask(group, "even-2", line("UOM-2", "36", "EA"), node=NODE)).status == 201
    assert (await ask(group, "even-3", line("UOM-3", "2.2046", "LBR"), node=NODE)).status == 201
    await until_balance(group, "UOM-2", NODE, available=2, firm_claim=3)
    await until_balance(group, "UOM-3", NODE, available=4, firm_claim=1)


async def test_a_receipt_that_does_not_come_out_even_is_a_case(group: Group) -> None:
    """Seven pieces of an item kept in cases of 12 are on nobody's shelf and not lost: the case says how many."""
    await define(group, "UOM-4", "CS", units=[{"unit": "EA", "numerator": 1, "denominator": 12}])
    await fact(group, "stock.received.v1", NODE, "UOM-4", quantity("24", "EA"))
    await until_balance(group, "UOM-4", NODE, available=2)

    await fact(group, "stock.received.v1", NODE, "UOM-4", quantity("7", "EA"))
    await fact(group, "stock.received.v1", NODE, "UOM-4", quantity("1", "BX"))

    async def told() -> dict[str, str]:
        found = await group.cases(f"stock/{NODE}/UOM-4")
        return {x["title"].removesuffix(" are not booked")[-2:]: x["detail"] for x in found}

    async def both() -> bool:
        return len(await told()) == 2

    await eventually(both, what="both receipts are cases")
    assert "comes to 7/12 of the base unit" in (await told())["EA"]
    assert "UOM-4 has the units CS, EA" in (await told())["BX"]
    assert await balance(group, "UOM-4", NODE) == {"available": 2}

    box = next(x for x in await group.cases(f"stock/{NODE}/UOM-4") if "told in BX" in x["title"])
    await group.retry(box)  # too early: the unit is not known yet

    async def tried() -> bool:
        story = await group.story(f"stock/{NODE}/UOM-4")
        return [x["text"].startswith("1 BX") for x in story["timeline"]].count(True) == 2

    await eventually(tried, what="it was tried and kept again")
    units = [{"unit": "EA", "numerator": 1, "denominator": 12}, {"unit": "BX", "numerator": 3}]
    await define(group, "UOM-4", "CS", units=units)

    async def booked() -> bool:  # whoever retries again and again books it once
        await group.api.post(f"/v1/cases/{box['number']}/retry", {"reason": "the item has boxes now"})
        return (await balance(group, "UOM-4", NODE))["available"] != 2

    await eventually(booked, what="it is booked")
    await until_balance(group, "UOM-4", NODE, available=5)

    async def closed() -> bool:
        return set(await told()) == {"EA"}

    await eventually(closed, what="what was booked is no case any more")
    assert await broken_law(group) == []
