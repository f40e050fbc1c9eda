-- name: targets
select a.name, a.failing_since, a.last_failure, a.last_success_at, a.lease_until > clock_timestamp() as owned,
    p.lanes as parked_lanes, p.effects as parked_effects, p.oldest as parked_since, p.thread as parked_thread
from account a
cross join lateral (
    select count(distinct lane) filter (where mode <> 3) as lanes, count(*) as effects, min(journaled_at) as oldest,
        (array_agg(thread_key order by journaled_at))[1] as thread
    from (select lane, mode, journaled_at, thread_key from effect where account = a.name and state in (5, 6) limit $1) parked
) p
order by a.name

-- name: subscribers
select name, coalesce(disabled_at, failing_since) as failing_since, last_failure, last_success_at,
    lease_until > clock_timestamp() as owned, delivered, next_at
from subscription where lease_until > clock_timestamp() - interval '1 minute' order by name

-- name: asked
select system, list, found, last_found_at, revived, last_revived_at, read_at, troubled_since, trouble
from backfill order by system, list

-- name: flows
select a.name as account, f.*
from account a
cross join lateral (
    select kind, count(*) as waiting, min(journaled_at) as oldest, (array_agg(thread_key order by journaled_at))[1] as thread,
        (array_agg(reason order by journaled_at))[1] as reason, min(next_at) as next_at
    from (
        select kind, journaled_at, thread_key, reason, next_at
        from effect where account = a.name and state < 5 order by xid, seq limit $1
    ) open
    group by kind
) f
order by f.oldest

-- name: owners
select owner, count(*) as count, min(opened_at) as oldest, min(id) as first
from (
    select owner, opened_at, id from cases where state = 'open' and not coalesce(snoozed_until > clock_timestamp(), false) limit $1
) open
group by owner order by count(*) desc, owner

-- name: waiting
select kind, phase, waiting_on, owner, count(*) as count, min(waiting_since) as oldest,
    (array_agg(thread order by waiting_since))[1] as thread
from (select kind, phase, waiting_on, owner, waiting_since, thread from thread_state where not done and kind = any($1) limit $2) open
group by kind, phase, waiting_on, owner
order by count(*) desc limit 30

-- name: totals
select clock_timestamp() as now,
    coalesce((select last_value from pg_sequences where sequencename = 'event_id_seq'), 0) as appended,
    (select coalesce(sum(delivered), 0)::bigint from account) as delivered,
    coalesce(sum(position), 0)::bigint as processed, max(processed_at) as processed_at,
    count(*) filter (where lease_until < clock_timestamp()) as unowned
from partition

-- name: samples
select at, appended, processed, delivered from throughput where tick >= extract(epoch from clock_timestamp())::bigint / 10 - $1::bigint
order by tick

-- name: lag
select count(*) as events, min(recorded_at) as oldest
from (
    select e.recorded_at from partition c
    join event e on e.p = c.p and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id) limit $1
) behind

-- name: empty
select not exists (select 1 from thread_state) as empty

-- name: stamp
select (select max(tick) from throughput) as tick, (select max(processed_at) from partition) as processed_at,
    (select max(id) from cases) as last_case,
    (select count(*) from (
        select 1 from cases where state = 'open' and not coalesce(snoozed_until > clock_timestamp(), false) limit 1000
    ) n) as cases,
    (select md5(string_agg(name || coalesce(failing_since::text, ''), ' ' order by name)) from account) as accounts,
    (select md5(string_agg(name || coalesce(failing_since::text, ''), ' ' order by name)) from subscription) as subscribers,
    (select md5(string_agg(id || '.' || version, ' ' order by id)) from hold where lifted_at is null) as holds
