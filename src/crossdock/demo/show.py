"""What a person sees of the demo: stages with progress, an address to open, and the comparison at the end."""

import asyncio
import signal
import sys
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.client import read_status
from crossdock.demo import goods, landscape, trade
from crossdock.demo.books import Findings
from crossdock.demo.day import Report, drain, open_stage, place_all, prepare, report
from crossdock.demo.stage import Stage, phases_of
from crossdock.errors import Conflict
from crossdock.runtime.hub import load_hub

PACE_SECONDS = 0.25
TRICKLE_SECONDS = 5.0
FIRST_ORDER_SECONDS_MAX = 120.0


async def run(folder: Path, *, orders: int, seed: int, leave: bool, as_json: bool, began: float) -> bool:
    """The whole demo; True when the books tie."""
    screen = Console(stderr=True, highlight=False)
    me, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert me is not None
    for number in (signal.SIGTERM, signal.SIGINT):  # whoever ends it: hub and twins end with it
        loop.add_signal_handler(number, me.cancel)
    if read_status(folder) is not None:
        raise Conflict(
            f"the hub in {folder} is running already: end that demo, or: crossdock down --hub {folder}"
        )
    fresh = not (folder / "hub.yaml").exists()
    hub = prepare(folder, port=None if leave else 8400, settings={"business_clock_rate": 20.0}, group=True)
    if fresh:
        landscape.compare_nightly(folder)
        hub = load_hub(folder)
    screen.print(f"Starting hub and {len(hub.landscape.systems)} twins in {folder} …")
    stage = await open_stage(hub, seed=seed, pace_seconds=PACE_SECONDS)
    try:
        if not leave:
            _say_where(screen, stage)
        if not fresh and not leave:
            screen.print("This hub has traded before; its data is there. A trickle of orders follows.")
            return await _trickle(screen, stage, seed)
        made, findings = await _day(screen, stage, orders, seed, began)
        _show(screen, made, findings)
        if as_json:
            sys.stdout.write(made.as_json() + "\n")
        if leave:
            return made.good
        return await _trickle(screen, stage, seed + 1)
    finally:
        await stage.close()


def _say_where(screen: Console, stage: Stage) -> None:
    url = f"http://{stage.hub.settings.bind}:{stage.hub.settings.port}"
    screen.print(f"\n  Console  [bold]{url}/[/bold]")
    screen.print(f"  Token    {(stage.hub.private / 'operator.token').read_text().strip()}")
    screen.print(
        "  Try      find an order by its number (#1001), a shipment (S-1) or a tracking number (1Z…)\n"
    )


async def _day(
    screen: Console, stage: Stage, orders: int, seed: int, began: float
) -> tuple[Report, Findings]:
    wishes = trade.group_wishes(orders, seed)
    with Progress(
        TextColumn("{task.description:28}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn(), console=screen, transient=False,
    ) as bars:  # fmt: skip
        tasks = {}

        def progress(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of or None)
            bars.update(tasks[name], completed=done)

        first = asyncio.create_task(_first_order(stage, began))
        others = asyncio.create_task(goods.move(stage, seed))
        await stage.twins.quirks(trade.GROUP_FAULTS)
        await place_all(stage, wishes, per_second=max(8.0, orders / 60), progress=progress)
        seconds = await first
        await others
        await asyncio.sleep(2.0)
        await stage.twins.calm()
        await drain(stage, progress)
        differing = await goods.night(stage)
    made, findings = await report(stage, began, seed)
    made.differences += differing
    made.first_order_seconds = seconds
    return made, findings


async def _first_order(stage: Stage, began: float) -> float:
    """Seconds from the command to the first invoiced order."""
    while monotonic() - began < FIRST_ORDER_SECONDS_MAX:
        if stage.placed and "completed" in (await phases_of(stage)).values():
            return round(monotonic() - began, 1)
        await asyncio.sleep(0.5)
    return 0.0


def _show(screen: Console, made: Report, findings: Findings) -> None:
    """The day in words, and every difference by name."""
    screen.print(
        f"\n{made.orders} orders: {made.completed} delivered and invoiced, {made.cancelled} cancelled,"
        f" {made.rejected} rejected, {made.open} open. Seed {made.seed}, {made.seconds} s;"
        f" first order invoiced after {made.first_order_seconds} s."
    )
    screen.print(
        f"Served from two sites: {made.lines_from_two_sites}. Labels made again: {made.labels_made_again}."
    )
    for reference in made.refused_for_good:
        screen.print(f"  open, as injected: {reference}, credit refused for good")
    screen.print(
        f"Books compared: {made.lost_events} lost, {made.duplicated_effects} doubled, {made.order_violations} out of order,"
        f" {len(made.differences)} differences."
    )
    for line in (
        *findings.lost[:20],
        *findings.doubled[:20],
        *findings.violations[:20],
        *made.differences[:20],
    ):
        screen.print(f"  {line}", style="red")


async def _trickle(screen: Console, stage: Stage, seed: int) -> bool:
    """Keep trading slowly until somebody stops it, so that the console has something to show."""
    from crossdock.demo.day import place

    screen.print(
        "\nOrders keep trickling in. Ctrl-C stops the demo; `make demo` brings it back with its data."
    )
    number = 0
    while True:
        for wish in trade.wishes(50, seed * 1000 + number):
            if not wish.credit:
                await place(stage, wish)
            await asyncio.sleep(TRICKLE_SECONDS)
        number += 1
