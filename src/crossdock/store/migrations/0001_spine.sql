-- The first schema. DESIGN.md "Decisions" gives the reason for every table here; a column that could not be added
-- later (keys, xid, generation, segment, data subject) is here from the first day.

-- One row: which hub this is, the log generation, the business clock.
create table hub (
    one boolean primary key default true check (one),
    hub_id uuid not null default gen_random_uuid(),
    generation smallint not null default 1,
    system_identifier text not null default '',
    clock_rate double precision not null default 1,
    clock_real_at timestamptz not null default clock_timestamp(),
    clock_business_at timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp()
);
insert into hub default values;

-- Ownership and cursor of each of the 64 log partitions. `epoch` fences: a batch locks its rows here first.
create table partition (
    p smallint primary key,
    epoch bigint not null default 0,
    owner uuid,
    lease_until timestamptz not null default '-infinity',
    state_version smallint not null default 1,
    generation smallint not null default 1,
    xid xid8 not null default '0',
    id bigint not null default 0,
    position bigint not null default 0,
    processed_at timestamptz
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
insert into partition (p) select generate_series(0, 63);

-- The log. Readers take rows of closed transactions only, in (generation, xid, id) order.
create table event (
    segment integer not null,
    p smallint not null,
    generation smallint not null,
    xid xid8 not null default pg_current_xact_id(),
    id bigint generated always as identity,
    thread bytea not null,
    thread_key text not null,
    type text not null,
    event_id text not null,
    source text not null,
    sequence bigint,
    about text,
    effect uuid,
    cause text,
    message uuid,
    traceparent text,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    data bytea not null,
    sealed bytea,
    subject bytea
) partition by range (segment);
create index event_log on event (p, generation, xid, id);
create index event_thread on event (thread, generation, xid, id);
-- A message or a source's event id is found by the instant it was recorded, which the narrow tables know.
create index event_recorded on event using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);

-- Which gap-free positions a batch gave to which stretch of a partition.
create table position_range (
    segment integer not null,
    p smallint not null,
    position_from bigint not null,
    position_to bigint not null,
    generation smallint not null,
    xid_to xid8 not null,
    id_to bigint not null,
    recorded_at timestamptz not null default clock_timestamp()
) partition by range (segment);

-- Raw bytes, in and out, sealed under a key of their own (message_key).
create table message (
    segment integer not null,
    id uuid not null,
    direction text not null check (direction in ('in', 'out', 'answer')),
    system text not null,
    channel text not null,
    received_at timestamptz not null default clock_timestamp(),
    content_hash bytea not null,
    size integer not null,
    headers text not null default '{}',
    outcome text not null default 'translated',
    unmapped text[] not null default '{}',
    sealed bytea not null
) partition by range (segment);
create index message_id on message (id);

create table message_key (
    message uuid primary key,
    wrapped bytea not null,
    subject bytea
);
create index message_key_subject on message_key (subject) where subject is not null;

create table subject_key (
    subject bytea primary key,
    wrapped bytea,
    created_at timestamptz not null default clock_timestamp(),
    destroyed_at timestamptz
);

-- New, duplicate, or same id with another body: decided here at intake, never time-partitioned.
create table dedupe (
    key bytea primary key,
    content bytea not null,
    seen integer not null default 1,
    first_at timestamptz not null default clock_timestamp(),
    expires_on date not null,
    event_id text not null
) with (fillfactor = 85);

