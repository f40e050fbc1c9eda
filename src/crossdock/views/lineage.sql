-- name: event
select segment, p, generation, xid, id, thread, thread_key, type, event_id, source, sequence, about, effect, cause,
    message, traceparent, occurred_at, recorded_at, data, sealed, subject
from event where segment = $1 and p = $2 and generation = $3 and xid = $4 and id = $5

-- name: history
select segment, p, generation, xid, id, thread, thread_key, type, event_id, source, sequence, about, effect, cause,
    message, traceparent, occurred_at, recorded_at, data, sealed, subject
from event where thread = $1 and segment >= $2
order by generation, xid, id limit $3

-- name: thread
select thread, kind, state, first_segment from thread_state where thread = $1

-- name: message
select m.id, m.system, m.channel, m.direction, m.received_at, m.size, m.headers, m.outcome, m.unmapped, m.sealed, k.wrapped, k.subject, k.destroyed_at
from message m left join message_key k on k.message = m.id
where m.id = $1 limit 1

-- name: effects
select f.id, f.thread, f.thread_key, f.kind, f.account, f.object, f.generation, f.state, f.attempts, f.next_at, f.journaled_at,
    f.settled_at, f.document, f.reason, f.segment, b.connector, b.sealed, b.subject
from effect f left join effect_body b on b.effect = f.id and b.segment = f.segment
where f.id = any($1) order by f.seq

-- name: attempts
select a.effect, a.no, a.purpose, a.started_at, a.ended_at, a.outcome, a.reason, a.answer
from unnest($1::uuid[], $2::int[]) as f (id, segment)
join attempt a on a.effect = f.id and a.segment >= f.segment
order by a.started_at limit 200

-- name: corrections
select id, kind, target, state, content, reason, proposed_by, decided_by, decided_at from correction
where target = any($1) or content = any($2) or id = any($3) order by id
