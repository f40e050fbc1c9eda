-- name: standing
select l.no, l.hash, l.sealed_at, l.xid_to,
    c.no as checkpoint, c.link as checkpoint_link, c.made_at, c.sent_at, c.trouble,
    (select count(*) from audit_checkpoint where sent_at is null) as unsent, clock_timestamp() as now
from (select 1) as one
left join lateral (select no, hash, sealed_at, xid_to from audit_link order by no desc limit 1) l on true
left join lateral (select no, link, made_at, sent_at, trouble from audit_checkpoint order by no desc limit 1) c on true

-- name: oldest_unsealed
select min(at) from (
    (select e.recorded_at as at from generate_series(0, 63) as n (p) cross join lateral (
        select recorded_at from event
        where event.p = n.p::smallint and generation = (select generation from hub) and xid > $1 and segment >= $2
        order by generation, xid, id limit 1) e)
    union all
    (select at from operator_action where xid > $1::xid8::text::bigint order by xid limit 1)
) u
