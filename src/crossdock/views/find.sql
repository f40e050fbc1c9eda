-- name: threads
select thread, thread_key, kind, state, phase, waiting_on, waiting_since, done, updated_at
from thread_state where thread = any($1) limit $2

-- name: by_number
select thread, kind from thread_state where number is not null and number = any($1::text[]) limit $2

-- name: by_unit
select thread from thread_state where units is not null and units @> array[$1::text] limit $2

-- name: by_identifier
select thread, scheme, issuer from identifier where value = $1 limit $2

-- name: by_document
select thread, kind, account, document from effect where document = $1 limit $2

-- name: by_effect
select thread, kind, account, document from effect where id = $1

-- name: by_case
select l.thread from case_link l where l.case_id = $1 order by l.closed_at nulls first, l.opened_at limit $2

-- name: message
select received_at, system, channel from message where id = $1

-- name: by_message
select distinct thread from event
where message = $1 and recorded_at between $2::timestamptz - interval '1 second' and $2::timestamptz + interval '10 seconds' limit $3

-- name: deduplicated
select event_id, first_at from dedupe where key = any($1)

-- name: by_event
select distinct thread from event
where (event_id = $1 or starts_with(event_id, $1 || '/') or starts_with(event_id, $1 || '#'))
    and recorded_at between $2::timestamptz - interval '1 second' and $2::timestamptz + interval '10 seconds' limit $3
