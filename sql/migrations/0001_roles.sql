-- Group roles. Roles are cluster-wide: another database of the same server may have made them already.
-- They cannot log in; `stepwell login create` makes a login and grants it exactly one of them.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['stepwell_api', 'stepwell_worker', 'stepwell_report', 'stepwell_caller'] loop
    continue when exists (select from pg_roles where rolname = wanted);
    begin
      execute format('create role %I nologin', wanted);
    exception
      when duplicate_object or unique_violation then null; -- somebody was faster
    end;
  end loop;
end
$$;
