-- What `stepwell doctor` asks the server. Role: the owner, or any program's login; each statement reads catalogues and
-- statistics views only, a handful of rows, and takes no lock that anybody waits for.

-- :name doctor.server
-- Rows: 1.
select current_setting('server_version_num')::integer as version,
       current_setting('server_encoding') as encoding,
       clock_timestamp() as at,
       session_user::text as login,
       current_database()::text as database,
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls

-- :name doctor.session
-- The same number each time means that this connection is one session; behind a transaction-mode pooler it changes. Rows: 1.
select pg_backend_pid()

-- :name doctor.settings
-- Rows: one per name asked for that this release knows.
select name, setting
from pg_settings
where name = any(%(names)s)

-- :name doctor.old_transactions
-- What has held back vacuum and the feed for longer than %(seconds)s. Of others' sessions a plain login sees nothing: see
-- doctor.sees_all. Rows: at most 5.
select what, age_s
from (
  select format('session %%s of %%s (%%s)', pid, usename, coalesce(nullif(application_name, ''), '?')) as what,
         extract(epoch from clock_timestamp() - xact_start)::integer as age_s
  from pg_stat_activity
  where datname = current_database()
    and backend_type = 'client backend'
    and xact_start is not null
    and pid <> pg_backend_pid()
  union all
  select format('prepared transaction %%s', gid), extract(epoch from clock_timestamp() - prepared)::integer
  from pg_prepared_xacts
  where database = current_database()
) as held
where age_s > %(seconds)s
order by age_s desc
limit 5

-- :name doctor.sees_all
-- Whether this login may see the sessions of others. Rows: 1.
select pg_has_role('pg_read_all_stats', 'usage')

-- :name doctor.old_slots
-- Replication slots that hold back vacuum by many transactions. Rows: at most 5.
select slot_name::text, age(xmin) as transactions
from pg_replication_slots
where age(xmin) > %(transactions)s
limit 5

-- :name doctor.role
-- Of one login (%(name)s null: of this session): what would let it pass by row-level security, and which of our groups it
-- is in. Rows: 0 or 1.
select r.rolsuper as superuser,
       r.rolbypassrls as bypassrls,
       coalesce(pg_has_role(r.oid, n.nspowner, 'member'), false) as owner,
       array(
         select g.rolname::text
         from pg_roles g
         where g.rolname in ('stepwell_api', 'stepwell_worker', 'stepwell_report', 'stepwell_caller')
           and pg_has_role(r.oid, g.oid, 'member')
         order by 1) as groups
from pg_roles r
left join pg_namespace n on n.nspname = 'stepwell'
where r.rolname = coalesce(%(name)s::text, session_user::text)

-- :name doctor.logins
-- Needs the owner. Rows: all logins.
select l.role_name, l.kind
from stepwell.login l
order by l.role_name

-- :name doctor.workers
-- Needs the owner or a worker. Rows: one per writing connection.
select count(*), coalesce(extract(epoch from clock_timestamp() - max(seen_at)), 0)::integer
from stepwell.worker

-- :name doctor.quarantined
-- Processes that took five workers down with them. Index: none; the table holds losses only, a few rows. Rows: 1.
select count(*)
from stepwell.loss
where quarantined_at is not null

-- :name doctor.partitions
-- Catalogue. Whether history has a partition for next month. Rows: 1.
select to_regclass('stepwell.history_' || to_char((now() at time zone 'UTC') + interval '1 month', 'YYYY_MM')) is not null

-- :name doctor.epoch
-- Needs the owner. The epoch of the feed, and when it was noted. Rows: 1.
select epoch, to_char(min(at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
from stepwell.place
group by epoch
order by epoch desc
limit 1

-- :name doctor.left_prepared
-- Needs the owner. Prepared transactions of this database from before the feed's present epoch. Rows: at most 5.
select p.gid
from pg_prepared_xacts p
where p.database = current_database()
  and age(p.transaction) > (
    select age(min(l.tx)::xid)
    from stepwell.place l
    group by l.epoch
    order by l.epoch desc
    limit 1)
order by p.prepared
limit 5

-- :name doctor.ids_ahead
-- Needs the owner. By how many seconds the newest process is ahead of the server's clock. Index: process pk. Rows: 1.
select coalesce((max(id) >> 20) / 1000 - floor(extract(epoch from clock_timestamp()))::bigint, 0)
from stepwell.process
