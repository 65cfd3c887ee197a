-- What the service holds to, held against whoever else writes. Nothing here changes what the service does, so replicas of the version before go on.

-- Revoked is revoked: of credentials and of tokens. A public key is what a credential is; an envelope may be closed anew under another key.
create function refuse_return() returns trigger language plpgsql as $$
begin
    raise exception 'what was revoked stays so' using errcode = 'check_violation', table = tg_table_name, constraint = tg_table_name || '_stay_revoked';
end $$;
create trigger credentials_stay_revoked before update on credentials for each row
    when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) execute function refuse_return();
create trigger access_tokens_stay_revoked before update on access_tokens for each row
    when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) execute function refuse_return();
create trigger credentials_keep_their_key before update on credentials for each row
    when (old.type in ('public-key', 'client-key') and new.key is distinct from old.key) execute function refuse_other_credential();
create trigger access_tokens_stay_what_they_are before update on access_tokens for each row
    when ((old.id, old.hash, old.roles, old.organization_id) is distinct from (new.id, new.hash, new.roles, new.organization_id)) execute function refuse_change();

-- What an application was used for stays with its organization.
create function refuse_other_owner() returns trigger language plpgsql as $$
begin
    raise exception 'it stays with its organization' using errcode = 'check_violation', table = tg_table_name, constraint = tg_table_name || '_stay_with_their_organization';
end $$;
create trigger applications_stay_with_their_organization before update on applications for each row
    when ((old.id, old.organization_id) is distinct from (new.id, new.organization_id)) execute function refuse_other_owner();

-- acme/shop is the application shop of acme: with a slash in it a name could be read as another partner's. Old names stay until they are changed.
alter table organizations add constraint organizations_name_without_slash check (name !~ '/') not valid;

-- A revision of a plan goes with its plan only; at the commit, because the rows are deleted together.
create function keep_plan_revision() returns trigger language plpgsql as $$
begin
    if exists (select from plans where id = old.plan_id) then
        raise exception 'the revisions of a plan stay' using errcode = 'integrity_constraint_violation', table = 'plan_revisions';
    end if;
    return null;
end $$;
create constraint trigger plan_revisions_stay after delete on plan_revisions deferrable initially deferred for each row execute function keep_plan_revision();

-- Two operations of a revision never match the same requests.
create unique index api_operations_one_per_shape on api_operations (version_id, revision, method, regexp_replace(path_template, '\{[^}]*\}', '{}', 'g'));

-- Numbers of revisions have no gaps, and what a number stands for never changes: only the content of old ones goes.
create function check_config_revision() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'config_head' then
        if new.revision is distinct from coalesce(old.revision, 0) + 1 then
            raise exception 'revision % does not follow %', new.revision, old.revision using errcode = 'check_violation', table = 'config_head', constraint = 'config_head_without_gaps';
        end if;
    elsif tg_op = 'INSERT' then
        if new.revision is distinct from (select coalesce(revision, 0) + 1 from config_head) then
            raise exception 'revision % is not the next one', new.revision using errcode = 'check_violation', table = 'config_revisions', constraint = 'config_revisions_without_gaps';
        end if;
    elsif (new.revision, new.created_at, new.content_sha256, new.signature, new.changed) is distinct from (old.revision, old.created_at, old.content_sha256, old.signature, old.changed) then
        raise exception 'a revision is immutable' using errcode = 'integrity_constraint_violation', table = 'config_revisions';
    end if;
    return new;
end $$;
create trigger config_head_without_gaps before update on config_head for each row execute function check_config_revision();
create trigger config_revisions_without_gaps before insert or update on config_revisions for each row execute function check_config_revision();

-- What happened has happened.
create trigger outbox_is_immutable before update on outbox for each row execute function refuse_change();

-- Emptying a table at once fires no trigger for its rows: no audit, no shard, no rule of the above.
create function refuse_truncate() returns trigger language plpgsql as $$
begin
    raise exception '% is not emptied at once: delete its rows', tg_table_name using errcode = 'integrity_constraint_violation', table = tg_table_name;
end $$;
do $$
declare
    name text;
begin
    for name in
        select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc f on f.oid = t.tgfoid
        where f.proname in ('audit_change', 'audit_parts') and c.relnamespace = current_schema()::regnamespace
    loop
        execute format('create trigger stays before truncate on %I for each statement execute function refuse_truncate()', name);
    end loop;
end $$;

-- A backend may answer with any three digits, and what is answered counts: a status that was no more than odd held back the whole batch it stood in.
alter table usage_items drop constraint if exists usage_items_status_check;
-- Partitions that were attached have it of their own as well.
do $$
declare
    name text;
begin
    for name in select p.name from usage_partitions p join pg_class c on c.relname = p.name and c.relnamespace = current_schema()::regnamespace loop
        execute format('alter table %I drop constraint if exists usage_items_status_check', name);
    end loop;
end $$;
-- Not looked up again in what is there: it obeyed the narrower one.
alter table usage_items add constraint usage_items_status_check check (status between 100 and 999) not valid;

-- Whose an application was that is gone: what it was used for stays with its organization, also what gateways deliver later.
create table applications_gone (
    id               uuid primary key,
    organization_id  uuid not null
);
insert into applications_gone (id, organization_id)
select distinct on (application_id) application_id, organization_id from usage_hours h
where organization_id is not null and not exists (select from applications a where a.id = h.application_id)
order by application_id, hour desc;

create function keep_owner() returns trigger language plpgsql as $$
begin
    insert into applications_gone (id, organization_id) values (old.id, old.organization_id) on conflict do nothing;
    return null;
end $$;
create trigger applications_gone after delete on applications for each row execute function keep_owner();
