-- name: list_threads
select thread_key, kind, phase, waiting_on, waiting_since, owner, done, parked, updated_at
from thread_state
where kind = $1 and ($2 = '' or phase = $2) and ($3::boolean is null or done = $3) and thread_key > $4
order by thread_key
limit $5

-- name: count_phases
select phase, done, count(*) as count from thread_state where kind = $1 group by phase, done order by phase

-- name: states
select thread_key, kind, state from thread_state where thread = any($1)
