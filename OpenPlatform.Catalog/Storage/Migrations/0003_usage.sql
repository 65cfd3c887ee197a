-- Counted answers, inserted once by (gateway, epoch, sequence). No foreign keys to the domain: what was served is billed, whatever
-- became of the subscription since.

create table usage_batches (
    id           uuid primary key,
    gateway      text not null check (length(gateway) between 1 and 128),
    epoch        uuid not null,
    sequence     bigint not null check (sequence > 0),
    units        bigint not null check (units >= 0),
    received_at  timestamptz not null,
    unique (gateway, epoch, sequence)
);

create table usage_items (
    batch_id         uuid not null references usage_batches,
    minute           timestamptz not null,
    subscription_id  uuid not null,
    application_id   uuid not null,
    version_id       uuid not null,
    operation_id     text not null check (length(operation_id) between 1 and 128),
    status           smallint not null check (status between 100 and 599),
    units            bigint not null check (units > 0)
);
create index usage_items_application on usage_items (application_id, minute);
create index usage_items_version on usage_items (version_id, minute);
create index usage_items_minute on usage_items (minute);
