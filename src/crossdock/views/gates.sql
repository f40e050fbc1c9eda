-- name: threads
select t.thread_key, t.kind, t.state, t.waiting_since, t.number
from thread_state t
where t.kind = any($1) and not t.done
