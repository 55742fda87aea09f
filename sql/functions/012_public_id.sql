-- Public ids: prefix, underscore, the number in base 32 (Crockford's alphabet, lower case, 13 digits, order-preserving).
-- The same functions in Python: engine/core/ids.py. public_id is one expression, which the planner puts in place of the call:
-- an aggregate over the digits is four times as slow.
create or replace function stepwell.public_id(prefix text, id bigint) returns text
  language sql immutable strict parallel safe
as $$
  select prefix || '_'
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 60) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 55) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 50) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 45) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 40) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 35) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 30) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 25) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 20) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 15) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 10) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 5) & 31)::integer + 1, 1)
         || substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> 0) & 31)::integer + 1, 1)
$$;

-- The number behind a public id; null where it is none of that prefix.
create or replace function stepwell.private_id(prefix text, public text) returns bigint
  language sql immutable strict parallel safe
as $$
  select case when public ~ ('^' || prefix || '_[0-7][0-9a-hjkmnp-tv-z]{12}$') then (
    select sum((strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(public, length(prefix) + 2 + place, 1)) - 1)::bigint
               << (5 * (12 - place)))::bigint
    from generate_series(0, 12) as place
  ) end
$$;

-- What an execution id (exe_…, tsk_…) names: bytes of process id (8), run (2), path (utf-8), in base 32.
create or replace function stepwell.parse_execution_id(prefix text, public text,
                                                       out process_id bigint, out run integer, out path text)
  language plpgsql immutable strict parallel safe
as $$
declare
  digits text := substr(public, length(prefix) + 2);
  held bigint := 0;
  bits integer := 0;
  bytes bytea := '';
begin
  if length(digits) not between 18 and 800 or public !~ ('^' || prefix || '_[0-9a-hjkmnp-tv-z]+$') then
    return;
  end if;
  for place in 1 .. length(digits) loop
    held := (held << 5) | (strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(digits, place, 1)) - 1);
    bits := bits + 5;
    if bits >= 8 then
      bits := bits - 8;
      bytes := bytes || set_byte('\x00'::bytea, 0, ((held >> bits) & 255)::integer);
      held := held & ((1 << bits) - 1);
    end if;
  end loop;
  if get_byte(bytes, 0) > 127 then
    return;
  end if;
  process_id := ('x' || encode(substr(bytes, 1, 8), 'hex'))::bit(64)::bigint;
  run := get_byte(bytes, 8) * 256 + get_byte(bytes, 9);
  path := convert_from(substr(bytes, 11), 'UTF8');
exception
  when character_not_in_repertoire or untranslatable_character then
    process_id := null; run := null; path := null;
end
$$;
revoke all on function stepwell.public_id(text, bigint) from public;
revoke all on function stepwell.private_id(text, text) from public;
revoke all on function stepwell.parse_execution_id(text, text) from public;
grant execute on function stepwell.public_id(text, bigint), stepwell.private_id(text, text)
  to stepwell_api, stepwell_worker, stepwell_report, stepwell_caller;
