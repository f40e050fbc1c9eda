-- What channels were told of a place's item, how fast it sells, and when its numbers change by time alone.
alter table stock_balance
    add column shown jsonb,
    add column sold_lately double precision not null default 0,
    add column sold_at timestamptz,
    add column review_at timestamptz;
alter table stock_balance drop column published;
create index stock_review on stock_balance (review_at) where review_at is not null;
