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
