-- name: runs
select r.id, r.system, r.state, r.asked_by, r.asked_at, r.read_at, r.ended_at, r.failed_because, r.counted, r.watermark, r.under_way,
    (select count(*) from reconcile_difference d where d.run = r.id) as differences,
    (select count(*) from reconcile_difference d where d.run = r.id and d.state = 'open') as open
from reconcile_run r
where ($1::bigint = 0 or r.id = $1) and ($2 = '' or r.system = $2)
order by r.id desc
limit $3

-- name: differences
select id, item, location, lot, owner, unit, good, held, cause, evidence, value, currency, state, decided_by, decided_at, reason
from reconcile_difference where run = $1 and id > $2
order by id
limit $3

-- name: agreement
select distinct on (r.system, (r.read_at at time zone 'UTC')::date) (r.read_at at time zone 'UTC')::date as day, r.system, r.id, r.counted,
    r.under_way
from reconcile_run r
where r.state = 'done' and ($1 = '' or r.system = $1) and r.read_at >= clock_timestamp() - make_interval(days => $2)
order by r.system, (r.read_at at time zone 'UTC')::date, r.id desc

-- name: causes
select run, cause, count(*) as count from reconcile_difference where run = any($1) group by run, cause order by run, count(*) desc, cause
