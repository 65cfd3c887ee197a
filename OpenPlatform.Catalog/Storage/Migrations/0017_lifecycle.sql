-- Versions live: draft -> published -> deprecated -> retired, and may be blocked beside that. Revisions are drafts until they are published;
-- then they are immutable. The old triggers let nothing change; the new ones know what a draft is.

alter table api_revisions
    -- Null: a draft. Replicas that do not know drafts yet publish what they insert.
    add column published_at timestamptz default now(),
    -- What lint said of the document when it was written.
    add column findings jsonb check (jsonb_typeof(findings) = 'array');
alter table api_revisions disable trigger api_revisions_are_immutable;
update api_revisions set published_at = created_at;
alter table api_revisions enable trigger api_revisions_are_immutable;

-- A version works on one revision at a time.
create unique index api_revisions_one_draft on api_revisions (version_id) where published_at is null;

-- The backend of a revision in force stays (see below); that of a past one may go.
alter table api_revisions
    alter column backend_id drop not null,
    drop constraint api_revisions_backend_id_fkey,
    add constraint api_revisions_backend_id_fkey foreign key (backend_id) references backends on delete set null,
    drop constraint api_revisions_version_id_fkey,
    add constraint api_revisions_version_id_fkey foreign key (version_id) references api_versions on delete cascade;
create index api_revisions_backend on api_revisions (backend_id);
alter table api_operations
    drop constraint api_operations_version_id_revision_fkey,
    add constraint api_operations_version_id_revision_fkey foreign key (version_id, revision) references api_revisions on delete cascade;

alter table api_versions
    alter column current_revision drop not null,
    add column state           text not null default 'published' check (state in ('draft', 'published', 'deprecated', 'retired')),
    add column deprecated_at   timestamptz,
    add column sunset_at       timestamptz,
    add column successor_id    uuid,
    add column documentation   text check (length(documentation) between 1 and 2048),
    add column retired_at      timestamptz,
    add column blocked_reason  text check (length(blocked_reason) between 1 and 200),
    add column blocked_at      timestamptz,
    add column blocked_until   timestamptz,
    add constraint api_versions_draft_has_nothing_in_force check ((state = 'draft') = (current_revision is null)),
    add constraint api_versions_deprecated_at check ((state in ('deprecated', 'retired')) = (deprecated_at is not null)),
    add constraint api_versions_retired_at check ((state = 'retired') = (retired_at is not null)),
    add constraint api_versions_sunset_at check (sunset_at >= deprecated_at or sunset_at is null),
    add constraint api_versions_said_of_deprecated check (deprecated_at is not null or (sunset_at is null and successor_id is null and documentation is null)),
    add constraint api_versions_successor_is_another check (successor_id <> id),
    add constraint api_versions_of_api unique (api_id, id),
    add constraint api_versions_successor_of_same_api foreign key (api_id, successor_id) references api_versions (api_id, id),
    add constraint api_versions_blocked check ((blocked_reason is null) = (blocked_at is null) and (blocked_until is null or blocked_until > blocked_at)),
    add constraint api_versions_draft_is_not_blocked check (state <> 'draft' or blocked_at is null);

create function move_version() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state not in ('draft', 'published') then
            raise exception 'a version begins as draft or published' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end if;
    if new.state <> old.state and (old.state, new.state) not in (('draft', 'published'), ('published', 'deprecated'), ('deprecated', 'retired')) then
        raise exception 'a version that is % cannot become %', old.state, new.state using errcode = 'integrity_constraint_violation';
    end if;
    if (new.id, new.api_id, new.version, new.base_path) is distinct from (old.id, old.api_id, old.version, old.base_path) then
        raise exception 'a version keeps its label and its path' using errcode = 'integrity_constraint_violation';
    end if;
    if old.state = 'retired' and new.current_revision is distinct from old.current_revision then
        raise exception 'a retired version keeps its revision' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger api_versions_move before insert or update on api_versions for each row execute function move_version();

create function keep_version() returns trigger language plpgsql as $$
begin
    if old.state not in ('draft', 'retired') then
        raise exception 'a version that is % is not deleted', old.state using errcode = 'integrity_constraint_violation';
    end if;
    return old;
end $$;
create trigger api_versions_keep before delete on api_versions for each row execute function keep_version();

-- What is in force is published and has a backend. At commit, because the rows are written together.
create function check_revision_in_force() returns trigger language plpgsql as $$
begin
    if new.current_revision is not null and not exists (
        select from api_revisions where version_id = new.id and revision = new.current_revision and published_at is not null and backend_id is not null) then
        raise exception 'the revision in force must be published and have a backend' using errcode = 'foreign_key_violation';
    end if;
    return null;
end $$;
create constraint trigger api_versions_in_force after insert or update on api_versions deferrable initially deferred
    for each row execute function check_revision_in_force();

create function keep_published_revision() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        -- A draft goes; a published one only with its version.
        if old.published_at is null or not exists (select from api_versions where id = old.version_id) then
            return old;
        end if;
    elsif old.published_at is null then
        if (new.version_id, new.revision) is distinct from (old.version_id, old.revision) then
            raise exception 'a revision keeps its number' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    elsif new.backend_id is null
        and (new.version_id, new.revision, new.created_at, new.published_at, new.document::text, new.policies, new.findings)
            is not distinct from (old.version_id, old.revision, old.created_at, old.published_at, old.document::text, old.policies, old.findings) then
        -- Its backend was deleted.
        if exists (select from api_versions where id = old.version_id and current_revision = old.revision) then
            raise exception 'the backend of a revision in force stays' using errcode = 'foreign_key_violation';
        end if;
        return new;
    end if;
    raise exception 'a published revision is immutable' using errcode = 'integrity_constraint_violation';
end $$;
drop trigger api_revisions_are_immutable on api_revisions;
create trigger api_revisions_are_immutable before update or delete on api_revisions for each row execute function keep_published_revision();

create function keep_published_operations() returns trigger language plpgsql as $$
declare
    row_ api_operations := case when tg_op = 'DELETE' then old else new end;
begin
    -- A published revision gets its operations in the transaction that writes it, and no others later.
    if exists (
        select from api_revisions r
        where r.version_id = row_.version_id and r.revision = row_.revision and r.published_at is not null
          and (tg_op <> 'INSERT' or r.xmin <> pg_current_xact_id()::xid)) then
        raise exception 'the operations of a published revision are immutable' using errcode = 'integrity_constraint_violation';
    end if;
    return row_;
end $$;
drop trigger api_operations_are_immutable on api_operations;
create trigger api_operations_are_immutable before insert or update or delete on api_operations for each row execute function keep_published_operations();

-- Nobody subscribes to what is not there yet or not any more. (What was subscribed to cannot become a draft again.)
create function check_subscribed_version() returns trigger language plpgsql as $$
begin
    if exists (select from api_versions where id = new.version_id and state in ('draft', 'retired')) then
        raise exception 'the version is not published' using errcode = 'foreign_key_violation';
    end if;
    return new;
end $$;
create trigger subscriptions_of_published_versions before insert on subscriptions for each row execute function check_subscribed_version();
