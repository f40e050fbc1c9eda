-- A replay of a case also books moves that did not come out even when they were told.
alter table replay_item drop constraint replay_item_what_check;
alter table replay_item add constraint replay_item_what_check
    check (what in ('message', 'event', 'effect', 'thread', 'move'));
