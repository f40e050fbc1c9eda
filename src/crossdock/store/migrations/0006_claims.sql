-- Claims have a life: soft or firm, ended or not, used up line by line; a repeat gets the answer that was given.
alter table claim drop constraint claim_state_check;
update claim set state = 'released' where state = 'voided';
alter table claim
    add constraint claim_state check (state in ('pending', 'partly_posted', 'posted', 'released', 'expired', 'refused')),
    add column kind text not null default 'firm' check (kind in ('soft', 'firm')),
    add column ended_at timestamptz,
    add column fingerprint bytea,
    add column answer bytea;
alter table claim_line rename column voided to released;
alter table claim_line drop constraint claim_line_quantity_check;
alter table claim_line add constraint claim_line_not_negative check (quantity >= 0 and posted >= 0 and released >= 0);

-- What of each line was used is what the entries say; of a finished thread whose entries are gone, all of it.
with used as (
    select claim, balance, coalesce(sum(quantity) filter (where to_bucket <> 'available'), 0) as posted, sum(quantity) as gone
    from stock_entry where from_bucket = 'firm_claim' and claim is not null group by claim, balance
), spread as (
    select l.claim, l.line, l.balance, l.quantity, u.posted, u.gone,
        sum(l.quantity) over (partition by l.claim, l.balance order by l.line) - l.quantity as before
    from claim_line l join used u on u.claim = l.claim and u.balance = l.balance
)
update claim_line l set
    posted = least(s.quantity, greatest(0, s.posted - s.before)),
    released = least(s.quantity, greatest(0, s.gone - s.before)) - least(s.quantity, greatest(0, s.posted - s.before))
from spread s where l.claim = s.claim and l.line = s.line and l.balance = s.balance;
update claim_line l set posted = case when c.state = 'posted' then l.quantity else 0 end,
    released = case when c.state = 'posted' then 0 else l.quantity end
from claim c join thread_state t on t.thread = c.thread
where c.id = l.claim and c.state in ('posted', 'released') and t.done and l.posted + l.released = 0;
update claim set state = 'partly_posted'
where state = 'posted' and exists (select from claim_line l where l.claim = id and l.posted < l.quantity);
update claim set ended_at = updated_at
where not exists (select from claim_line l where l.claim = id and l.posted + l.released < l.quantity);

alter table stock_entry add constraint names_its_cause check (cause <> '');

create index claim_expiring on claim (expires_at) where ended_at is null and expires_at is not null;

-- Until when the goods of a balance may be sold, where its lot says so.
alter table stock_balance add column expires_on date;

-- What entries say that were dropped with their segment, so that those that are there still add up to the balance.
create table stock_opening (
    balance bigint not null,
    bucket text not null,
    quantity numeric not null,
    primary key (balance, bucket)
);
insert into stock_opening (balance, bucket, quantity)
select b.id, v.bucket, v.quantity - coalesce(e.quantity, 0)
from stock_balance b
cross join lateral (values ('available', b.available), ('soft_claim', b.soft_claim), ('firm_claim', b.firm_claim),
    ('allocated', b.allocated), ('picked', b.picked), ('quarantine', b.quarantine), ('damaged', b.damaged),
    ('returned', b.returned), ('in_transit_out', b.in_transit_out), ('in_transit_in', b.in_transit_in),
    ('expected', b.expected)) as v (bucket, quantity)
left join (
    select balance, bucket, sum(quantity) as quantity from (
        select balance, to_bucket as bucket, quantity from stock_entry
        union all select balance, from_bucket, -quantity from stock_entry
    ) as moved group by balance, bucket
) e on e.balance = b.id and e.bucket = v.bucket
where v.quantity <> coalesce(e.quantity, 0);
