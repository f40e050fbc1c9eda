-- Watchers are told what happens to their cases: a line of the history waits until `told_at`. What was there before is old news.
alter table case_note add column told_at timestamptz;
update case_note set told_at = clock_timestamp();
create index case_note_untold on case_note (case_id, id) where told_at is null;

-- Since when everybody knows that a case was not settled in time.
alter table cases add column escalated_at timestamptz;
update cases set escalated_at = clock_timestamp() where due_at < clock_timestamp();
create index cases_to_escalate on cases (due_at) where state = 'open' and escalated_at is null;

-- Up to which line of their cases' histories somebody has read.
create table case_visit (
    who text primary key,
    note bigint not null,
    at timestamptz not null default clock_timestamp()
);

-- Running numbers that senders give their messages: written with the message, taken away by whoever folds them into `number_series`.
create table number_heard (
    id bigint generated always as identity primary key,
    system text not null,
    series text not null,
    number bigint not null,
    at timestamptz not null default clock_timestamp()
);

-- What is known of each sender's numbers: `top` is the highest sent, `again_*` how far known ones came a second time in their order,
-- `anew_*` the last time it began to count anew (it stood at `anew_from`, went on at `anew_to`, and `anew_missing` had not come).
create table number_series (
    system text not null,
    series text not null,
    top bigint not null,
    again_first bigint,
    again_last bigint,
    anew_at timestamptz,
    anew_from bigint,
    anew_to bigint,
    anew_missing bigint,
    heard_at timestamptz not null,
    primary key (system, series)
);

-- Numbers that did not come, a row for each run of them. `named`: they have been missing for longer than messages are late.
create table number_gap (
    system text not null,
    series text not null,
    first bigint not null,
    last bigint not null,
    since timestamptz not null,
    named boolean not null,
    primary key (system, series, first),
    foreign key (system, series) references number_series
);
