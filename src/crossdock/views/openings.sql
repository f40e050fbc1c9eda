-- name: kept
select b.item, b.location, b.lot, b.owner, min(e.occurred_at) as since
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) as k (item, location, lot, owner, as_of)
join stock_balance b using (item, location, lot, owner)
join stock_entry e on e.balance = b.id
where b.possessor = '' and e.occurred_at < k.as_of
group by b.item, b.location, b.lot, b.owner

-- name: threads
select thread_key, kind, state from thread_state where thread = any($1)
