-- name: links
select case_id, thread, thread_key, key from case_link
where case_id = any($1) and closed_at is null order by case_id, opened_at limit 5000

-- name: effects
select id, kind, account, object, thread_key, state, attempts from effect where id = any($1)
