-- name: threads
select t.thread, t.thread_key, t.kind, t.state, t.phase, t.waiting_on, t.waiting_since, t.owner
from thread_state t
where t.kind = any($1) and (not t.done or t.thread in (
    select distinct e.thread from event e
    where e.segment between $2 and $3 and e.recorded_at >= $4 and e.recorded_at < $5
))

-- name: placed
select distinct e.thread from event e
where e.type = 'order.received.v1' and e.segment between $1 and $2 and e.recorded_at >= $3 and e.recorded_at < $4

-- name: issued
select e.thread, e.thread_key, e.about, e.data, e.recorded_at from event e
where e.type = 'goodsIssue.posted.v1' and e.segment between $1 and $2 and e.recorded_at >= $3 and e.recorded_at < $4

-- name: cases
select l.thread, c.id, c.cause, c.title, c.owner
from case_link l join cases c on c.id = l.case_id
where l.thread = any($1) and l.closed_at is null and c.state = 'open'
order by c.id desc

-- name: strays
select t.thread_key, t.waiting_since from thread_state t
where t.kind = 'identifier' and not t.done and t.thread_key like 'identifier/tracking/%'
order by t.thread_key limit $1
