-- Which lots a shipment, return or order has goods of, as `ITEM<tab>LOT`; an empty lot where nobody said it.
alter table thread_state add column lots text[];
create index thread_state_lots on thread_state using gin (lots) where lots is not null;
-- Those that an earlier release wrote: nothing is known of their lots without reading them.
create index thread_state_lots_unread on thread_state (thread) where lots is null and kind in ('shipment', 'return');

-- Lots that must not be sold, wherever they are and come to be.
create table recall (
    item text not null,
    lot text not null,
    reason text not null,
    who text not null,
    recalled_at timestamptz not null default clock_timestamp(),
    primary key (item, lot)
);
-- What would be available of such a balance is in quarantine.
alter table stock_balance add column recalled boolean not null default false;
