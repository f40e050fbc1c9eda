-- name: balances
select b.id, b.item, b.location, b.lot, b.owner, b.possessor, b.unit, b.available, b.soft_claim, b.firm_claim, b.allocated,
    b.picked, b.quarantine, b.damaged, b.returned, b.in_transit_out, b.in_transit_in, b.expected, b.may_be_negative, b.version, b.updated_at
from stock_balance b
where b.item = $1
order by b.location, b.lot, b.owner, b.possessor
limit $2

-- name: stamp
select clock_timestamp() as now, coalesce(pg_sequence_last_value(pg_get_serial_sequence('stock_entry', 'id')), 0) as position,
    n.events, n.oldest
from (
    select count(*) as events, min(recorded_at) as oldest
    from (
        select e.recorded_at from partition c
        join event e on e.p = c.p and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id) limit $1
    ) behind
) n

-- name: later
select e.balance, e.from_bucket, e.to_bucket, sum(e.quantity) as quantity, count(*) as entries
from stock_entry e
where e.balance = any($1) and (e.occurred_at > $2 or e.recorded_at > $3)
group by e.balance, e.from_bucket, e.to_bucket

-- name: kept_since
select coalesce(min(substring(relname from 'stock_entry_(\d+)$')::int), 0) as segment
from pg_class where relkind = 'r' and relname ~ '^stock_entry_\d+$'

-- name: entries
select e.id, e.segment, b.location, b.lot, b.owner, b.possessor, b.unit, e.from_bucket, e.to_bucket, e.quantity, e.cause,
    e.thread, t.thread_key, e.claim, e.occurred_at, e.recorded_at, e.cost_layer, e.cost_currency
from stock_balance b
cross join lateral (
    select * from stock_entry
    where balance = b.id and id < $2 and ($6::text = '' or $6 in (from_bucket, to_bucket))
    order by id desc limit $7
) e
left join thread_state t on t.thread = e.thread
where b.item = $1 and ($3::text is null or b.location = $3) and ($4::text is null or b.lot = $4)
    and ($5::text is null or b.owner = $5)
order by e.id desc
limit $7

-- name: causes
select distinct on (thread, event_id) thread, event_id, type, source from event
where thread = any($1) and event_id = any($2) and segment >= $3

-- name: known
select exists (select 1 from stock_balance where item = $1)
