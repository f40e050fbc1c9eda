-- name: open
select a.name as account, f.*
from account a
cross join lateral (
    select id, kind, thread_key, lane, seq, state, attempts, journaled_at
    from effect where account = a.name and state < 5 and ($1 = '' or a.name = $1) order by xid, seq limit $2
) f

-- name: ended
select h.id, h.mode, h.scope, h.name, h.kind, h.reason, h.owner, h.who, h.placed_at, h.version,
    least(h.lifted_at, e.ends_at) as ended_at, coalesce(h.lifted_by, '') as ended_by,
    coalesce(h.lifted_because, 'its time was up') as ended_because
from hold h cross join hub u
cross join lateral (select u.clock_real_at + (h.until_at - u.clock_business_at) / u.clock_rate as ends_at) e
where (h.lifted_at is not null or e.ends_at <= clock_timestamp()) and ($1 = 0 or h.id < $1)
order by h.id desc limit $2
