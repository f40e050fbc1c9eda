-- How far each list of changed objects of a system was read, and what was heard of only by asking. `cursor` is the newest
-- change that was taken in, by the system's own clock; a reading begins an overlap before it. It only goes forward.
create table backfill (
    system text not null,
    list text not null,
    cursor timestamptz not null,
    found bigint not null default 0,
    last_found_at timestamptz,
    revived bigint not null default 0,
    last_revived_at timestamptz,
    read_at timestamptz,
    troubled_since timestamptz,
    trouble text not null default '',
    primary key (system, list)
);
