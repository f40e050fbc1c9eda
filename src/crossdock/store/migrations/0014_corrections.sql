-- What a person corrected: the original stays as it came. `target` is a message's id, an event's reference, or codelist/NAME/ENTRY;
-- `content` is the corrected body, kept as a message of its own, sealed like any other. `version` is the ETag.
create table correction (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('message', 'event', 'code')),
    target text not null,
    thread_key text not null,
    system text not null,
    channel text not null,
    content uuid not null,
    state text not null default 'proposed' check (state in ('proposed', 'approved', 'applied', 'rejected')),
    version integer not null default 1,
    reason text not null,
    proposed_by text not null,
    proposed_key text not null,
    proposed_at timestamptz not null default clock_timestamp(),
    decided_by text,
    decided_key text,
    decided_at timestamptz,
    decided_because text,
    gave text[] not null default '{}'
);
-- One at a time for each thing: two people who correct the same would undo each other.
create unique index correction_open on correction (kind, target) where state in ('proposed', 'approved');
create index correction_target on correction (target);
create index correction_content on correction (content);

-- A correction that intake makes by itself from now on: a literal value at a path of one channel's JSON.
create table correction_rule (
    id bigint generated always as identity primary key,
    system text not null,
    channel text not null,
    path text not null,
    from_value text not null,
    to_value text not null,
    correction bigint not null references correction,
    reason text not null,
    promoted_by text not null,
    promoted_at timestamptz not null default clock_timestamp(),
    uses bigint not null default 0,
    used_at timestamptz,
    version integer not null default 1,
    withdrawn_by text,
    withdrawn_at timestamptz,
    withdrawn_because text
);
create unique index correction_rule_live on correction_rule (system, channel, path, from_value) where withdrawn_at is null;

-- A replay and its items: whoever holds the lease works them off in order, at most so many a second.
create table replay (
    id bigint generated always as identity primary key,
    selection text not null,
    reason text not null,
    asked_by text not null,
    asked_key text not null,
    asked_at timestamptz not null default clock_timestamp(),
    per_second real not null check (per_second > 0),
    state text not null default 'running' check (state in ('running', 'stopped', 'done')),
    version integer not null default 1,
    ended_at timestamptz
);
create index replay_running on replay (id) where state = 'running';

create table replay_item (
    replay bigint not null references replay,
    no integer not null,
    what text not null check (what in ('message', 'event', 'effect', 'thread')),
    ref text not null,
    thread_key text not null,
    state text not null default 'waiting' check (state in ('waiting', 'done', 'skipped', 'failed')),
    said text not null default '',
    ended_at timestamptz,
    primary key (replay, no)
);
create index replay_item_waiting on replay_item (replay, no) where state = 'waiting';
