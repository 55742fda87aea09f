-- Definitions. A published version never changes; running processes keep theirs.

create table stepwell.definition (
  id             bigint      primary key,
  tenant_id      integer     not null references stepwell.tenant,
  environment_id integer     not null references stepwell.environment,
  name           text        not null,
  enabled        boolean     not null default true,
  latest_version integer     not null,
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  deleted_at     timestamptz,
  constraint definition_name_is_short check (length(name) between 1 and 200)
);
create unique index definition_by_name on stepwell.definition (tenant_id, environment_id, name) where deleted_at is null;
create index definition_in_order on stepwell.definition (tenant_id, environment_id, id);

create table stepwell.definition_version (
  definition_id  bigint      not null references stepwell.definition,
  version        integer     not null,
  tenant_id      integer     not null,
  environment_id integer     not null,
  document       jsonb       not null,
  created_at     timestamptz not null,
  created_by     text        not null,
  primary key (definition_id, version)
);
