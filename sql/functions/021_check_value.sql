-- Refuse a value the engine could not hold: over 1 MiB, over 64 levels, numbers beyond a double's range.
-- `pointer` names the argument in the error's detail. (NUL and lone surrogates: jsonb refuses them itself.)
create or replace function stepwell.check_value(value jsonb, pointer text) returns void
  language plpgsql immutable
as $$
declare
  size integer := octet_length(value::text);
begin
  if size > 1048576 then
    raise exception 'the value is larger than 1 MiB' using errcode = 'SW413', detail = pointer,
      hint = 'Keep large content elsewhere and pass a reference to it.';
  end if;
  if size < 128 then -- neither 64 levels nor 309 digits fit into that
    return;
  end if;
  if jsonb_path_exists(value, '$.**{64 to last}') then
    raise exception 'the value is deeper than 64 levels' using errcode = 'SW400', detail = pointer,
      hint = 'Flatten the document.';
  end if;
  if jsonb_path_exists(value, '$.** ? (@.type() == "number" && (@ > 1e308 || @ < -1e308))') then
    raise exception 'the value holds a number beyond ±1e308' using errcode = 'SW400', detail = pointer,
      hint = 'Send such numbers as strings.';
  end if;
end
$$;

-- Refuse a text that is too long or empty. Bytes count too: these texts are keys of indexes, whose rows are bounded.
create or replace function stepwell.check_text(value text, longest integer, pointer text) returns void
  language plpgsql immutable
as $$
begin
  if value is null or length(value) not between 1 and longest or octet_length(value) > 2 * longest then
    raise exception '% must have 1 to % characters and at most % bytes', substr(pointer, 2), longest, 2 * longest
      using errcode = 'SW400', detail = pointer, hint = 'Shorten or fill the field.';
  end if;
end
$$;
-- Refuse a number that is absent or out of its range.
create or replace function stepwell.check_number(value integer, low integer, high integer, pointer text) returns void
  language plpgsql immutable
as $$
begin
  if value is null or value not between low and high then
    raise exception '% must be between % and %', substr(pointer, 2), low, high
      using errcode = 'SW400', detail = pointer, hint = 'Leave the argument out for its default.';
  end if;
end
$$;

-- Refuse a name or reason that is too long; both may be absent.
create or replace function stepwell.check_who(by text, reason text) returns void
  language plpgsql immutable
as $$
begin
  if by is not null then
    perform stepwell.check_text(by, 200, '/by');
  end if;
  if reason is not null then
    perform stepwell.check_text(reason, 2000, '/reason');
  end if;
end
$$;

-- Refuse labels that are no object of at most 16 short texts, or whose names could not stand in a filter.
create or replace function stepwell.check_labels(labels jsonb) returns void
  language plpgsql immutable
as $$
declare
  label record;
begin
  if labels is null then
    return;
  end if;
  if jsonb_typeof(labels) <> 'object' or (select count(*) from jsonb_object_keys(labels)) > 16 then
    raise exception 'labels must be an object of at most 16 texts' using errcode = 'SW400', detail = '/labels',
      hint = 'Pass them like {"region": "eu"}.';
  end if;
  for label in select key, value from jsonb_each(labels) loop
    if label.key !~ '^[A-Za-z0-9_.-]{1,63}$' then
      raise exception 'the name of a label has 1 to 63 letters, digits and _ . - only; % has not', left(label.key, 100)
        using errcode = 'SW400', detail = '/labels', hint = 'Rename it.';
    end if;
    if jsonb_typeof(label.value) <> 'string' or (label.value #>> '{}') !~ '^[^\x01-\x1f\x7f-\x9f]{1,200}$' then
      raise exception 'the label % must be a text of 1 to 200 characters, none of them a control character', label.key
        using errcode = 'SW400', detail = '/labels/' || label.key, hint = 'Shorten or fill it.';
    end if;
  end loop;
end
$$;
revoke all on function stepwell.check_labels(jsonb) from public;
revoke all on function stepwell.check_value(jsonb, text), stepwell.check_text(text, integer, text),
  stepwell.check_number(integer, integer, integer, text), stepwell.check_who(text, text) from public;
