-- Comparisons of stock with other systems. A run is asked (by a person, or by the schedule: `due` is its slot, once per system), read
-- and compared by whoever holds its lease under `epoch`, and done or failed. One at a time for each system.
create table reconcile_run (
    id bigint generated always as identity primary key,
    system text not null,
    due text,
    asked_by text not null,
    state text not null default 'asked' check (state in ('asked', 'running', 'done', 'failed')),
    epoch bigint not null default 0,
    owner uuid,
    lease_until timestamptz not null default '-infinity',
    asked_at timestamptz not null default clock_timestamp(),
    read_at timestamptz,
    ended_at timestamptz,
    failed_because text,
    counted bigint not null default 0,
    watermark bigint,
    under_way integer not null default 0,
    -- Their events that had not come, and since when each is missed: the next run goes on waiting for them.
    missing bigint[] not null default '{}',
    missed_since timestamptz[] not null default '{}'
);
create unique index reconcile_run_slot on reconcile_run (system, due) where due is not null;
create unique index reconcile_run_open on reconcile_run (system) where state in ('asked', 'running');

-- What a run found, place by place: theirs less ours. open: a person decides; settled: the ledger follows by the event `reconciled/ID`;
-- accepted: noted, nothing is booked; superseded: a later run looked again.
create table reconcile_difference (
    id bigint generated always as identity primary key,
    run bigint not null references reconcile_run,
    item text not null,
    location text not null,
    lot text not null,
    owner text not null,
    unit text not null,
    good numeric not null,
    held numeric not null,
    cause text not null,
    evidence text[] not null,
    value numeric,
    currency text,
    state text not null check (state in ('open', 'settled', 'accepted', 'superseded')),
    decided_by text,
    decided_at timestamptz,
    reason text
);
create index reconcile_difference_run on reconcile_difference (run, id);
create index reconcile_difference_open on reconcile_difference (item, location) where state = 'open';
