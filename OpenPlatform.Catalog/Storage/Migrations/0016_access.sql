-- Who may come in: machines by token, people by account. Of a token and of a password there is only a hash.

create function are_roles(roles text[], organization_id uuid) returns boolean language sql immutable as $$
    -- A developer is of one organization and nothing else; nobody else is bound to one.
    select cardinality(roles) > 0
       and roles <@ array['owner', 'publisher', 'planManager', 'approver', 'operator', 'auditor', 'developer']
       and (organization_id is not null) = (roles = array['developer'])
       and (not 'developer' = any(roles) or roles = array['developer'])
$$;

create table access_tokens (
    id               uuid primary key,
    name             text not null check (length(name) between 1 and 200),
    roles            text[] not null,
    organization_id  uuid references organizations,
    hash             bytea not null unique check (octet_length(hash) = 32),
    prefix           text not null check (length(prefix) between 1 and 16),
    created_at       timestamptz not null,
    expires_at       timestamptz check (expires_at > created_at),
    revoked_at       timestamptz check (revoked_at >= created_at),
    etag             bigint not null default 1 check (etag > 0),
    check (are_roles(roles, organization_id))
);

create table accounts (
    id                   uuid primary key,
    name                 text not null unique check (name ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
    roles                text[] not null,
    organization_id      uuid references organizations,
    disabled             boolean not null default false,
    password_hash        bytea not null check (octet_length(password_hash) = 32),
    password_salt        bytea not null check (octet_length(password_salt) = 16),
    password_iterations  integer not null check (password_iterations >= 100000),
    created_at           timestamptz not null,
    etag                 bigint not null default 1 check (etag > 0),
    check (are_roles(roles, organization_id))
);

create table sessions (
    hash        bytea primary key check (octet_length(hash) = 32),
    account_id  uuid not null references accounts on delete cascade,
    created_at  timestamptz not null,
    expires_at  timestamptz not null check (expires_at > created_at)
);
create index sessions_account on sessions (account_id);
create index sessions_expires_at on sessions (expires_at);

-- Counted by the name that was tried, whether there is such an account or not: the answer tells nothing about that.
create table login_attempts (
    name      text primary key check (length(name) between 1 and 63),
    failures  integer not null check (failures > 0),
    last_at   timestamptz not null
);
create index login_attempts_last_at on login_attempts (last_at);

create trigger access_tokens_audit after insert or update or delete on access_tokens for each row execute function audit_change('token');
create trigger accounts_audit after insert or update or delete on accounts for each row execute function audit_change('account');

-- Column key of credentials is an envelope, too.
create or replace function audit_is_secret(p_column text) returns boolean language sql immutable as $$
    select p_column ~ '(^|_)(hash|secret|envelope|sealed|password|salt|private_key)$' or p_column = 'key'
$$;
