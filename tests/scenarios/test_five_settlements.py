"""docs/howto/a-bad-morning.md, word for word: five troubles are made at the twins and settled by the commands that stand there."""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from e2e.running import eventually
from e2e.test_unknown import ACCRUAL, silent_erp
from scenarios.callers import define, until_balance
from scenarios.goods import broken_law
from scenarios.group import Group

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "a-bad-morning.md"
MANY = 500


@dataclass
class Section:
    """The commands and files of one section, in their order."""

    group: Group
    folder: Path
    commands: Iterator[str]
    files: list[str] = field(default_factory=list)

    async def run(self, **said: str) -> str:
        """The next command, with our numbers in place of the page's."""
        command = next(self.commands)
        for name, value in said.items():
            pattern = {
                "case": r"C-\d+",
                "effect": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                "replay": r"R-\d+",
            }.get(name)
            command, done = re.subn(pattern or re.escape(name), value, command)
            assert done, f"{command} names no {name}"
        word, *arguments = shlex.split(command)
        assert word == "crossdock"
        if "import" in arguments:
            arguments[3] = str(self._file())
        made = await asyncio.to_thread(self.group.api.hub.crossdock, *arguments, seconds=120)
        assert made.returncode == 0, f"{command}: {made.stdout[-2000:]} {made.stderr[-2000:]}"
        return made.stdout

    def _file(self) -> Path:
        path = self.folder / "rows.csv"
        path.write_text(self.files.pop(0))
        return path

    def ended(self) -> None:
        assert next(self.commands, None) is None, "the page says more than was done"


@pytest.fixture
def page(group: Group, tmp_path: Path) -> Any:
    def of(title: str) -> Section:
        text = HOWTO.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
        commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
        return Section(group, tmp_path, iter(commands), re.findall(r"```csv\n(.*?)```", text, re.DOTALL))

    return of


async def receipts(group: Group, item: str, unit: str, count: int) -> None:
    """So many receipts that the warehouse told of over night."""
    began = datetime.now(UTC) - timedelta(minutes=30)
    events = [
        {
            "specversion": "1.0", "id": f"{item}-{n}", "source": "wms-1", "type": "crossdock.logistics.stock.received.v1",
            "subject": f"stock/SITE1/{item}", "time": (began + timedelta(seconds=n)).isoformat(),
            "data": {"place": {"item": item, "location": "SITE1"}, "quantity": {"value": "1", "unit": unit}},
        }
        for n in range(count)
    ]  # fmt: skip
    answer = await group.api.post("/v1/events/batch", events)
    assert answer.status in (200, 202), answer.body


async def until_blocked(group: Group, thread: str, cause: str, things: int = 1) -> str:
    case = await group.until_case(thread, cause)

    async def whole() -> bool:
        found = await group.api.get(f"/v1/cases/{case['number']}")
        return bool(found["blocked"] >= things)

    await eventually(whole, what=f"C-{case['number']} blocks {things}")
    return f"C-{case['number']}"


async def test_an_item_that_the_erp_does_not_know(group: Group, page: Any) -> None:
    """Two orders wait under one case; the item is created in SAP, which tells nobody, and said in its name."""
    section = page("An item that the ERP does not know")
    orders = [await group.buy(("LATE-7", 1)) for _ in range(2)]
    case = await until_blocked(group, f"order/{orders[0]}", "master data", 2)
    assert "LATE-7" in await section.run(case=case)
    assert "waited for by 2" in await section.run()

    row = {"price": "10.00", "currency": "EUR", "unit": "EA", "available": "100000"}
    await group.twin("sap-1", "/materials", {"LATE-7": row}, "PUT")
    await group.twin("wms-1", "/stock", {"LATE-7": {"quantity": "10", "lot": ""}}, "PUT")
    assert "1 new" in await section.run()

    for reference in orders:
        await group.until(reference, "completed")
        assert await group.booked(reference, "goods_issue.post") == {"LATE-7": Decimal(1)}
    assert await group.cases(f"order/{orders[0]}") == []
    section.ended()


async def test_a_move_in_a_unit_that_its_item_does_not_have(group: Group, page: Any) -> None:
    """Two boxes are kept, and are twenty-four pieces once a box holds twelve."""
    section = page("A move in a unit that its item does not have")
    await define(group, "BOX-7", "EA")
    await group.story("item/BOX-7")
    await receipts(group, "BOX-7", "BX", 2)
    case = await until_blocked(group, "stock/SITE1/BOX-7", "unit", 2)
    assert "Correct the units of the item" in await section.run(case=case)
    assert "24" not in await section.run()

    assert "1 new" in await section.run()
    await section.run(case=case)
    await until_balance(group, "BOX-7", "SITE1", available=24)

    assert "24" in await section.run()
    assert "unit" not in {x["cause"] for x in await group.cases("stock/SITE1/BOX-7")}
    assert await broken_law(group) == []
    section.ended()


async def test_a_posting_in_a_closed_period(group: Group, page: Any) -> None:
    """Refused while it is closed, posted once when it is open; the invoice follows."""
    section = page("A posting in a closed period")
    async with group.quirks("sap-1", period_closed=1.0):
        reference = await group.buy(("GAD-1", 1))
        case = await until_blocked(group, f"order/{reference}", "period closed")
        await section.run(case=case)
        await section.run(case=case)
        assert await group.booked(reference, "invoice.release") == {}

    await section.run(case=case)

    await group.until(reference, "completed")
    assert await group.booked(reference, "goods_issue.post") == {"GAD-1": Decimal(1)}
    assert await group.booked(reference, "invoice.release") == {"GAD-1": Decimal(1)}
    section.ended()


async def test_an_outcome_that_nobody_knows(group: Group, page: Any) -> None:
    """The accrual stands in SAP's books, SAP cannot be asked, and a person reads the document there."""
    section = page("An outcome that nobody knows")
    async with silent_erp(group, ACCRUAL) as (reference, found):
        [booked] = found["booked"]
        assert found["effect"] in await section.run()
        amount = f"EUR {booked['detail']['amount']}"
        said = {"0100000042": booked["key"], "EUR 9.47": amount}
        assert "posted" in await section.run(effect=found["effect"], **said)

    await group.until(reference, "completed")
    rows = [x for x in await group.journal("sap-1", ACCRUAL) if found["object"] in str(x)]
    assert len(rows) == 1
    section.ended()


async def test_five_hundred_at_once(group: Group, page: Any) -> None:
    """One case, one replay: each of five hundred is booked once, and says so."""
    section = page("Five hundred at once")
    await define(group, "CRT-7", "EA")
    await group.story("item/CRT-7")
    await receipts(group, "CRT-7", "CR", MANY)
    case = await until_blocked(group, "stock/SITE1/CRT-7", "unit", MANY)
    assert "CRT-7 has the units EA" in await section.run(case=case)

    await section.run()
    assert f"{MANY}" in await section.run(case=case)
    ran = await section.run(case=case)
    await until_balance(group, "CRT-7", "SITE1", available=MANY * 30)

    number = re.search(r"R-\d+", ran)
    assert number is not None, ran
    await section.run(replay=number[0])
    shown = group.api.hub.crossdock("replay", "show", number[0], "--json")
    assert json.loads(shown.stdout)["counts"] == {"done": MANY}
    assert "unit" not in {x["cause"] for x in await group.cases("stock/SITE1/CRT-7")}
    assert await broken_law(group) == []
    section.ended()
