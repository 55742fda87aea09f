-- Statements of the API about definitions. Role: stepwell_api, under row-level security: only rows of the request's tenant and
-- environment are visible, whatever the statement says; the equality on both is for the index.

-- :name definition.publish
-- Index: definition_by_name. Rows: 1 definition, 1 version, 1 audit row.
select stepwell.publish_definition(%(document)s::jsonb, %(by)s)

-- :name definition.publish_version
-- Index: definition pk. Rows: 1 definition, 1 version, 1 audit row.
select stepwell.publish_version(%(id)s, %(document)s::jsonb, %(by)s)

-- :name definition.enable
-- Index: definition pk. Rows: 1 definition and 1 audit row, or none where it is so already.
select stepwell.enable_definition(%(id)s, %(enabled)s, %(by)s, %(reason)s)

-- :name definition.delete
-- Index: definition pk, process_by_status or process_by_definition. Rows: 1 definition, 1 audit row; with force a mail and a
-- job for each process that has not ended. Locks: the definition's advisory lock.
select stepwell.delete_definition(%(id)s, %(force)s, %(by)s, %(reason)s)

-- :name definition.get
-- One definition with one of its versions (the latest where none is named). Index: definition pk, definition_version pk.
-- Rows: 1 each.
select d.id,
       d.name,
       v.version,
       d.enabled,
       d.created_at,
       d.updated_at,
       v.created_by,
       v.document::text
from stepwell.definition d
join stepwell.definition_version v on v.definition_id = d.id
where d.id = %(id)s
  and d.deleted_at is null
  and v.version = coalesce(%(version)s, d.latest_version)

-- :name definition.list
-- Newest first. Index: definition_in_order, or definition_by_name where a name is given; definition_version pk.
-- Rows: offset + limit + 1.
select d.id,
       d.name,
       d.latest_version,
       d.enabled,
       d.created_at,
       d.updated_at,
       v.created_by
from stepwell.definition d
join stepwell.definition_version v on v.definition_id = d.id and v.version = d.latest_version
where d.tenant_id = %(tenant_id)s
  and d.environment_id = %(environment_id)s
  and d.deleted_at is null
  and d.id < coalesce(%(before)s, 9223372036854775807)
  and (%(name)s::text is null or d.name = %(name)s)
  and (%(enabled)s::boolean is null or d.enabled = %(enabled)s)
order by d.id desc
limit %(limit)s
offset %(offset)s

-- :name definition.by_name
-- The definition a caller means by a name. Index: definition_by_name. Rows: 1.
select id,
       latest_version
from stepwell.definition
where tenant_id = %(tenant_id)s
  and environment_id = %(environment_id)s
  and name = %(name)s
  and deleted_at is null

-- :name definition.by_id
-- The same by its id. Index: definition pk. Rows: 1.
select id,
       latest_version
from stepwell.definition
where id = %(id)s
  and deleted_at is null

-- :name definition.document
-- A published version, which never changes: callers may keep it. Index: definition_version pk. Rows: 1.
select v.document::text
from stepwell.definition_version v
where v.definition_id = %(id)s
  and v.version = %(version)s
