-- Statements of the owner: roles and logins of the server, tenants, environments, keys. Run by hand, by `migrate`, `up` and
-- the administration commands; never by the API or a worker. All tables here are small (one row per tenant, environment,
-- login or key). Each change writes its audit row in the same statement.
--
-- PostgreSQL takes no parameters in CREATE ROLE and CREATE DATABASE: the statements named *_text return the text to be
-- executed, with every name and value quoted by the server. Passwords arrive as SCRAM verifiers, so that none is ever in a log.

-- :name admin.role
-- Catalogue pg_authid, by name. Rows: 0 or 1.
select rolsuper or rolcreaterole as may_make_roles
from pg_roles
where rolname = %(name)s

-- :name admin.myself
-- Who migrates must own the schema, and be allowed to make it (`create … if not exists` asks for both). Catalogue. Rows: 1.
select session_user::text, current_database()::text, r.rolsuper, r.rolcreaterole,
       coalesce(pg_has_role(n.nspowner, 'usage'), true) and has_database_privilege(current_database(), 'create') as may_own,
       current_setting('server_version_num')::integer
from pg_roles r
left join pg_namespace n on n.nspname = 'stepwell'
where r.rolname = session_user

-- :name admin.database
-- Catalogue pg_database, by name. Rows: 0 or 1.
select true from pg_database where datname = %(name)s

-- :name admin.create_owner_text
-- Owns the database and makes roles; no superuser, so that it meets the same limits as on a managed server. Rows: 1.
select 'create role ' || quote_ident(%(name)s) || ' login createrole nosuperuser nocreatedb password '
       || quote_literal(%(verifier)s)

-- :name admin.create_database_text
-- Rows: 1.
select 'create database ' || quote_ident(%(name)s) || ' owner ' || quote_ident(%(owner)s)

-- :name admin.create_login_text
-- A login and its one group. On PostgreSQL 16 and newer this needs the admin option on the group, which whoever made the
-- group has. A connection limit of -1 is none. Rows: 1.
select 'create role ' || quote_ident(%(name)s) || ' login nosuperuser nocreatedb nocreaterole nobypassrls inherit password '
       || quote_literal(%(verifier)s) || ' connection limit ' || %(connections)s::integer || ' in role '
       || quote_ident(%(group)s)

-- :name admin.limit_text
-- Rows: 1.
select 'alter role ' || quote_ident(%(name)s) || ' connection limit ' || %(connections)s::integer

-- :name admin.set_password_text
-- Rows: 1.
select 'alter role ' || quote_ident(%(name)s) || ' login password ' || quote_literal(%(verifier)s)

-- :name admin.grant_text
-- Rows: 1.
select 'grant ' || quote_ident(%(group)s) || ' to ' || quote_ident(%(name)s)

-- :name admin.add_tenant
-- Index: tenant_name_key. Rows: 1, or 0 where the name is taken.
with made as (
  insert into stepwell.tenant (name, created_at)
  values (%(name)s, stepwell.now())
  on conflict (name) do nothing
  returning id, name, created_at
),
noted as (
  insert into stepwell.audit (id, tenant_id, at, actor, action, subject)
  select stepwell.new_id(), id, stepwell.now(), session_user, 'tenant.created', name
  from made
)
select id, name, created_at
from made

-- :name admin.tenants
-- Rows: all tenants with their environments.
select t.name, coalesce(array_agg(e.name order by e.name) filter (where e.name is not null), '{}') as environments, t.created_at
from stepwell.tenant t
left join stepwell.environment e on e.tenant_id = t.id
group by t.id
order by t.name

-- :name admin.add_environment
-- Index: tenant_name_key, environment_tenant_id_name_key. Rows: 1, or 0 where the tenant is unknown or the name is taken.
with made as (
  insert into stepwell.environment (tenant_id, name, created_at)
  select id, %(name)s, stepwell.now()
  from stepwell.tenant
  where name = %(tenant)s
  on conflict (tenant_id, name) do nothing
  returning id, tenant_id, name, created_at
),
noted as (
  insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject)
  select stepwell.new_id(), tenant_id, id, stepwell.now(), session_user, 'environment.created', name
  from made
)
select id, tenant_id, name, created_at
from made

-- :name admin.environments
-- Index: none; both tables are small. Rows: the environments of the tenant, or of all.
select t.name as tenant, e.name as environment, e.created_at
from stepwell.environment e
join stepwell.tenant t on t.id = e.tenant_id
where %(tenant)s::text is null or t.name = %(tenant)s
order by t.name, e.name

-- :name admin.scope
-- Index: tenant_name_key, environment_tenant_id_name_key. Rows: 0 or 1; environment_id is null where there is none such.
select t.id as tenant_id, e.id as environment_id
from stepwell.tenant t
left join stepwell.environment e on e.tenant_id = t.id and e.name = %(environment)s
where t.name = %(tenant)s

-- :name admin.add_login
-- What a database login speaks for. A row that is there already stays, if it says the same. Index: login_pkey. Rows: 0 or 1.
with made as (
  insert into stepwell.login as l (role_name, kind, tenant_id, environment_id, created_at)
  values (%(name)s, %(kind)s, %(tenant_id)s::integer, %(environment_id)s::integer, stepwell.now())
  on conflict (role_name) do nothing
  returning role_name, kind, tenant_id, environment_id
),
noted as (
  insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject, data)
  select stepwell.new_id(), coalesce(tenant_id, 0), environment_id, stepwell.now(), session_user, 'login.created', role_name,
         jsonb_build_object('kind', kind) || case when %(existing)s then '{"existing": true}'::jsonb else '{}'::jsonb end
  from made
)
select role_name
from made

