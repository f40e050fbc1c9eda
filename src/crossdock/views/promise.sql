-- name: balances
select b.location, b.lot, b.owner, b.unit, b.available, b.expires_on, b.shown ->> $3 as shown
from stock_balance b
where b.item = $1 and b.location = any($2) and b.possessor = ''

-- name: coming
select kind, thread_key, state from thread_state
where kind in ('inbound', 'transfer') and not done
order by thread_key
limit $1

-- name: backordered
select kind, thread_key, state from thread_state
where kind = 'order' and not done and waiting_on = 'stock for what is backordered'
order by thread_key
limit $1
