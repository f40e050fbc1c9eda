"""DOMAIN check 4: kits share components, are kept or taken apart, wait and leave as sets, and come back piece by piece."""

from decimal import Decimal
from typing import Any

from e2e.running import eventually
from scenarios.callers import define
from scenarios.goods import broken_law, lots, make_known
from scenarios.goods_between import erp_stock, say
from scenarios.group import PRICE, Group

PRICES = {"CUP": "4.00", "PLATE": "2.00", "SPOON": "1.00"}
SET = {"CUP": 2, "PLATE": 1, "SPOON": 3}


async def kits(group: Group, mark: str, stock: dict[str, int], *, boxes: int = 0) -> None:
    """SET of three components, DUO of two cups, and BOX of six, which is put together beforehand; `mark` ends their names."""

    def named(parts: dict[str, int]) -> dict[str, int]:
        return {f"{x}-{mark}": n for x, n in parts.items()}

    made = {"SET": SET, "DUO": {"CUP": 2}, "BOX": {"CUP": 6}}
    await make_known(group, *(f"{x}-{mark}" for x in (*PRICES, *made)))
    for item, price in PRICES.items():
        await define(group, f"{item}-{mark}", price={"amount": price, "currency": "EUR"})
    for kit, parts in made.items():
        components = [
            {"item": x, "quantity": {"value": str(n), "unit": "EA"}} for x, n in named(parts).items()
        ]
        await define(
            group, f"{kit}-{mark}", components=components, **({"stocked": True} if kit == "BOX" else {})
        )
    boms = {f"{x}-{mark}": {"bom": {y: str(n) for y, n in named(made[x]).items()}} for x in ("SET", "DUO")}
    for sku, bom in boms.items():
        material = (await group.twin("sap-1", "/materials"))[sku]
        await group.twin("sap-1", "/materials", {sku: material | bom}, "PUT")
    shelf = named(stock) | ({f"BOX-{mark}": boxes} if boxes else {})
    await group.twin(
        "sap-1", "/material_stock", {"1010": {x: {"unrestricted": str(n)} for x, n in shelf.items()}}, "PUT"
    )
    await group.twin("wms-1", "/stock", {x: {"quantity": str(n), "lot": ""} for x, n in shelf.items()}, "PUT")

    async def there() -> bool:
        return [await lots(group, x) for x in shelf] == [{"": n} for n in shelf.values()]

    await eventually(there, what="the hub knows the stock")


async def more(group: Group, item: str, quantity: int) -> None:
    """So many lie in the warehouse now."""
    await group.twin("wms-1", "/stock", {item: {"quantity": str(quantity), "lot": ""}}, "PUT")


async def in_erp(group: Group, item: str) -> dict[str, Decimal]:
    """What the ERP's own books have of it, by stock type."""
    stock = await erp_stock(group, "sap-1", item, "1010")
    return {
        k: Decimal(stock[k]) for k in ("unrestricted", "quality", "blocked") if Decimal(stock.get(k, "0"))
    }


async def test_a_phantom_kit_leaves_as_components_and_is_booked_as_a_kit(group: Group) -> None:
    """Sets, a kept box and a loose cup: the warehouse sends pieces and a box, the ERP issues and bills what was sold."""
    await kits(group, "4A", {"CUP": 50, "PLATE": 50, "SPOON": 50}, boxes=5)
    reference = await group.buy(("SET-4A", 2), ("BOX-4A", 1), ("CUP-4A", 1))
    await group.until(reference, "completed")

    assert await group.left(reference) == {"CUP-4A": 5, "PLATE-4A": 2, "SPOON-4A": 6, "BOX-4A": 1}
    for effect in ("goods_issue.post", "invoice.release"):
        assert await group.booked(reference, effect) == {"SET-4A": 2, "BOX-4A": 1, "CUP-4A": 1}
    assert [await lots(group, f"{x}-4A") for x in (*SET, "BOX")] == [{"": 45}, {"": 48}, {"": 44}, {"": 4}]
    erp = [await in_erp(group, f"{x}-4A") for x in (*SET, "BOX")]
    assert erp == [{"unrestricted": n} for n in (45, 48, 44, 4)]
    assert await broken_law(group) == []


