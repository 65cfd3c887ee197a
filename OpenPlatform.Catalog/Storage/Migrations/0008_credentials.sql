-- Credentials of every type that gateways and the token endpoint know. Of a secret there is a peppered hash or an envelope, of a key its public
-- part, of a certificate its thumbprint.

alter table credentials
    add column type        text not null default 'api-key' check (type in ('api-key', 'hmac', 'public-key', 'certificate', 'client-secret', 'client-key')),
    add column key_id      text unique check (key_id ~ '^[A-Za-z0-9._-]{1,128}$'),
    add column algorithm   text check (algorithm in ('hmac-sha256', 'ecdsa-p256-sha256', 'rsa-pss-sha512')),
    add column key         bytea,
    add column thumbprint  bytea check (octet_length(thumbprint) = 32),
    add column replaces    uuid references credentials,
    alter column hash drop not null,
    alter column prefix drop not null,
    add constraint credentials_hold_what_their_type_needs check (case type
        when 'api-key' then hash is not null and prefix is not null and num_nonnulls(key_id, algorithm, key, thumbprint) = 0
        when 'client-secret' then hash is not null and prefix is not null and num_nonnulls(key_id, algorithm, key, thumbprint) = 0
        when 'hmac' then algorithm = 'hmac-sha256' and num_nonnulls(key_id, key) = 2 and num_nonnulls(hash, thumbprint) = 0
        when 'certificate' then thumbprint is not null and num_nonnulls(hash, key_id, algorithm, key) = 0
        when 'public-key' then algorithm <> 'hmac-sha256' and num_nonnulls(key_id, key) = 2 and num_nonnulls(hash, thumbprint) = 0
        else algorithm <> 'hmac-sha256' and key is not null and num_nonnulls(hash, key_id, thumbprint) = 0 end);

-- A certificate speaks for one application at a time.
create unique index credentials_one_live_certificate on credentials (thumbprint) where revoked_at is null;

create function refuse_sixth_credential() returns trigger language plpgsql as $$
begin
    -- Whoever else adds to this application waits here: two could not both count four. Not "for update": the foreign key's own lock, which
    -- each of them holds already, would make that a deadlock.
    perform from applications where id = new.application_id for no key update;
    if (select count(*) from credentials
        where application_id = new.application_id and type = new.type and revoked_at is null and (expires_at is null or expires_at > statement_timestamp())) > 5
    then
        raise exception 'application % has five live credentials of type % already', new.application_id, new.type
            using errcode = 'check_violation', table = tg_table_name, constraint = 'credentials_five_live';
    end if;
    return null;
end $$;
create trigger credentials_five_live after insert on credentials for each row
    when (new.revoked_at is null) execute function refuse_sixth_credential();
create trigger credentials_five_live_again after update on credentials for each row
    when (new.revoked_at is null and (old.revoked_at is not null or coalesce(new.expires_at, 'infinity') > coalesce(old.expires_at, 'infinity')))
    execute function refuse_sixth_credential();

-- What a credential proves never changes: a new key is a new credential.
create function refuse_other_credential() returns trigger language plpgsql as $$
begin
    raise exception 'a credential is for one application and of one key' using errcode = 'integrity_constraint_violation';
end $$;
create trigger credentials_stay_what_they_are before update on credentials for each row
    when ((old.application_id, old.type, old.hash, old.key_id, old.algorithm, old.thumbprint) is distinct from (new.application_id, new.type, new.hash, new.key_id, new.algorithm, new.thumbprint))
    execute function refuse_other_credential();

-- When gateways last saw it, to the day. A table of its own: a use is no change of the credential.
create table credential_uses (
    credential_id  uuid primary key references credentials,
    last_used_on   date not null
);

drop trigger config on credentials;
create trigger config after insert or update or delete on credentials for each row execute function note_shard('credentials', 'hash', 'key_id', 'thumbprint');
create index credentials_key_id_segment on credentials (segment_of(key_id)) where revoked_at is null and key_id is not null;
create index credentials_thumbprint_segment on credentials (segment_of(thumbprint)) where revoked_at is null and thumbprint is not null;
