-- What an enterprise publishes and who may call it. Ids are made by the service (UUID version 7), so keyset order is creation order.
-- etag counts the changes of a row; it is the strong ETag of the resource.

create table backends (
    id          uuid primary key,
    name        text not null unique check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    service     text check (service ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    addresses   text[] not null,
    created_at  timestamptz not null,
    etag        bigint not null default 1 check (etag > 0),
    constraint backends_have_instances check (service is not null or cardinality(addresses) > 0)
);

create table apis (
    id          uuid primary key,
    name        text not null unique check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    created_at  timestamptz not null,
    etag        bigint not null default 1 check (etag > 0)
);

create table api_versions (
    id                uuid primary key,
    api_id            uuid not null references apis,
    version           text not null check (version ~ '^[a-z0-9][a-z0-9.-]{0,31}$'),
    base_path         text not null check (base_path ~ '^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$' and length(base_path) <= 256),
    current_revision  integer not null check (current_revision > 0),
    created_at        timestamptz not null,
    unique (api_id, version)
);

-- Gateways match paths without regard to case.
create unique index api_versions_base_path on api_versions (lower(base_path));

-- A revision is immutable: a published state of a version that can be pointed at again.
create table api_revisions (
    version_id  uuid not null references api_versions,
    revision    integer not null check (revision > 0),
    backend_id  uuid not null references backends,
    document    json,
    created_at  timestamptz not null,
    primary key (version_id, revision)
);

create table api_operations (
    version_id     uuid not null,
    revision       integer not null,
    ordinal        integer not null check (ordinal >= 0),
    operation_id   text not null check (length(operation_id) between 1 and 128),
    method         text not null check (method in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')),
    path_template  text not null check (path_template like '/%' and length(path_template) <= 1024),
    primary key (version_id, revision, ordinal),
    unique (version_id, revision, operation_id),
    foreign key (version_id, revision) references api_revisions
);

-- The revision that is in force exists; checked at commit, because the two rows are written together.
alter table api_versions add constraint api_versions_current_revision
    foreign key (id, current_revision) references api_revisions deferrable initially deferred;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is immutable', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger api_revisions_are_immutable before update or delete on api_revisions for each row execute function refuse_change();
create trigger api_operations_are_immutable before update or delete on api_operations for each row execute function refuse_change();

create table plans (
    id                 uuid primary key,
    name               text not null unique check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    approval_required  boolean not null,
    created_at         timestamptz not null,
    etag               bigint not null default 1 check (etag > 0)
);

create table plan_rate_limits (
    plan_id         uuid not null references plans,
    ordinal         integer not null check (ordinal >= 0),
    requests        bigint not null check (requests between 1 and 1000000000),
    window_seconds  integer not null check (window_seconds between 1 and 86400),
    primary key (plan_id, ordinal),
    unique (plan_id, window_seconds)
);

create table organizations (
    id          uuid primary key,
    name        text not null unique check (length(name) between 1 and 200),
    created_at  timestamptz not null,
    etag        bigint not null default 1 check (etag > 0)
);

create table applications (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    name             text not null check (length(name) between 1 and 200),
    suspended        boolean not null default false,
    created_at       timestamptz not null,
    etag             bigint not null default 1 check (etag > 0),
    unique (organization_id, name)
);

-- A key is stored as its peppered hash and a few characters to tell it from others. The key itself is nowhere.
create table credentials (
    id              uuid primary key,
    application_id  uuid not null references applications,
    name            text not null check (length(name) between 1 and 200),
    hash            bytea not null unique check (octet_length(hash) = 32),
    prefix          text not null check (length(prefix) between 1 and 16),
    created_at      timestamptz not null,
    expires_at      timestamptz check (expires_at > created_at),
    revoked_at      timestamptz check (revoked_at >= created_at),
    etag            bigint not null default 1 check (etag > 0)
);
create index credentials_application on credentials (application_id, id);

create table subscriptions (
    id              uuid primary key,
    application_id  uuid not null references applications,
    version_id      uuid not null references api_versions,
    plan_id         uuid not null references plans,
    state           text not null check (state in ('pending', 'active', 'cancelled', 'rejected')),
    created_at      timestamptz not null,
    etag            bigint not null default 1 check (etag > 0)
);
create index subscriptions_application on subscriptions (application_id, id);
create unique index subscriptions_one_live_per_version on subscriptions (application_id, version_id) where state in ('pending', 'active');
