-- An order takes over what its checkout claimed: whose orders may, and which one did.
alter table claim drop constraint claim_state;
alter table claim
    add constraint claim_state
        check (state in ('pending', 'partly_posted', 'posted', 'released', 'expired', 'refused', 'taken_over')),
    add column channel text not null default '',
    add column taken_by text not null default '';
