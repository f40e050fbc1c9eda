"""Running the day: hub and twins up, orders placed, faults on and off, an operator at work, the books compared."""

import asyncio
import json
import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp

from crossdock.client import Client, Refused, Unreachable
from crossdock.demo import goods_books, landscape, packing, trade
from crossdock.demo.books import Findings, compare, from_two_sites, labelled_again, read_books
from crossdock.demo.stage import Stage, phases_of, say
from crossdock.demo.twins import Twins
from crossdock.runtime.hub import Hub, load_hub

DRAIN_SECONDS = 60.0
OPERATE_EVERY = 4
"""So many looks at what is left go by before the operator tries again."""
WAVE = 20
NOT_LEFT = ("packed", "labelled", "cancelled")
ARRIVED = ("delivered", "returned", "lost")
HELD_BACK_SECONDS = 0.6
"""So long a shop's message is under way whose order somebody else must hear of first."""
ASK_SECONDS = 10.0
"""How often a shop is asked what changed: a day of trade here is a minute."""
Progress = Callable[[str, int, int], None]
"""(stage, done, of)"""


@dataclass
class Report:
    """What the demo ends with."""

    orders: int = 0
    completed: int = 0
    cancelled: int = 0
    rejected: int = 0
    open: int = 0
    refused_for_good: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    duplicated_effects: int = 0
    lost_events: int = 0
    order_violations: int = 0
    seconds: float = 0.0
    seed: int = 0
    first_order_seconds: float = 0.0
    lines_from_two_sites: int = 0
    labels_made_again: int = 0

    @property
    def good(self) -> bool:
        ended = self.completed + self.cancelled + self.rejected + self.open
        return (
            not self.differences and self.duplicated_effects == 0 and self.lost_events == 0 and self.order_violations == 0
            and self.open == len(self.refused_for_good) and ended == self.orders
        )  # fmt: skip

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def free_block(length: int) -> int:
    """The first of `length` consecutive free ports; where to begin is chance, so that hubs made at once keep apart.

    Below the ports that systems give to outgoing connections (Linux: from 32768): one of those could take it before us.
    """
    blocks = range(10000, 32768 - length, length)
    for start in random.Random().sample(blocks, len(blocks)):
        try:
            held = []
            for port in range(start, start + length):
                one = socket.socket()
                held.append(one)
                one.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return start
        finally:
            for one in held:
                one.close()
    raise OSError("no free block of ports")


def prepare(
    folder: Path, *, port: int | None = None, settings: dict[str, Any] | None = None, group: bool = False
) -> Hub:
    """A landscape in `folder`, made if there is none: one company, or with `group` two of them."""
    if not (folder / "hub.yaml").exists():
        start = port or free_block(16)
        write = landscape.write_group if group else landscape.write
        write(folder, hub_port=start, system_port=start + 1, settings=settings)
        landscape.ask_shops(folder, ASK_SECONDS)
    return load_hub(folder)


async def open_stage(hub: Hub, *, seed: int, pace_seconds: float) -> Stage:
    """Start twins and hub; master data is put into the twins' books once."""
    url = f"http://{hub.settings.bind}:{hub.settings.port}"
    twins = Twins(hub, url, seed=seed, pace_seconds=pace_seconds)
    stage = Stage(hub, twins, await _entered(hub, url))
    try:
        await _start(stage, url)
    except BaseException:
        await stage.close()
        raise
    return stage


async def _start(stage: Stage, url: str) -> None:
    stage.start_hub()
    await stage.twins.start()
    await stage.until_ready()
    await stage.client.__aexit__()
    stage.client = await _entered(stage.hub, url)  # a new hub's token is there now
    if not await stage.twins.get("wms-1", "/_twin/stock"):
        await _open_books(stage)
        await _until_stock(stage)