-- The state of every thread, written by the owner of its partition only. `number` is what people quote, `units` are the
-- SSCCs in it: both keep their value once they have one, so later writes of the state stay heap-only.
create table thread_state (
    thread bytea primary key,
    p smallint not null,
    thread_key text not null,
    kind text not null,
    version smallint not null,
    state bytea not null,
    phase text not null default '',
    waiting_on text not null default '',
    waiting_since timestamptz,
    owner text not null default '',
    done boolean not null default false,
    parked text,
    first_segment integer not null,
    number text,
    units text[],
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
create index thread_state_open on thread_state (kind) where not done;
create index thread_state_parked on thread_state (thread) where parked is not null;
create index thread_state_number on thread_state (number) where number is not null;
create index thread_state_units on thread_state using gin (units) where units is not null;

-- Events of a parked thread, in the order they shall be processed when it is resumed.
create table parked_event (
    thread bytea not null,
    place bigint generated always as identity,
    segment integer not null,
    generation smallint not null,
    xid xid8 not null,
    id bigint not null,
    primary key (thread, place)
);

-- (scheme, issuer, value) → thread. The home partition is the hash's; rows are written by its owner.
create table identifier (
    hash bytea not null,
    thread bytea not null,
    scheme text not null,
    issuer text not null,
    value text not null,
    thread_key text not null,
    valid_from timestamptz not null default clock_timestamp(),
    valid_to timestamptz,
    primary key (hash, thread)
);
create index identifier_value on identifier (value text_pattern_ops);
create index identifier_thread on identifier (thread);

-- The effect journal. states: 0 pending, 1 sending, 2 retry, 3 outcome_unknown | 5 refused, 6 unclear (parked)
-- | 10 done, 11 withdrawn, 12 superseded. Below 5 delivery has work; below 10 the lane is not free.
create table effect (
    id uuid primary key,
    xid xid8 not null default pg_current_xact_id(),
    seq bigint generated always as identity,
    p smallint not null,
    thread bytea not null,
    thread_key text not null,
    kind text not null,
    account text not null,
    object text not null,
    generation smallint not null default 0,
    lane bytea not null,
    mode smallint not null,
    priority smallint not null default 5,
    state smallint not null default 0,
    attempts smallint not null default 0,
    next_at timestamptz,
    deadline_at timestamptz,
    journaled_at timestamptz not null default clock_timestamp(),
    settled_at timestamptz,
    document text,
    reason text,
    segment integer not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index effect_open on effect (account, xid, seq) where state < 5;
create index effect_parked on effect (account, lane) where state in (5, 6);
create index effect_latest on effect (lane) where mode = 2 and state in (0, 2);
create index effect_thread on effect (thread, seq);
create index effect_document on effect (document) where document is not null;

create table effect_body (
    segment integer not null,
    effect uuid not null,
    connector text not null,
    sealed bytea not null,
    subject bytea
) partition by range (segment);
create index effect_body_effect on effect_body (effect);

-- One try of an effect, with its own identity: written before the call, completed after it.
create table attempt (
    segment integer not null,
    effect uuid not null,
    no smallint not null,
    purpose text not null default 'send' check (purpose in ('send', 'look_up')),
    started_at timestamptz not null default clock_timestamp(),
    deadline_at timestamptz not null,
    ended_at timestamptz,
    outcome text,
    reason text,
    answer bytea
) partition by range (segment);
create index attempt_effect on attempt (effect, no);

-- A lane that waits for a person. Written by delivery; the refused effect heads it.
create table lane (
    account text not null,
    lane bytea not null,
    effect uuid not null,
    parked_at timestamptz not null default clock_timestamp(),
    reason text not null,
    primary key (account, lane)
);

create table account (
    name text primary key,
    epoch bigint not null default 0,
    owner uuid,
    lease_until timestamptz not null default '-infinity',
    last_success_at timestamptz,
    failing_since timestamptz,
    last_failure text
);

-- Deadlines on the business clock, owned by the thread's partition.
create table timer (
    thread bytea not null,
    name text not null,
    p smallint not null,
    thread_key text not null,
    due_at timestamptz not null,
    primary key (thread, name)
);
create index timer_due on timer (p, due_at);

-- The exception queue: one row per cause, linked to what it blocks.
create table cases (
    id bigint generated always as identity primary key,
    fingerprint bytea not null,
    class text not null,
    cause text not null,
    title text not null,
    detail text not null default '',
    owner text not null default 'operations',
    state text not null default 'open' check (state in ('open', 'closed')),
    opened_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz,
    closed_because text,
    recurrences integer not null default 1
);
create unique index cases_open on cases (fingerprint) where state = 'open';

create table case_link (
    case_id bigint not null references cases,
    thread bytea not null,
    thread_key text not null,
    key text not null default '',
    opened_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz,
    primary key (case_id, thread, key)
);
create index case_link_thread on case_link (thread) where closed_at is null;

-- Stock: one row per place, one column per bucket; the bound stands in the row that is locked.
create table stock_balance (
    id bigint generated always as identity primary key,
    item text not null,
    location text not null,
    lot text not null default '',
    owner text not null default '',
    possessor text not null default '',
    unit text not null,
    available numeric not null default 0,
    soft_claim numeric not null default 0,
    firm_claim numeric not null default 0,
    allocated numeric not null default 0,
    picked numeric not null default 0,
    quarantine numeric not null default 0,
    damaged numeric not null default 0,
    returned numeric not null default 0,
    in_transit_out numeric not null default 0,
    in_transit_in numeric not null default 0,
    expected numeric not null default 0,
    may_be_negative boolean not null default false,
    version bigint not null default 0,
    published numeric,
    updated_at timestamptz not null default clock_timestamp(),
    unique (item, location, lot, owner, possessor),
    constraint not_oversold check (available >= 0 or may_be_negative),
    constraint claims_not_negative check (soft_claim >= 0 and firm_claim >= 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

create table stock_entry (
    segment integer not null,
    id bigint generated always as identity,
    balance bigint not null,
    from_bucket text not null,
    to_bucket text not null,
    quantity numeric not null check (quantity > 0),
    cause text not null,
    thread bytea not null,
    claim text,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    cost_layer text,
    cost_currency text
) partition by range (segment);
create index stock_entry_balance on stock_entry (balance, id);

create table claim (
    id text primary key,
    thread bytea not null,
    thread_key text not null,
    state text not null check (state in ('pending', 'posted', 'voided', 'expired', 'refused')),
    expires_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);

create table claim_line (
    claim text not null,
    line text not null,
    balance bigint not null,
    quantity numeric not null check (quantity > 0),
    posted numeric not null default 0,
    voided numeric not null default 0,
    primary key (claim, line, balance),
    constraint within_claim check (posted + voided <= quantity)
);

-- Keys of people and programs: `hash` is HMAC-SHA256 under the hub key; the token itself is nowhere.
create table access_key (
    id text primary key,
    hash bytea not null,
    name text not null,
    scopes text[] not null,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);

create table session (
    id bytea primary key,
    access_key text not null references access_key,
    csrf text not null,
    created_at timestamptz not null default clock_timestamp(),
    used_at timestamptz not null default clock_timestamp()
);

-- Who did what, and why.
create table operator_action (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    who text not null,
    action text not null,
    target text not null,
    reason text not null default '',
    detail text not null default '{}'
);

-- Deliveries that failed authentication: metadata only, the newest 10,000.
create table rejected_delivery (
    place integer primary key,
    at timestamptz not null default clock_timestamp(),
    system text not null,
    reason text not null,
    size integer not null
);

create table idempotent_reply (
    key bytea primary key,
    fingerprint bytea not null,
    status smallint,
    reply bytea,
    created_at timestamptz not null default clock_timestamp()
);

-- Live processes of this hub, for fair shares and for `status`. Time here affects liveness only.
create table process (
    id uuid primary key,
    role text not null,
    pid integer not null,
    started_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp()
);
