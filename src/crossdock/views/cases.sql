-- name: list_cases
select c.id, c.class, c.cause, c.title, c.detail, c.owner, c.state, c.opened_at, c.closed_at, c.closed_because, c.recurrences,
    (select count(*) from case_link l where l.case_id = c.id and l.closed_at is null) as blocked
from cases c
where ($1 = '' or c.state = $1) and ($2::bigint = 0 or c.id < $2) and ($4 = '' or c.owner = $4)
order by c.id desc
limit $3

-- name: case_links
select thread_key, key, opened_at, closed_at from case_link where case_id = $1 order by opened_at limit 500
