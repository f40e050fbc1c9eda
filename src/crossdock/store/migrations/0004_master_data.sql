-- Master data records are few, change seldom, and are read by every process after each change.
create index if not exists thread_state_master on thread_state (updated_at) where kind in ('item', 'location');
