-- Gives the target something to wait for: a job that runs and one queued behind it.  The sample
-- platform's worker marks them done when they are due.
insert into registry.customer_task (ctx, kind, state, started_at, finishes_at)
select ctx, 'Mirroring', 'running', now(), now() + interval '8 seconds'
from registry.customer where ctx = :'ctx'
    and not exists (select from registry.customer_task t where t.ctx = :'ctx' and t.state in ('queued', 'running'));
insert into registry.customer_task (ctx, kind, state, finishes_at)
select ctx, 'ExportStatistics', 'queued', finishes_at + interval '1 second'
from registry.customer_task where ctx = :'ctx' and state = 'running'
    and not exists (select from registry.customer_task t where t.ctx = :'ctx' and t.state = 'queued');