async def test_a_component_that_lines_and_orders_share_is_never_sold_twice(group: Group) -> None:
    """Six cups for two sets, a pair and a loose one: the pair waits whole, and so does another order's set, for one cup each."""
    await kits(group, "4B", {"CUP": 6, "PLATE": 9, "SPOON": 90})
    reference = await group.buy(("SET-4B", 2), ("DUO-4B", 1), ("CUP-4B", 1))
    await group.until_left(reference)
    other = await group.buy(("SET-4B", 1))
    await group.until_case(f"order/{other}", "stock")

    assert await group.left(reference) == {"CUP-4B": 5, "PLATE-4B": 2, "SPOON-4B": 6}
    assert await group.left(other) == {}
    assert [await lots(group, f"{x}-4B") for x in SET] == [{"": 1}, {"": 7}, {"": 84}]
    await more(group, "CUP-4B", 4)
    await group.until(reference, "completed")
    await group.until(other, "completed")

    assert await group.left(reference) == {"CUP-4B": 7, "PLATE-4B": 2, "SPOON-4B": 6}
    assert await group.left(other) == {"CUP-4B": 2, "PLATE-4B": 1, "SPOON-4B": 3}
    assert await group.booked(reference, "invoice.release") == {"SET-4B": 2, "DUO-4B": 1, "CUP-4B": 1}
    assert await lots(group, "CUP-4B") == {}
    assert await broken_law(group) == []


async def test_a_component_that_is_not_found_follows_and_only_whole_kits_are_billed(group: Group) -> None:
    """Half of the last component is missing: what is there leaves, as many sets as are whole are issued, the rest with the rest."""
    await kits(group, "4C", {"CUP": 40, "PLATE": 40, "SPOON": 40})
    async with group.quirks("wms-1", short_pick=1.0):
        reference = await group.buy(("SET-4C", 2))
        await group.until_left(reference)
    await group.until(reference, "completed")

    assert await departed(group, reference) == [{"CUP-4C": 4, "PLATE-4C": 2, "SPOON-4C": 3}, {"SPOON-4C": 3}]
    for effect in ("goods_issue.post", "invoice.release"):
        assert await group.booked(reference, effect) == {"SET-4C": 2}
    issues = [x["detail"]["quantities"] for x in await _of(group, reference, "goods_issue.post")]
    assert [Decimal(x["SET-4C"]) for x in issues] == [1, 1]
    assert await group.cases(f"order/{reference}") == []
    assert await broken_law(group) == []


async def departed(group: Group, reference: str) -> list[dict[str, Decimal]]:
    """Item → quantity of each truck, by the warehouse's own books."""
    rows = [x["detail"]["lines"] for x in await group.journal("wms-1", "shipment.departed")]
    mine = [[x for x in lines if x["reference"].partition("~")[0] == reference] for lines in rows]
    return [{x["item"]: Decimal(x["quantity"]) for x in lines} for lines in mine if lines]


async def _of(group: Group, reference: str, effect: str) -> list[dict[str, Any]]:
    rows = await group.journal("sap-1", effect)
    return [x for x in rows if x["reference"].partition("|")[2] == reference]


async def expected(group: Group, thread: str) -> dict[str, str]:
    """Item → line of what the warehouse was announced."""

    async def announced() -> Any:
        return next((x for x in await group.twin("wms-1", "/asns") if x["reference"] == thread), None)

    asn = await eventually(announced, what=f"the warehouse knows of {thread}")
    assert isinstance(asn, dict)
    return {x["item"]: x["line"] for x in asn["lines"]}


async def back(group: Group, thread: str, *told: tuple[str, int, str]) -> None:
    """(item, pieces, disposition): received and inspected."""
    lines = await expected(group, thread)
    pieces: dict[str, int] = {}
    for item, n, _ in told:
        pieces[item] = pieces.get(item, 0) + n
    came = [{"line": lines[item], "quantity": str(n)} for item, n in pieces.items()]
    receipt = (await group.twin("wms-1", "/receive", {"reference": thread, "lines": came}, "POST"))["receipt"]
    judged = [{"line": lines[x], "item": x, "quantity": n, "disposition": what} for x, n, what in told]
    await group.twin("wms-1", "/inspect", {"receipt": receipt, "lines": judged}, "POST")


async def credited(group: Group, thread: str, count: int) -> list[dict[str, Any]]:
    """What the ERP's own books credited of a return, once there are so many credits."""

    async def look() -> list[dict[str, Any]]:
        rows = await group.journal("sap-1", "credit.post")
        found = [x["detail"] for x in rows if x["reference"].startswith(thread.partition("/")[2] + "|")]
        return found if len(found) >= count else []

    found = await eventually(look, what=f"{count} credits of {thread}")
    assert isinstance(found, list)
    return found


