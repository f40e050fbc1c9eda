-- The audit chain: each link is everything that was written by transactions `xid_from` < xid <= `xid_to`, folded into one hash over
-- the link before it. `digests` has 16 bytes for each row, in the order of events, messages, attempts, actions.
create table audit_link (
    no bigint primary key,
    generation smallint not null,
    xid_from bigint not null,
    xid_to bigint not null,
    events integer not null,
    messages integer not null,
    attempts integer not null,
    actions integer not null,
    segment_from integer not null,
    segment_to integer not null,
    digests bytea not null,
    previous bytea not null,
    hash bytea not null,
    sealed_at timestamptz not null
);

-- The chain's head, signed. `body` is the very text that the signature is of; `sent_at` is when it was off the machine.
create table audit_checkpoint (
    no bigint primary key,
    link bigint not null,
    body text not null,
    signature bytea not null,
    made_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    trouble text not null default ''
);
create index audit_checkpoint_unsent on audit_checkpoint (no) where sent_at is null;

-- Which transaction wrote a row. Rows from before this migration have none, and are in no link.
alter table attempt add column xid bigint;
alter table attempt alter column xid set default pg_current_xact_id()::text::bigint;
create index attempt_xid on attempt using brin (xid) with (pages_per_range = 32, autosummarize = on);
alter table operator_action add column xid bigint;
alter table operator_action alter column xid set default pg_current_xact_id()::text::bigint;
create index operator_action_xid on operator_action (xid);

-- Erasure: what a data subject's key opens, who of them has which e-mail address (a keyed hash), and who was erased when.
create index event_subject on event (subject) where subject is not null;
create index effect_body_subject on effect_body (subject) where subject is not null;
create index subject_key_destroyed on subject_key (destroyed_at) where destroyed_at is not null;
create table subject_mail (
    mail bytea not null,
    subject bytea not null,
    primary key (mail, subject)
);
create index subject_mail_subject on subject_mail (subject);
-- A message's key is destroyed in its place, so that the row says when.
alter table message_key alter column wrapped drop not null, add column destroyed_at timestamptz;

create table erasure (
    id bigint generated always as identity primary key,
    state text not null check (state in ('proposed', 'waiting', 'done', 'rejected')),
    subjects bytea[] not null,
    -- What it was asked by, without naming the person: an order's thread, or `e-mail`.
    asked_for text not null,
    reason text not null,
    when_done boolean not null,
    proposed_by text not null,
    proposed_key text not null,
    proposed_at timestamptz not null default clock_timestamp(),
    decided_by text,
    decided_at timestamptz,
    decided_because text,
    done_at timestamptz,
    threads text[] not null default '{}',
    messages uuid[] not null default '{}',
    kept uuid[] not null default '{}',
    redacted integer not null default 0,
    -- When its threads heard of it, and when the list that a restore needs had it.
    told_at timestamptz,
    sent_at timestamptz
);
create index erasure_open on erasure (id) where state in ('proposed', 'waiting') or (state = 'done' and (told_at is null or sent_at is null));