-- :name admin.made_logins
-- The logins of a tenant, of an environment where one is given, or of this name; and whether each role was made here: the
-- newest note of it says so, and not that the role was there before; one registered by hand has none. Rows: the logins
-- asked for; the audit trail is read through.
select l.role_name,
       l.kind,
       coalesce((
         select a.data ->> 'existing' is null
         from stepwell.audit a
         where a.action = 'login.created'
           and a.subject = l.role_name
         order by a.id desc
         limit 1
       ), false) as made_here
from stepwell.login l
where (%(name)s::text is null or l.role_name = %(name)s)
  and (%(tenant_id)s::integer is null or l.tenant_id = %(tenant_id)s)
  and (%(environment_id)s::integer is null or l.environment_id = %(environment_id)s)
order by l.role_name

-- :name admin.remove_login
-- Index: login_pkey. Rows: 0 or 1.
with gone as (
  delete from stepwell.login
  where role_name = %(name)s
  returning role_name, kind, tenant_id, environment_id
),
noted as (
  insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject, reason, data)
  select stepwell.new_id(), coalesce(tenant_id, 0), environment_id, stepwell.now(), session_user, 'login.revoked', role_name,
         %(reason)s::text, jsonb_build_object('kind', kind)
  from gone
)
select role_name
from gone

-- :name admin.revoke_text
-- Rows: 1.
select 'revoke ' || quote_ident(%(group)s) || ' from ' || quote_ident(%(name)s)

-- :name admin.drop_login_text
-- Rows: 1.
select 'drop role ' || quote_ident(%(name)s)

-- :name admin.end_sessions
-- Ends the sessions of a login; those of a role one is not member of cannot be ended. Rows: its sessions.
select pg_terminate_backend(pid)
from pg_stat_activity
where usename = %(name)s

-- :name admin.login
-- Index: login_pkey. Rows: 0 or 1.
select kind from stepwell.login where role_name = %(name)s

-- :name admin.logins
-- Rows: all logins.
select l.role_name, l.kind, t.name as tenant, e.name as environment, l.created_at
from stepwell.login l
left join stepwell.tenant t on t.id = l.tenant_id
left join stepwell.environment e on e.id = l.environment_id
order by l.role_name

-- :name admin.add_key
-- Only the hash of a key is kept. The same key again changes nothing. Index: api_key_hash_key. Rows: 1, or 0.
with made as (
  insert into stepwell.api_key (id, tenant_id, environment_id, name, hash, scopes, created_at)
  values (stepwell.new_id(), %(tenant_id)s, %(environment_id)s, %(name)s, %(hash)s, %(scopes)s, stepwell.now())
  on conflict (hash) do nothing
  returning id, tenant_id, environment_id, name, scopes
),
noted as (
  insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject, data)
  select stepwell.new_id(), tenant_id, environment_id, stepwell.now(), session_user, 'key.created',
         stepwell.public_id('key', id), jsonb_build_object('name', name, 'scopes', scopes)
  from made
)
select stepwell.public_id('key', id)
from made

-- :name admin.keys
-- Without what is revoked, unless that is asked for. Rows: all keys of the tenant and environment, or of all.
select stepwell.public_id('key', k.id), k.name, t.name as tenant, e.name as environment, k.scopes, k.created_at, k.revoked_at
from stepwell.api_key k
join stepwell.tenant t on t.id = k.tenant_id
join stepwell.environment e on e.id = k.environment_id
where (%(tenant)s::text is null or t.name = %(tenant)s)
  and (%(environment)s::text is null or e.name = %(environment)s)
  and (%(revoked)s or k.revoked_at is null)
order by t.name, e.name, k.id

-- :name admin.revoke_keys
-- Revokes one key, or all of a tenant, or of one environment of it, that are in force. Rows: those keys, with an audit row
-- each. Index: api_key_pkey, or none: the table is small.
with gone as (
  update stepwell.api_key
  set revoked_at = stepwell.now()
  where revoked_at is null
    and (%(id)s::bigint is null or id = %(id)s)
    and (%(tenant_id)s::integer is null or tenant_id = %(tenant_id)s)
    and (%(environment_id)s::integer is null or environment_id = %(environment_id)s)
  returning id, tenant_id, environment_id, name
),
noted as (
  insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject, reason, data)
  select stepwell.new_id(), tenant_id, environment_id, stepwell.now(), session_user, 'key.revoked',
         stepwell.public_id('key', id), %(reason)s::text, jsonb_build_object('name', name)
  from gone
)
select stepwell.public_id('key', id), name
from gone
order by id

-- :name admin.note
-- Rows: 1 audit row.
insert into stepwell.audit (id, tenant_id, environment_id, at, actor, action, subject, reason)
values (stepwell.new_id(), %(tenant_id)s, %(environment_id)s::integer, stepwell.now(), session_user, %(action)s, %(subject)s,
        %(reason)s::text)

-- :name admin.key
-- Index: api_key_pkey. Rows: 0 or 1.
select k.name, t.name as tenant, e.name as environment, k.revoked_at
from stepwell.api_key k
join stepwell.tenant t on t.id = k.tenant_id
join stepwell.environment e on e.id = k.environment_id
where k.id = %(id)s

-- :name admin.known_key
-- Whether this key is in force, and for whom. Index: api_key_hash_key. Rows: 0 or 1.
select k.revoked_at is null, k.tenant_id, k.environment_id, k.scopes
from stepwell.api_key k
where k.hash = %(hash)s
