-- Who changed what. Written by triggers, so that no code can forget it; each entry carries the hash of the one before it, so that
-- nothing can be taken out, put in or altered without being found (docs/audit.md).

create table audit (
    sequence         bigint primary key check (sequence > 0),
    at               timestamptz not null,
    -- The texts stand on lines of their own in what is hashed, hence no line breaks.
    actor            text not null check (length(actor) between 1 and 200 and actor !~ '[\n\r]'),
    trace_id         text not null check (trace_id ~ '^([0-9a-f]{32})?$'),
    action           text not null check (action in ('insert', 'update', 'delete')),
    kind             text not null check (kind ~ '^[a-z][a-z-]{0,62}$'),
    id               text not null check (length(id) between 1 and 500 and id !~ '[\n\r]'),
    -- Names of the columns that changed, separated by commas; all of them for a new row, none for a deleted one.
    changed          text not null check (changed !~ '[\n\r]'),
    -- SHA-256 over the row as JSON, without columns that hold secrets.
    before_sha256    bytea check (octet_length(before_sha256) = 32),
    after_sha256     bytea check (octet_length(after_sha256) = 32),
    previous_sha256  bytea not null check (octet_length(previous_sha256) = 32),
    sha256           bytea not null check (octet_length(sha256) = 32)
);
create index audit_subject on audit (kind, id, sequence);
create index audit_actor on audit (actor, sequence);
create index audit_at on audit (at, sequence);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only' using errcode = 'integrity_constraint_violation';
end $$;
create trigger audit_rows_stay before update or delete on audit for each row execute function audit_is_append_only();
create trigger audit_stays before truncate on audit for each statement execute function audit_is_append_only();

-- Writers stand in a row here until they commit: a chain has one end. Read the end in a statement of its own, which sees what the
-- writer before committed.
create function audit_append(p_action text, p_kind text, p_id text, p_changed text, p_before bytea, p_after bytea) returns void language plpgsql as $$
declare
    entry audit;
    last record;
begin
    perform pg_advisory_xact_lock(5715151851890230356); -- "OPLTAUDT" in ASCII
    select sequence, sha256 into last from audit order by sequence desc limit 1;
    entry.sequence := coalesce(last.sequence, 0) + 1;
    entry.at := clock_timestamp();
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

-- Known by their names: hashes of keys and passwords, envelopes. Their change is told, their content is not even hashed.
create function audit_is_secret(p_column text) returns boolean language sql immutable as $$
    select p_column ~ '(^|_)(hash|secret|envelope|sealed|password|salt|private_key)$'
$$;

create function audit_sha256(p_row jsonb) returns bytea language sql immutable as $$
    select case when p_row is not null then sha256(convert_to(
        (select coalesce(jsonb_object_agg(key, value), '{}')::text from jsonb_each(p_row) where not audit_is_secret(key)), 'UTF8')) end
$$;

-- One entry per row:
--     create trigger plans_audit after insert or update or delete on plans for each row execute function audit_change('plan');
-- The row's id is in column id; columns that make it up together are named: audit_change('api-revision', 'version_id', 'revision').
create function audit_change() returns trigger language plpgsql as $$
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    subject text := coalesce(after, before) ->> 'id';
    changed text;
begin
    if tg_op = 'UPDATE' and before = after then
        return null;
    end if;

    if tg_nargs > 1 then
        select string_agg(coalesce(after, before) ->> column_name, '/' order by ordinality) into subject
        from unnest(tg_argv) with ordinality as names (column_name, ordinality) where ordinality > 1;
    end if;

    select string_agg(key, ',' order by key) into changed from jsonb_each(after) where before is null or value is distinct from before -> key;
    perform audit_append(lower(tg_op), tg_argv[0], subject, coalesce(changed, ''), audit_sha256(before), audit_sha256(after));
    return null;
end $$;

-- One entry per thing for rows that are its parts, written and deleted together (the limits of a plan, the operations of a revision):
--     create trigger plan_rate_limits_audit_new after insert on plan_rate_limits referencing new table as parts
--         for each statement execute function audit_parts('plan-limits', 'plan_id');
--     create trigger plan_rate_limits_audit_old after delete on plan_rate_limits referencing old table as parts
--         for each statement execute function audit_parts('plan-limits', 'plan_id');
create function audit_parts() returns trigger language plpgsql as $$
declare
    thing record;
begin
    for thing in
        select subject, sha256(convert_to(string_agg(encode(audit_sha256(part), 'hex'), E'\n' order by part::text), 'UTF8')) as content, count(*) as parts
        from (
            select to_jsonb(parts) as part,
                   (select string_agg(to_jsonb(parts) ->> column_name, '/' order by ordinality) from unnest(tg_argv) with ordinality as names (column_name, ordinality) where ordinality > 1) as subject
            from parts
        ) as rows
        group by subject order by subject
    loop
        perform audit_append(lower(tg_op), tg_argv[0], thing.subject, thing.parts || ' parts',
            case when tg_op = 'DELETE' then thing.content end, case when tg_op = 'INSERT' then thing.content end);
    end loop;
    return null;
end $$;

create trigger backends_audit after insert or update or delete on backends for each row execute function audit_change('backend');
create trigger apis_audit after insert or update or delete on apis for each row execute function audit_change('api');
create trigger api_versions_audit after insert or update or delete on api_versions for each row execute function audit_change('api-version');
create trigger api_revisions_audit after insert or update or delete on api_revisions for each row execute function audit_change('api-revision', 'version_id', 'revision');
create trigger api_operations_audit after insert on api_operations referencing new table as parts
    for each statement execute function audit_parts('api-operations', 'version_id', 'revision');
create trigger plans_audit after insert or update or delete on plans for each row execute function audit_change('plan');
create trigger plan_rate_limits_audit_new after insert on plan_rate_limits referencing new table as parts
    for each statement execute function audit_parts('plan-limits', 'plan_id');
create trigger plan_rate_limits_audit_old after delete on plan_rate_limits referencing old table as parts
    for each statement execute function audit_parts('plan-limits', 'plan_id');
create trigger organizations_audit after insert or update or delete on organizations for each row execute function audit_change('organization');
create trigger applications_audit after insert or update or delete on applications for each row execute function audit_change('application');
create trigger credentials_audit after insert or update or delete on credentials for each row execute function audit_change('credential');
create trigger subscriptions_audit after insert or update or delete on subscriptions for each row execute function audit_change('subscription');
