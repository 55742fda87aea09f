-- Send a signal: one `signal` row and one `signal_job` in the caller's transaction. A worker matches it with the open
-- waits later, in a transaction of its own. With a correlation key it is also kept (ttl_seconds) for the first matching
-- wait registered later. The same `id` twice within a day sends once. Returns the signal's public id.
create or replace function stepwell.send_signal(
  name            text,
  data            jsonb   default '{}',
  correlation_key text    default null,
  id              text    default null,
  ttl_seconds     integer default 604800,
  by              text    default null
) returns text
  language plpgsql security definer
  set search_path = stepwell, pg_temp
  set lock_timeout = '2s'
as $$
declare
  mine      record := scope();
  signal_id bigint := new_id();
  moment    timestamptz := stepwell.now();
  known     text;
begin
  perform check_text(name, 200, '/name');
  perform check_value(coalesce(data, 'null'), '/data');
  if correlation_key is not null then
    perform check_text(correlation_key, 500, '/correlation_key');
  end if;
  perform check_number(ttl_seconds, 1, 31536000, '/ttl_seconds');
  perform check_who(by, null);
  if id is not null then
    perform check_text(id, 200, '/id');
    begin
      insert into idempotency_key (tenant_id, environment_id, key, fingerprint, answer)
      values (mine.tenant_id, mine.environment_id, 'signal:' || id, '', to_jsonb(public_id('sig', signal_id)))
      on conflict do nothing;
      known := case when not found then 'sent before' end;
    exception when lock_not_available then
      raise exception 'another open transaction is sending the signal with id %', id using errcode = 'SW409',
        detail = '/id', hint = 'Try again when it has ended; the signal is sent once.';
    end;
    if known is not null then
      select k.answer #>> '{}' into known
      from idempotency_key k
      where k.tenant_id = mine.tenant_id and k.environment_id = mine.environment_id and k.key = 'signal:' || send_signal.id;
      return known;
    end if;
  end if;
  insert into signal (id, tenant_id, environment_id, name, correlation, command, expires_at)
  values (signal_id, mine.tenant_id, mine.environment_id, name, coalesce(correlation_key, ''),
          jsonb_strip_nulls(jsonb_build_object(
            'kind', 'signal', 'signal_id', signal_id, 'name', name, 'correlation', correlation_key,
            'by', signed(by))) || jsonb_build_object('data', data),
          moment + make_interval(secs => ttl_seconds));
  insert into signal_job (id, signal_id, tenant_id, environment_id)
  values (signal_id, signal_id, mine.tenant_id, mine.environment_id);
  perform wake_workers();
  return public_id('sig', signal_id);
end
$$;
revoke all on function stepwell.send_signal(text, jsonb, text, text, integer, text) from public;
grant execute on function stepwell.send_signal(text, jsonb, text, text, integer, text) to stepwell_api, stepwell_caller;
