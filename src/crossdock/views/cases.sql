-- name: list_cases
select c.*, (select count(*) from case_link l where l.case_id = c.id and l.closed_at is null) as blocked,
    c.state = 'open' and c.due_at < clock_timestamp() as overdue
from cases c
where ($1 = '' or c.state = $1) and ($2::bigint = 0 or c.id < $2) and ($4 = '' or c.owner = $4)
    and ($5 = '' or c.assignee = $5 or ($5 = '-' and c.assignee is null)) and ($6 = '' or c.class = $6) and ($7 = '' or c.cause = $7)
    and ($8 = '' or $8 = any(c.tags)) and (not $9 or (c.state = 'open' and c.due_at < clock_timestamp()))
    and ($10 = 'with' or (coalesce(c.snoozed_until > clock_timestamp(), false)) = ($10 = 'only'))
order by c.id desc
limit $3

-- name: one_case
select c.*, c.state = 'open' and c.due_at < clock_timestamp() as overdue,
    (select count(*) from cases b where b.fingerprint = c.fingerprint and b.id <> c.id) as opened_before,
    (select max(b.opened_at) from cases b where b.fingerprint = c.fingerprint and b.id <> c.id) as last_opened_at
from cases c where c.id = $1

-- name: blocked
select count(*) as links, count(distinct l.thread) as threads, count(e.id) as effects, min(l.opened_at) as oldest
from case_link l left join effect e on e.id = case when l.key ~ '^[0-9a-f-]{36}$' then l.key::uuid end and e.state in (5, 6)
where l.case_id = $1 and l.closed_at is null

-- name: case_links
select l.thread_key, l.key, l.opened_at, l.closed_at, e.kind, e.account, e.object, e.state, e.reason, t.parked, t.done, t.phase
from case_link l
left join effect e on e.id = case when l.key ~ '^[0-9a-f-]{36}$' then l.key::uuid end
left join thread_state t on t.thread = l.thread
where l.case_id = $1 order by l.closed_at is not null, l.opened_at limit 500

-- name: worth
select distinct on (t.thread) t.thread, t.thread_key, t.kind, t.state, t.version
from case_link l join thread_state t on t.thread = l.thread
where l.case_id = $1 and l.closed_at is null and t.kind in ('order', 'shipment') limit $2

-- name: orders_of
select thread, thread_key, kind, state, version from thread_state where thread = any($1)

-- name: notes
select at, who, action, note from case_note where case_id = $1 order by id desc limit 200
