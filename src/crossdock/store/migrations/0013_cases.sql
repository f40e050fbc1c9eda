-- What people do with a case, and what they decide about effects whose outcome nobody could find out.
-- `revision` counts people's changes: it is what a change must name (ETag). `due_at` is when the case should be settled.
alter table cases add column assignee text;
alter table cases add column snoozed_until timestamptz;
alter table cases add column tags text[] not null default '{}';
alter table cases add column watchers text[] not null default '{}';
alter table cases add column due_at timestamptz;
alter table cases add column revision integer not null default 0;
update cases set class = 'duplicate' where class = 'conflict';
update cases set class = 'parse' where class = 'unsupported';
-- A cause that comes back is counted over all its cases.
create index cases_fingerprint on cases (fingerprint, id);

create table case_note (
    id bigint generated always as identity primary key,
    case_id bigint not null references cases,
    at timestamptz not null default clock_timestamp(),
    who text not null,
    action text not null,
    note text not null default ''
);
create index case_note_case on case_note (case_id, id);

-- Effects that may have been done: few among all that there are.
create index effect_unknown on effect (seq) where state in (3, 6);

-- Somebody asked to send an effect again though nobody can tell whether it was done; another person confirms it.
create table post_request (
    effect uuid primary key references effect,
    key_id text not null,
    who text not null,
    reason text not null,
    at timestamptz not null default clock_timestamp()
);
