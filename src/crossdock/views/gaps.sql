-- name: series
select s.system, s.series, s.top, s.heard_at, s.anew_at, s.anew_from, s.anew_to, s.anew_missing,
    coalesce(m.missing, 0)::bigint as missing, coalesce(m.awaited, 0)::bigint as awaited, m.oldest,
    (select min(c.id) from cases c join case_link l on l.case_id = c.id
        where c.state = 'open' and l.closed_at is null and l.thread_key = 'gap/' || s.system || '/' || s.series) as case
from number_series s left join lateral (
    select sum(g.last - g.first + 1) filter (where g.named) as missing, sum(g.last - g.first + 1) filter (where not g.named) as awaited,
        min(g.since) filter (where g.named) as oldest
    from number_gap g where g.system = s.system and g.series = s.series
) m on true
order by s.system, s.series

-- name: runs
select system, series, first, last, since from number_gap where named order by since, system, series, first limit $1