async def test_a_kit_comes_back_by_component_and_its_shares_add_up_to_its_price(group: Group) -> None:
    """The shop takes a set back; cups, plate and spoons come on two days, each goes its own way, and together they are 10.00.

    What was destroyed is in nobody's stock.
    """
    await kits(group, "4D", {"CUP": 20, "PLATE": 20, "SPOON": 20})
    reference = await group.buy(("SET-4D", 2))
    await group.until(reference, "completed")
    number = reference.partition("/")[2]
    made = await group.twin("shopify-eu", f"/orders/{number}/return", {"quantities": {"SET-4D": 1}}, "POST")
    thread = f"return/shopify-eu/{made['id']}"
    assert set(await expected(group, thread)) == {"CUP-4D", "PLATE-4D", "SPOON-4D"}

    await back(group, thread, ("CUP-4D", 1, "RESTOCK"), ("CUP-4D", 1, "SCRAP"), ("SPOON-4D", 1, "RESTOCK"))
    [first] = await credited(group, thread, 1)
    assert Decimal(first["amount"]) == Decimal("6.15") + Decimal("0.77")
    await back(group, thread, ("SPOON-4D", 2, "RESTOCK"), ("PLATE-4D", 1, "REFURBISH"))
    found = await credited(group, thread, 2)

    assert sum(Decimal(x["amount"]) for x in found) == Decimal(PRICE)
    assert {x["currency"] for x in found} == {"EUR"}
    invoices = [x["key"] for x in await _of(group, reference, "invoice.release")]
    assert [x["invoices"] for x in found] == [invoices, invoices]
    assert [await lots(group, f"{x}-4D") for x in SET] == [{"": 17}, {"": 18}, {"": 17}]
    assert await lots(group, "PLATE-4D", "quarantine") == {"": 1}
    assert await in_erp(group, "CUP-4D") == {"unrestricted": 17}
    assert await in_erp(group, "PLATE-4D") == {"unrestricted": 18, "quality": 1}
    assert await in_erp(group, "SPOON-4D") == {"unrestricted": 17}
    lines = {x["item"]: (x["ordered"], x["delivered"]) for x in (await group.story(thread))["lines"]}
    assert lines == {"CUP-4D": ("2", "2"), "PLATE-4D": ("1", "1"), "SPOON-4D": ("3", "3")}
    answer = await group.api.call("GET", "/v1/stock/SET-4D")
    assert answer.status == 404 or not any(Decimal(x["on_hand"]) for x in answer.json()["totals"])
    assert await broken_law(group) == []


async def test_one_component_comes_back_alone(group: Group) -> None:
    """A portal takes back one cup of a set, then the other with a plate: 3.08, 3.07 and 1.54; a third cup is beyond the order."""
    await kits(group, "4E", {"CUP": 20, "PLATE": 20, "SPOON": 20})
    reference = await group.buy(("SET-4E", 1))
    await group.until(reference, "completed")
    [line] = [x["line"] for x in (await group.story(f"order/{reference}"))["lines"] if not x["kit_of"]]

    async def take_back(name: str, *items: str) -> str:
        thread = f"return/portal/{name}"
        lines = [
            {"line": str(n), "order_line": line, "item": x, "quantity": {"value": "1", "unit": "EA"}}
            for n, x in enumerate(items, 1)
        ]
        data = {"number": name, "order": reference, "location": "SITE1", "lines": lines}
        await say(group, thread, "return.authorised.v1", data, source_id=name, source="portal")
        return thread

    first = await take_back("4E-1", "CUP-4E")
    await back(group, first, ("CUP-4E", 1, "RESTOCK"))
    second = await take_back("4E-2", "CUP-4E", "PLATE-4E")
    await back(group, second, ("CUP-4E", 1, "RESTOCK"), ("PLATE-4E", 1, "RESTOCK"))
    third = await take_back("4E-3", "CUP-4E")
    case = await group.until_case(third, "return beyond its order")

    found = [x for thread in (first, second) for x in await credited(group, thread, 1)]
    assert [Decimal(x["amount"]) for x in found] == [Decimal("3.08"), Decimal("4.61")]
    assert [x["quantities"] for x in found] == [{"CUP-4E": "1"}, {"CUP-4E": "1", "PLATE-4E": "1"}]
    assert "left and did not come back" in case["title"]
    assert [await lots(group, f"{x}-4E") for x in SET] == [{"": 20}, {"": 20}, {"": 17}]
    assert await broken_law(group) == []
