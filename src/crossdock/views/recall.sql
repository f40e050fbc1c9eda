-- name: traced
select thread, thread_key, kind, state, phase, waiting_on, waiting_since, done, updated_at
from thread_state
where thread > $2 and (lots && $1::text[] or (lots is null and kind in ('shipment', 'return')))
    and kind in ('shipment', 'return', 'elsewhere')
order by thread limit $3

-- name: orders
select thread, thread_key, kind, state from thread_state where thread = any($1) and kind = 'order'

-- name: set_aside
select c.thread_key, l.quantity - l.posted - l.released as quantity, b.unit, b.location
from stock_balance b join claim_line l on l.balance = b.id join claim c on c.id = l.claim
where b.item = $1 and b.lot = $2 and l.posted + l.released < l.quantity
order by c.thread_key, b.location limit $3

-- name: in_work
select thread_key, state, kind from thread_state where lots @> array[$1::text] and kind = 'order' order by thread_key limit $2

-- name: recalled
select reason, who, recalled_at from recall where item = $1 and lot = $2

-- name: pieces
select thread_key, kind, state from thread_state where thread = any($1)
