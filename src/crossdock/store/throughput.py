"""Samples of the hub's counters: how many events came in and were processed, how many effects were confirmed."""

from crossdock.store.pool import Connection

TICK_SECONDS = 10
KEPT_TICKS = 3 * 3600 // TICK_SECONDS
_NOTE = """
with sample as (
    insert into throughput (tick, appended, processed, delivered)
    select extract(epoch from clock_timestamp())::bigint / $1::bigint,
        coalesce((select last_value from pg_sequences where sequencename = 'event_id_seq'), 0),
        (select coalesce(sum(position), 0) from partition), (select coalesce(sum(delivered), 0) from account)
    on conflict do nothing returning tick
)
delete from throughput where tick < (select tick from sample) - $2::bigint
"""


async def note(connection: Connection) -> None:
    """Keep this tick's totals, unless another process did; what is older than three hours goes."""
    await connection.execute(_NOTE, TICK_SECONDS, KEPT_TICKS)
