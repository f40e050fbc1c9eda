"""What must be known of places before the ledger begins there: their items, what they were opened with, since when they are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from crossdock.model.master import ItemDefined
from crossdock.model.stock import StockPlace
from crossdock.model.thread import hash16, stock_thread
from crossdock.processes.master import State as Master
from crossdock.processes.opening import Facts
from crossdock.processes.stock import State as Stock
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks
from crossdock.views.story_material import decode_state

ROWS_MAX: Final = 1_000
_item = msgspec.json.Decoder(ItemDefined).decode


async def read_facts(connection: Connection, wanted: Sequence[tuple[StockPlace, datetime]]) -> Facts:
    """Of these places, each with the instant at which it shall be opened."""
    sql = blocks("openings.sql")
    places = [place for place, _ in wanted]
    keys = {f"item/{place.item}" for place in places} | {stock_thread(x.location, x.item) for x in places}
    columns = [[getattr(place, name) for place in places] for name in ("item", "location", "lot", "owner")]
    kept = await connection.fetch(sql["kept"], *columns, [as_of for _, as_of in wanted])
    items: dict[str, ItemDefined] = {}
    opened: dict[StockPlace, str] = {}
    for row in await connection.fetch(sql["threads"], [hash16(key) for key in keys]):
        match decode_state(row):
            case Master(record=record) if record:
                item = _item(record)
                items[item.item] = item
            case Stock() as state:
                opened |= {x.place: x.mark for x in state.openings}
    return Facts(items, opened, {StockPlace(*row[:4]): row["since"] for row in kept})
