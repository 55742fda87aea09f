-- Statements of `stepwell demo`. The shop's are those of a customer: a login of kind caller, in transactions of its own. The
-- others are the owner's, who looks on and checks at the end; they read everything and would be no model for a program.

-- :name demo.make_shop
-- The customer's own table, in the same database as the engine.
create schema demo_shop;
create table demo_shop.shop_order (
  order_id   text        primary key,
  customer   text        not null,
  amount     numeric     not null,
  process_id text        not null,
  placed_at  timestamptz not null default now()
);
grant usage on schema demo_shop to stepwell_caller;
grant select, insert on demo_shop.shop_order to stepwell_caller;

-- :name demo.start
-- As a shop would: in the transaction that stores the order. Rows: 1 process, 1 history row, 1 job.
select stepwell.start_process(
  definition => %(definition)s,
  input => %(input)s::jsonb,
  business_key => %(business_key)s,
  by => 'shop')

-- :name demo.place_order
-- Rows: 1.
insert into demo_shop.shop_order (order_id, customer, amount, process_id)
values (%(order_id)s, %(customer)s, %(amount)s, %(process_id)s)

-- :name demo.pay
-- As a bank's connector would. Rows: 1 signal, 1 signal job.
select stepwell.send_signal(
  name => 'payment.received',
  correlation_key => %(order_id)s,
  id => %(id)s,
  data => %(data)s::jsonb,
  by => 'bank')

-- :name demo.progress
-- Rows: one per process status.
select status, count(*)
from stepwell.process
group by status

-- :name demo.activities
-- Activities that came to their end. Rows: 1.
select count(*)
from stepwell.history
where type = 'activity.completed'
   or (type = 'activity.failed' and not data ? 'retry_at')

-- :name demo.holders
-- Which operating-system process holds how many of ours. Index: lease_by_worker. Rows: one per worker.
select w.id, w.pid, (select count(*) from stepwell.lease l where l.worker_id = w.id) as held
from stepwell.worker w
order by held desc

-- :name demo.held
-- What is left of a dead worker: its row and its leases. Index: worker pk, lease_by_worker. Rows: 1.
select exists (select from stepwell.worker where id = %(worker)s)
    or exists (select from stepwell.lease where worker_id = %(worker)s)

-- :name demo.outcomes
-- Rows: all processes.
select p.id, d.name, p.status, extract(epoch from p.ended_at - p.created_at)::float8 as seconds
from stepwell.process p
join stepwell.definition d on d.id = p.definition_id

-- :name demo.attempts
-- Per activity: attempts that failed and were tried again, and attempts lost with their worker. Rows: those that have any.
select process_id, path,
       count(*) filter (where type = 'activity.failed' and data ? 'retry_at') as retries,
       count(*) filter (where type = 'activity.started' and (data ->> 'lost')::boolean) as lost
from stepwell.history
where type in ('activity.failed', 'activity.started')
group by process_id, path
having count(*) filter (where type = 'activity.failed' and data ? 'retry_at') > 0
    or count(*) filter (where type = 'activity.started' and (data ->> 'lost')::boolean) > 0

-- :name demo.span
-- First start to last end, and the spread of start-to-end. Rows: 1.
select extract(epoch from max(ended_at) - min(created_at))::float8,
       percentile_cont(0.5) within group (order by extract(epoch from ended_at - created_at)::float8),
       percentile_cont(0.95) within group (order by extract(epoch from ended_at - created_at)::float8)
from stepwell.process

-- :name demo.left_by
-- What a rolled-back start left behind, in any table. Rows: 1.
select (select count(*) from stepwell.process where id = any(%(ids)s))
     + (select count(*) from stepwell.history where process_id = any(%(ids)s))
     + (select count(*) from stepwell.job where process_id = any(%(ids)s))
     + (select count(*) from stepwell.payload where process_id = any(%(ids)s))
     + (select count(*) from stepwell.business_key where process_id = any(%(ids)s))
     + (select count(*) from demo_shop.shop_order where process_id = any(%(public_ids)s))

-- :name demo.orders
-- The shop's orders, each with the process it was stored with. Rows: all orders.
select order_id, process_id
from demo_shop.shop_order

-- :name demo.gaps
-- Processes whose history has a gap or a double: there must be none. Rows: 1.
select count(*)
from (
  select process_id
  from stepwell.history
  group by process_id
  having count(*) <> max(seq) or min(seq) <> 1
) as broken
