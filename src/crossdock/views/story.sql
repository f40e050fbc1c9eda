-- name: threads
select thread, thread_key, kind, version, state, phase, waiting_on, waiting_since, owner, done, parked, first_segment,
    updated_at, clock_timestamp() as now, (select clock_rate from hub) as clock_rate
from thread_state where thread = any($1)

-- name: events
select e.*
from unnest($1::bytea[]) as t (thread)
cross join lateral (
    select segment, p, generation, xid, id, thread, thread_key, type, event_id, source, sequence, about, effect, cause,
        message, occurred_at, recorded_at, data, sealed is not null as personal, sealed, subject
    from event
    where event.thread = t.thread and segment >= $2 and ($3::timestamptz is null or recorded_at <= $3)
    order by generation desc, xid desc, id desc
    limit $4
) e

-- name: effects
select f.*
from unnest($1::bytea[]) as t (thread)
cross join lateral (
    select id, thread, thread_key, kind, account, object, generation, state, attempts, next_at, journaled_at, settled_at,
        document, reason, segment, seq, lane
    from effect
    where effect.thread = t.thread and ($2::timestamptz is null or journaled_at <= $2)
    order by seq desc limit $3
) f

-- name: attempts
select a.effect, a.no, a.purpose, a.started_at, a.ended_at, a.outcome, a.reason, a.answer is not null as answered
from unnest($1::uuid[], $2::int[]) as f (id, segment)
join attempt a on a.effect = f.id and a.segment >= f.segment
order by a.started_at desc
limit $3

-- name: cases
select c.id, c.class, c.cause, c.title, c.detail, c.owner, c.opened_at, c.recurrences, l.thread_key, l.key
from case_link l join cases c on c.id = l.case_id
where l.thread = any($1) and l.closed_at is null and c.state = 'open'
order by c.id
limit 50

-- name: timers
select t.name, h.clock_real_at + (t.due_at - h.clock_business_at) / h.clock_rate as due_at
from timer t, hub h where t.thread = $1 order by 2 limit 5

-- name: accounts
select name, failing_since, last_failure from account where failing_since is not null

-- name: parked_count
select count(*) from parked_event where thread = $1

-- name: stamp
select t.thread, e.id as event, f.effects, f.attempts, f.states,
    (select count(*) from case_link l where l.thread = t.thread and l.closed_at is null) as cases
from unnest($1::bytea[]) as t (thread)
left join lateral (
    select id from event where event.thread = t.thread and segment >= $2 order by generation desc, xid desc, id desc limit 1
) e on true
left join lateral (
    select count(*) as effects, sum(attempts) as attempts, sum(state) as states
    from (select attempts, state from effect where effect.thread = t.thread order by seq desc limit 100) newest
) f on true
order by t.thread
