-- name: changes
select n.id, n.at, n.who, n.action, n.note, c.id as number, c.title, c.state,
    n.id > coalesce((select v.note from case_visit v where v.who = $1), 0) as fresh
from case_note n join cases c on c.id = n.case_id
where ($1 = any(c.watchers) or c.assignee = $1) and n.who <> $1 and n.action = any($2) and ($3::bigint = 0 or n.id < $3)
order by n.id desc limit $4
