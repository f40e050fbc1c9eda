-- What `find` and the story page look things up by. Each costs a writer little: partial, narrow, or BRIN.

-- ERP document numbers and the like: only settled effects have one.
create index effect_document on effect (document) where document is not null;

-- The newest effects of a thread, also where it has a hundred thousand (a fast-selling item).
drop index effect_thread;
create index effect_thread on effect (thread, seq);

-- A message or a source's event id is found by the instant it was recorded, which the narrow tables know.
create index event_recorded on event using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);

-- The number a person quotes ("#1042") stands in an order's state only: msgpack, "number" → short text.
-- Bytes, not text: nothing a partner sends can make this expression fail. Null when there is none.
create function quoted_number(state bytea) returns bytea language sql immutable parallel safe
return case position('\xa66e756d626572'::bytea in state)
    when 0 then null
    else substring(
        state from position('\xa66e756d626572'::bytea in state) + 8
        for get_byte(substring(state from position('\xa66e756d626572'::bytea in state) + 7 for 1) || '\xa0'::bytea, 0) & 31)
end;

-- Handling units stand in a shipment's state: "sscc" → text of 18 digits, once per package.
create function handling_units(state bytea) returns text[] language plpgsql immutable parallel safe as $$
declare
    parts text[] := string_to_array(encode(state, 'escape'), 'sscc\262');
    found text[];
begin
    for n in 2 .. coalesce(array_length(parts, 1), 1) loop
        if not left(parts[n], 18) = any (coalesce(found, '{}')) then
            found := found || left(parts[n], 18);
        end if;
    end loop;
    return found;
end $$;

-- Both keep their value once they have one, so later writes of the state stay heap-only.
alter table thread_state
    add column number bytea generated always as (case when kind = 'order' then quoted_number(state) end) stored,
    add column units text[] generated always as (case when kind = 'shipment' then handling_units(state) end) stored;
create index thread_state_number on thread_state (number) where number is not null;
create index thread_state_units on thread_state using gin (units) where units is not null;
