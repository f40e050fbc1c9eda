-- What operators watch: how much flows, sampled from counters that are read at no cost.

-- Effects that this account confirmed, counted in the transaction that wrote their outcomes.
alter table account add column delivered bigint not null default 0;

-- Totals every ten seconds, kept for three hours; `tick` is Unix time divided by ten, so that several processes write one row.
create table throughput (
    tick bigint primary key,
    at timestamptz not null default clock_timestamp(),
    appended bigint not null,
    processed bigint not null,
    delivered bigint not null
);

-- How far each subscriber was told, and when it is tried again. The owner's epoch fences its writes; a place is (generation,
-- xid, id) as in the log, behind what was delivered or not wanted. `fingerprint` is that of its configuration.
create table subscription (
    name text primary key,
    fingerprint bytea not null,
    epoch bigint not null default 0,
    owner uuid,
    lease_until timestamptz not null default '-infinity',
    generation smallint not null,
    xid xid8 not null,
    id bigint not null,
    segment integer not null,
    delivered bigint not null default 0,
    attempts integer not null default 0,
    next_at timestamptz,
    failing_since timestamptz,
    last_failure text,
    last_success_at timestamptz,
    disabled_at timestamptz
) with (fillfactor = 50);
