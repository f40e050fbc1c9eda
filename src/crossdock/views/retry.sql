-- name: effects
select id, kind, account, object, thread_key, state, attempts from effect where id = any($1)

-- name: case
select id, title, state from cases where id = $1