async def _open_books(stage: Stage) -> None:
    """Master data and opening stock, as each kind of system keeps them."""
    for name, process in stage.twins.processes.items():
        match process.connector:
            case "sap_s4":
                await stage.twins.send("PUT", name, "/_twin/materials", trade.materials())
                await stage.twins.send("PUT", name, "/_twin/material_stock", trade.plant_stock())
            case "shopify" | "woocommerce":
                await stage.twins.send("PUT", name, "/_twin/products", trade.products())
            case "amazon_marketplace":
                await stage.twins.send("PUT", name, "/_twin/plans", trade.MARKET_PLANS)
                listings = {sku: {"quantity": None} for sku in trade.products()}
                await stage.twins.send("PUT", name, "/_twin/listings", listings)
            case "manhattan_wms":
                await stage.twins.send("PUT", name, "/_twin/stock", trade.stock())
                await stage.twins.send("PUT", name, "/_twin/substitutes", trade.SUBSTITUTES)


async def _entered(hub: Hub, url: str) -> Client:
    client = Client(hub.folder, url=url)
    return await client.__aenter__()


async def _until_stock(stage: Stage) -> None:
    """Opening stock must be in the ledger before the first order asks for it."""
    for _ in range(300):
        found = await stage.client.get("/v1/threads", kind="stock", limit="500")
        sites = sum(process.connector == "manhattan_wms" for process in stage.twins.processes.values())
        if len(found["threads"]) >= sites * len(trade.stock()):
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the opening stock did not arrive")


async def place(stage: Stage, wish: trade.Wish) -> str:
    """One order into the shop, and what happens to it there; returns its reference."""
    spec = wish.spec if wish.suspected_for is None else wish.spec | {"hold_seconds": HELD_BACK_SECONDS}
    [made] = await stage.twins.send_surely("POST", wish.shop, "/_twin/orders", {"orders": [spec]})
    reference, order = f"{wish.shop}/{made['id']}", f"/_twin/orders/{made['id']}"
    stage.placed[reference] = wish
    if wish.cancel_after is not None:
        await asyncio.sleep(wish.cancel_after)
        await stage.twins.send_surely("POST", wish.shop, f"{order}/cancel", {})
    if wish.change_after is not None:
        await asyncio.sleep(wish.change_after)
        await stage.twins.send_surely("POST", wish.shop, f"{order}/edit", dict(wish.change))
    if wish.suspected_for is not None:
        await _suspect(stage, f"order/{reference}", wish.suspected_for)
    if wish.label_torn:
        await packing.tear(stage, reference)
    return reference


async def _suspect(stage: Stage, thread: str, seconds: float) -> None:
    """The fraud desk hears of it before the hub does, and lets it go later."""
    number = thread.rpartition("/")[2]
    doubt = {"hold": "fraud", "reason": "many orders to one address", "owner": "fraud desk"}
    await say(stage, "fraud-desk", thread, "order.held.v1", doubt, f"{number}-held")
    await asyncio.sleep(seconds)
    clear = {"hold": "fraud", "by": "fraud desk"}
    await say(stage, "fraud-desk", thread, "order.holdReleased.v1", clear, f"{number}-released")


async def place_all(stage: Stage, wishes: list[trade.Wish], per_second: float, progress: Progress) -> None:
    """Orders at a steady rate, whatever happens downstream."""
    tasks: list[asyncio.Task[str]] = []
    began = monotonic()
    for number, wish in enumerate(wishes):
        if wish.credit:
            # The ERP must know before the order asks; references come with placing, so these go one by one.
            await _place_blocked(stage, wish)
        else:
            tasks.append(asyncio.create_task(place(stage, wish)))
        progress("orders placed", number + 1, len(wishes))
        due = began + (number + 1) / per_second
        await asyncio.sleep(max(0.0, due - monotonic()))
    await asyncio.gather(*tasks)


async def _place_blocked(stage: Stage, wish: trade.Wish) -> None:
    """Credit is refused by customer number's order reference, which the shop tells when it takes the order."""
    [made] = await stage.twins.send_surely(
        "POST", "shopify-eu", "/_twin/orders", {"orders": [wish.spec | {"hold_seconds": HELD_BACK_SECONDS}]}
    )
    reference = f"shopify-eu/{made['id']}"
    await stage.twins.send_surely("PUT", "sap-1", "/_twin/credit", {"blocked_references": [reference]})
    stage.placed[reference] = wish


