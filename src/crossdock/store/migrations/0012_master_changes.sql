-- An index on a column that every update changes lets none of them stay in its page (no HOT updates, for any row of the table).
-- What is looked for by it are master data records only, so only those get a column for it.
alter table thread_state add column master_changed_at timestamptz;
update thread_state set master_changed_at = updated_at where kind in ('item', 'location');
drop index if exists thread_state_master;
create index thread_state_master on thread_state (master_changed_at) where master_changed_at is not null;
