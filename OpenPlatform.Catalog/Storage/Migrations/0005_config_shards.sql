-- What gateways run, in shards: content by its hash, and which content a shard had from which revision to which. A write reads and
-- stores only the shards that it touched, and those it knows from triggers on the rows, not from what the writer says.

create table config_shards (
    sha256   bytea primary key check (octet_length(sha256) = 32),
    content  bytea not null,
    -- Backends and applications that the content names and that no foreign key holds: they must not go away under it.
    refs     uuid[] not null
);

create table config_entries (
    shard          text not null,
    from_revision  bigint not null references config_revisions,
    to_revision    bigint check (to_revision > from_revision),
    sha256         bytea not null references config_shards,
    primary key (shard, from_revision)
);
create unique index config_entries_current on config_entries (shard) where to_revision is null;
create index config_entries_from on config_entries (from_revision);
create index config_entries_to on config_entries (to_revision);
create index config_entries_sha256 on config_entries (sha256);

-- Null in revisions of a catalog that did not sign yet; changed: names of the shards that differ from the revision before.
alter table config_revisions add signature bytea check (octet_length(signature) = 32), add changed text[];

-- Shards whose rows were touched since the last revision was made. A write empties it in its own transaction.
create table config_dirty (shard text primary key);

-- The segment of an id: its last byte. Of a digest: its first byte. Of a signing key's id: its last two characters.
create function segment_of(id uuid) returns text language sql immutable strict parallel safe as $$ select right(id::text, 2) $$;
create function segment_of(digest bytea) returns text language sql immutable strict parallel safe as $$ select encode(substring(digest from 1 for 1), 'hex') $$;
create function segment_of(key_id text) returns text language sql immutable strict parallel safe as $$
    select lpad(to_hex((ascii(substr(key_id, greatest(1, length(key_id) - 1), 1)) * 16 + ascii(right(key_id, 1))) & 255), 2, '0')
$$;

-- note_shard('core') · note_shard('api', column) · note_shard('applications', column) · note_shard('credentials', column, …)
-- The columns hold an id, a digest (bytea) or a key id (text); where one is null the row is in no shard by it. Names of columns of the new
-- and of the old row: what moves from one shard to another changes both.
create function note_shard() returns trigger language plpgsql as $$
declare
    row_   jsonb;
    value  text;
begin
    if tg_argv[0] = 'core' then
        insert into config_dirty values ('core') on conflict do nothing;
        return null;
    end if;
    foreach row_ in array array[case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end] loop
        for i in 1 .. tg_nargs - 1 loop
            value := row_ ->> tg_argv[i];
            continue when value is null;
            insert into config_dirty values (
                tg_argv[0] || '/' || case
                    when tg_argv[0] = 'api' then value
                    when tg_argv[0] = 'applications' then segment_of(value::uuid)
                    when value like '\\x%' then segment_of(value::bytea)
                    else segment_of(value) end)
            on conflict do nothing;
        end loop;
    end loop;
    return null;
end $$;

-- The name of an API stands in each of its versions.
create function note_versions_of_api() returns trigger language plpgsql as $$
begin
    insert into config_dirty select 'api/' || id from api_versions where api_id = new.id on conflict do nothing;
    return null;
end $$;

create trigger config after insert or update or delete on backends for each row execute function note_shard('core');
create trigger config after insert or update or delete on plans for each row execute function note_shard('core');
create trigger config after insert or update or delete on plan_rate_limits for each row execute function note_shard('core');
create trigger config after update on apis for each row execute function note_versions_of_api();
-- Revisions and operations are immutable: what is in force is the version's current_revision.
create trigger config after insert or update or delete on api_versions for each row execute function note_shard('api', 'id');
create trigger config after insert or update or delete on applications for each row execute function note_shard('applications', 'id');
create trigger config after insert or update or delete on subscriptions for each row execute function note_shard('applications', 'application_id');
create trigger config after insert or update or delete on credentials for each row execute function note_shard('credentials', 'hash');

create index applications_segment on applications (segment_of(id));
create index subscriptions_segment on subscriptions (segment_of(application_id)) where state = 'active';
create index credentials_segment on credentials (segment_of(hash)) where revoked_at is null;

-- What is there already: the next revision has all of it.
insert into config_dirty
select 'core'
union select 'api/' || id from api_versions
union select 'applications/' || segment_of(id) from applications
union select 'credentials/' || segment_of(hash) from credentials;
