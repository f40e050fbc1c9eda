-- What the hub was told to run with, version by version. `documents` are the landscape's files as canonical JSON; secrets
-- are references there. asked: `config apply` wants it; current: the hub runs with it; past; failed: its processes did not
-- get ready. At most one is asked, and one is current.
create table landscape_version (
    number integer generated always as identity primary key,
    digest text not null,
    documents text not null,
    state text not null check (state in ('asked', 'current', 'past', 'failed')),
    origin text not null check (origin in ('start', 'apply')),
    who text not null,
    reason text not null default '',
    recorded_at timestamptz not null default clock_timestamp(),
    failed_because text
);
create unique index landscape_version_state on landscape_version (state) where state in ('asked', 'current');
