-- Access tokens (OAuth 2.0 client credentials): the keys that sign them, what was taken back, and assertions that were used.

create table token_keys (
    id                  uuid primary key, -- the kid
    issuer              text not null check (length(issuer) between 1 and 512),
    audience            text not null check (length(audience) between 1 and 512),
    public_key          bytea not null check (octet_length(public_key) between 64 and 128), -- SubjectPublicKeyInfo, P-256
    sealed_private_key  bytea not null, -- PKCS #8 in its envelope
    created_at          timestamptz not null,
    -- Published from its creation on; signs from here until another one does.
    signs_from          timestamptz not null check (signs_from >= created_at)
);
create unique index token_keys_signs_from on token_keys (issuer, signs_from);

-- A token by its jti, or all tokens that were got with a credential. Kept as long as such a token could count.
create table token_revocations (
    id          uuid primary key,
    expires_at  timestamptz not null
);
create index token_revocations_expires_at on token_revocations (expires_at);

-- An assertion counts once (RFC 7523, 3): its jti, hashed, for as long as it could count.
create table token_assertions (
    application_id  uuid not null,
    jti_sha256      bytea not null check (octet_length(jti_sha256) = 32),
    expires_at      timestamptz not null,
    primary key (application_id, jti_sha256)
);
create index token_assertions_expires_at on token_assertions (expires_at);

create trigger config after insert or update or delete on token_keys for each row execute function note_shard('core');
create trigger config after insert or update or delete on token_revocations for each row execute function note_shard('core');
create trigger token_keys_audit after insert or update or delete on token_keys for each row execute function audit_change('token-key');

-- A client that lost its secret or key has lost the tokens that were got with it. 3,600 s: no token lives longer.
create function revoke_tokens_of_credential() returns trigger language plpgsql as $$
begin
    insert into token_revocations (id, expires_at) values (new.id, new.revoked_at + interval '1 hour')
    on conflict (id) do update set expires_at = greatest(token_revocations.expires_at, excluded.expires_at);
    return null;
end $$;
create trigger credentials_revoke_tokens after update of revoked_at on credentials for each row
    when (new.type in ('client-secret', 'client-key') and new.revoked_at is not null and old.revoked_at is null)
    execute function revoke_tokens_of_credential();

-- The token endpoint asks by these.
create index credentials_clients on credentials (application_id, type) where revoked_at is null and type in ('client-secret', 'client-key');
