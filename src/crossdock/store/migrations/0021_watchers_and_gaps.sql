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
