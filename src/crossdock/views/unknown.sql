-- name: unknown
select f.id, f.seq, f.kind, f.account, f.object, f.thread, f.thread_key, f.state, f.attempts, f.journaled_at, f.next_at, f.reason,
    f.segment, r.who as asked_by, r.reason as asked_because, r.at as asked_at,
    (select l.case_id from case_link l where l.thread = f.thread and l.key = f.id::text and l.closed_at is null limit 1) as case_id
from effect f left join post_request r on r.effect = f.id
where f.state in (3, 6) and f.seq > $1 order by f.seq limit $2

-- name: tries
select a.effect, a.no, a.purpose, a.started_at, a.outcome, a.reason
from unnest($1::uuid[], $2::int[]) as f (id, segment)
join attempt a on a.effect = f.id and a.segment >= f.segment
order by a.started_at limit 2000
