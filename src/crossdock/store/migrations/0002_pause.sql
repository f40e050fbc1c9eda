-- While `paused_reason` stands, delivery loads nothing: a restored hub must not send before a person has looked.
-- `resumed_at`: what threads from before it want may have been done by the hub that was lost.
alter table hub add column if not exists paused_reason text;
alter table hub add column if not exists paused_at timestamptz;
alter table hub add column if not exists resumed_at timestamptz;
