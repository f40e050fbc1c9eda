-- What people hold on purpose: effects that wait until the hold is lifted or its time is up. Never deleted.
create table hold (
    id bigint generated always as identity primary key,
    mode text not null check (mode in ('hold', 'pause', 'drain')),
    scope text not null check (scope in ('target', 'key', 'system', 'item', 'cause')),
    name text not null,
    -- Only effects of this kind; empty: of every kind.
    kind text not null default '',
    -- Of a drain: effects journaled up to here still go out.
    up_to bigint,
    reason text not null,
    owner text not null,
    who text not null,
    placed_at timestamptz not null default clock_timestamp(),
    -- On the business clock; null: until it is lifted.
    until_at timestamptz,
    lifted_at timestamptz,
    lifted_by text,
    lifted_because text,
    version integer not null default 1
);
create index hold_current on hold (id) where lifted_at is null;
-- A target is paused or drained once.
create unique index hold_paused on hold (name) where lifted_at is null and mode in ('pause', 'drain');

-- Since when and until when the next thing is expected of a thread that must come in time; null: nothing is.
alter table thread_state add column expects_since timestamptz, add column expects_at timestamptz;
