-- Whatever may be asked for is found by an index, in the order of the answer.

-- Usage of an operation, or with a status, over any time: the others have theirs. Written by the roll-up, once an hour and row; adding to a row that is there
-- touches no index.
create index usage_hours_operation on usage_hours (operation_id, hour);
create index usage_hours_status on usage_hours (status, hour);

-- What waits for a decision, among all that has been decided.
create index subscriptions_state on subscriptions (state, id);

-- The audit of one thing is asked for by its id alone as well, and a kind newest first.
create index audit_id on audit (id, sequence);
create index audit_kind on audit (kind, sequence);
drop index audit_subject;

-- The time of an entry is never before that of the entry before it, also when the clock of the database was set back: so a span of time is a span of the
-- chain, and each of the indexes above answers for it.
create or replace function audit_append(p_action text, p_kind text, p_id text, p_changed text, p_before bytea, p_after bytea) returns void language plpgsql as $$
declare
    entry audit;
    last record;
begin
    perform pg_advisory_xact_lock(5715151851890230356); -- "OPLTAUDT" in ASCII
    select sequence, at, sha256 into last from audit order by sequence desc limit 1;
    entry.sequence := coalesce(last.sequence, 0) + 1;
    entry.at := greatest(clock_timestamp(), last.at);
    -- Without a service in between, somebody is at the database directly.
    entry.actor := coalesce(nullif(current_setting('openplatform.actor', true), ''), 'database:' || session_user);
    entry.trace_id := coalesce(current_setting('openplatform.trace_id', true), '');
    entry.action := p_action;
    entry.kind := p_kind;
    entry.id := p_id;
    entry.changed := p_changed;
    entry.before_sha256 := p_before;
    entry.after_sha256 := p_after;
    entry.previous_sha256 := coalesce(last.sha256, decode(repeat('00', 32), 'hex'));
    entry.sha256 := sha256(convert_to(concat_ws(E'\n',
        entry.sequence, (extract(epoch from entry.at) * 1000000)::bigint, entry.actor, entry.trace_id, entry.action, entry.kind, entry.id, entry.changed,
        coalesce(encode(entry.before_sha256, 'hex'), ''), coalesce(encode(entry.after_sha256, 'hex'), ''), encode(entry.previous_sha256, 'hex')), 'UTF8'));
    insert into audit select entry.*;
end $$;
