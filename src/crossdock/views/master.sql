-- name: record
select state, updated_at from thread_state where thread = $1

-- name: bound
select thread_key from identifier where hash = $1 and valid_to is null order by valid_from desc limit 1

-- name: versions
select data from event where thread = $1 and type = 'codeList.published.v1' order by generation desc, xid desc, id desc limit 200