async def drain(
    stage: Stage, progress: Progress, seconds: float = DRAIN_SECONDS, excused: Callable[[], Awaitable[int]] | None = None
) -> None:  # fmt: skip
    """Faults are off: release what may be released, retry what was refused, wait until all is settled.

    `excused`: how many effects may stay open, since only a person outside can settle them.
    """
    for reference, wish in stage.placed.items():
        if wish.credit == "released":
            await stage.twins.send_surely("POST", "sap-1", "/_twin/credit/release", {"reference": reference})
    end = monotonic() + seconds
    for turn in count():
        if monotonic() >= end:
            return
        try:
            left = await _left(stage) - (await excused() if excused else 0)
            if left > 0 and turn % OPERATE_EVERY == 0:
                await _operate(stage)
        except (Unreachable, Refused, aiohttp.ClientError, TimeoutError):
            left = -1
        progress("draining, still open", max(0, left), 0)
        if left == 0:
            return
        await asyncio.sleep(1.0)


async def _operate(stage: Stage) -> None:
    """What a person does: look at the cases, and try again what can be tried again."""
    found = await stage.client.get("/v1/cases")
    for case in found["cases"]:
        if case["blocked"]:
            await stage.client.post(
                f"/v1/cases/{case['id']}/retry", {"reason": "the cause is gone"}, accept=(202, 404)
            )


async def _left(stage: Stage) -> int:
    """Open orders that should end, goods on the road, effects and callbacks under way."""
    phases = await phases_of(stage)
    unfinished = 0
    for reference, wish in stage.placed.items():
        # Refused for good: settled while it is held, not while it is being checked once more.
        ends = ("held",) if wish.credit == "blocked" else ("completed", "cancelled", "rejected")
        unfinished += phases.get(reference) not in ends
    waiting = 0
    for name in stage.twins.processes:
        waiting += (await stage.twins.get(name, "/_twin/outbox"))["waiting"]
    metrics = await stage.client.get("/metrics")
    effects = sum(int(float(line.split()[1])) for line in metrics.splitlines() if line.startswith("crossdock_effects_open "))  # fmt: skip
    return int(unfinished + waiting + effects) + await _travelling(stage) + await _moving(stage)


async def _travelling(stage: Stage) -> int:
    """Shipments that left and did not arrive: an order that is billed at its goods issue is completed before they do."""
    found = await stage.client.get("/v1/threads", kind="shipment", done="false", limit="500")
    return sum(row["phase"] not in (*NOT_LEFT, *ARRIVED) for row in found["threads"])


async def _moving(stage: Stage) -> int:
    """Goods that come in, go between sites or came back, and are not settled."""
    return sum([
        len((await stage.client.get("/v1/threads", kind=kind, done="false", limit="500"))["threads"])
        for kind in ("inbound", "transfer", "return")
    ])  # fmt: skip


async def report(stage: Stage, began: float, seed: int) -> tuple[Report, Findings]:
    """Compare the books, and count where the hub says its orders stand."""
    refused = sorted(r for r, wish in stage.placed.items() if wish.credit == "blocked")
    books = await read_books(stage.twins)
    findings = compare(books, set(refused))
    goods_books.compare(books, findings)
    phases = await phases_of(stage)
    counts = Counter(phases.get(reference, "lost") for reference in stage.placed)
    ended = {name: counts.pop(name, 0) for name in ("completed", "cancelled", "rejected")}
    lost = counts.pop("lost", 0)
    differences = [*findings.differences, *([f"{lost} placed orders are unknown to the hub"] if lost else [])]
    made = Report(
        orders=len(stage.placed), open=sum(counts.values()), refused_for_good=[r for r in refused if phases.get(r) == "held"],
        differences=differences, duplicated_effects=len(findings.doubled), lost_events=len(findings.lost),
        order_violations=len(findings.violations), lines_from_two_sites=from_two_sites(books), labels_made_again=labelled_again(books), seconds=round(monotonic() - began, 1), seed=seed, **ended,
    )  # fmt: skip
    return made, findings
