"""The ledger's law: its entries alone lead to every balance, each names its cause, and what stands in the claims' buckets
is what open claims hold. For tests, `prove` and `doctor`.
"""

from crossdock.store.pool import Connection
from crossdock.store.stock import BUCKETS

DIFFERENCES_MAX = 100
_VALUES = ", ".join(f"('{bucket}', b.{bucket})" for bucket in BUCKETS)
_ENTRIES = f"""
select b.item, b.location, b.lot, v.bucket, v.quantity, coalesce(e.quantity, 0) as entries
from stock_balance b cross join lateral (values {_VALUES}) as v (bucket, quantity)
left join (
    select balance, bucket, sum(quantity) as quantity from (
        select balance, to_bucket as bucket, quantity from stock_entry
        union all select balance, from_bucket, -quantity from stock_entry
        union all select balance, bucket, quantity from stock_opening
    ) as moved group by balance, bucket
) e on e.balance = b.id and e.bucket = v.bucket
where v.quantity <> coalesce(e.quantity, 0) order by b.item, b.location, b.lot limit {DIFFERENCES_MAX}
"""
_CLAIMS = f"""
select b.item, b.location, b.lot, v.bucket, v.quantity, coalesce(c.quantity, 0) as claims
from stock_balance b cross join lateral (values ('soft_claim', b.soft_claim), ('firm_claim', b.firm_claim)) as v (bucket, quantity)
left join (
    select l.balance, c.kind || '_claim' as bucket, sum(l.quantity - l.posted - l.released) as quantity
    from claim_line l join claim c on c.id = l.claim where l.posted + l.released < l.quantity group by 1, 2
) c on c.balance = b.id and c.bucket = v.bucket
where v.quantity <> coalesce(c.quantity, 0) order by b.item, b.location, b.lot limit {DIFFERENCES_MAX}
"""
_ENDED = f"""
select c.id, c.state from claim c where (c.ended_at is null) <> exists (
    select from claim_line l where l.claim = c.id and l.posted + l.released < l.quantity) order by c.id limit {DIFFERENCES_MAX}
"""


async def differences(connection: Connection) -> list[str]:
    """What breaks the law, in words; empty where it holds. Reads every entry there is, in one snapshot.

    Raises `QueryCanceledError` where that takes too long.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("set local transaction_timeout = '2min'")
        await connection.execute("set local statement_timeout = '20s'")
        entries = await connection.fetch(_ENTRIES)
        claims = await connection.fetch(_CLAIMS)
        ended = await connection.fetch(_ENDED)
        nameless = await connection.fetchval("select count(*) from stock_entry where cause = ''")
    found = [
        f"{r['item']} at {r['location']} {r['lot']}: {r['quantity']} {r['bucket']}, but its entries say {r['entries']}"
        for r in entries
    ]
    found += [
        f"{r['item']} at {r['location']} {r['lot']}: {r['quantity']} {r['bucket']}, but open claims hold {r['claims']}"
        for r in claims
    ]
    found += [f"claim {r['id']} is {r['state']}, which its lines do not say" for r in ended]
    return found + ([f"{nameless} entries name no cause"] if nameless else [])
