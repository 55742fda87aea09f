-- Statements of the API about tasks. Role: stepwell_api, under row-level security: only rows of the request's tenant and
-- environment are visible, whatever the statement says; the equality on both is for the index.

-- :name task.list
-- Oldest process first. Index: task_in_order (task pk where a process is named), definition pk.
-- Rows: limit + 1 matching ones.
select t.process_id,
       t.path,
       t.run,
       t.definition_id,
       d.name,
       t.title,
       t.assignee,
       t."group",
       t.form::text,
       t.due_at,
       t.created_at,
       coalesce(t.due_at < stepwell.now(), false) as overdue
from stepwell.task t
join stepwell.definition d on d.id = t.definition_id
where t.tenant_id = %(tenant_id)s
  and t.environment_id = %(environment_id)s
  and (t.process_id, t.path) > (%(after_process)s, %(after_path)s)
  and (%(assignee)s::text is null or t.assignee = %(assignee)s)
  and (%(group)s::text is null or t."group" = %(group)s)
  and (%(definition_id)s::bigint is null or t.definition_id = %(definition_id)s)
  and (%(process_id)s::bigint is null or t.process_id = %(process_id)s)
order by t.process_id, t.path
limit %(limit)s

-- :name task.get
-- Index: task pk, definition pk. Rows: 1.
select t.process_id,
       t.path,
       t.run,
       t.definition_id,
       d.name,
       t.title,
       t.assignee,
       t."group",
       t.form::text,
       t.due_at,
       t.created_at,
       coalesce(t.due_at < stepwell.now(), false) as overdue
from stepwell.task t
join stepwell.definition d on d.id = t.definition_id
where t.process_id = %(process_id)s
  and t.path = %(path)s
  and t.tenant_id = %(tenant_id)s
  and t.environment_id = %(environment_id)s

-- :name task.assign
-- Rows: 1 mail, 1 job.
select stepwell.assign_task(
  task => %(task)s,
  by => %(by)s,
  "to" => %(to)s,
  reason => %(reason)s,
  claim => %(claim)s)

-- :name task.complete
-- Rows: 1 mail, 1 job.
select stepwell.complete_task(task => %(task)s, by => %(by)s, data => %(data)s::jsonb, reason => %(reason)s)

-- :name task.reject
-- Rows: 1 mail, 1 job.
select stepwell.reject_task(task => %(task)s, by => %(by)s, reason => %(reason)s)
