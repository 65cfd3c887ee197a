-- Items by month, so that old ones go with their table; sums by hour, which stay.

-- What there was becomes the first partition: everything before the month after its last item.
alter table usage_items rename to usage_items_early;

-- No reference to usage_batches: both are written in one transaction, the reconciliation proves that they agree, and a month is dropped
-- without touching its batches, which stay so that nothing counts twice. Constraints are named as those of the partition there was.
create table usage_items (
    batch_id         uuid not null,
    minute           timestamptz not null,
    subscription_id  uuid not null,
    application_id   uuid not null,
    version_id       uuid not null,
    operation_id     text not null constraint usage_items_operation_id_check check (length(operation_id) between 1 and 128),
    status           smallint not null constraint usage_items_status_check check (status between 100 and 599),
    units            bigint not null constraint usage_items_units_check check (units > 0)
) partition by range (minute);
create index usage_items_by_batch on usage_items (batch_id);
create index usage_items_by_minute on usage_items (minute);

create table usage_partitions (
    name     text primary key,
    starts   timestamptz not null,
    ends     timestamptz not null check (ends > starts)
);

do $$
declare
    boundary timestamptz := (date_trunc('month', (select coalesce(max(minute), '2019-12-01Z') from usage_items_early) at time zone 'UTC') + interval '1 month') at time zone 'UTC';
begin
    execute format('alter table usage_items attach partition usage_items_early for values from (minvalue) to (%L)', boundary);
    insert into usage_partitions values ('usage_items_early', '-infinity', boundary);
    if boundary <= '2200-01-01Z' then
        -- A gateway whose clock is far off is no reason to lose what it served.
        create table usage_items_late partition of usage_items for values from ('2200-01-01Z') to (maxvalue);
        insert into usage_partitions values ('usage_items_late', '2200-01-01Z', 'infinity');
    end if;
end $$;

-- Makes the partition of the month of a moment; false when there is one. Attached rather than created as partition: that lets inserts go on.
create function make_usage_partition(moment timestamptz) returns boolean language plpgsql as $$
declare
    month    timestamp := date_trunc('month', moment at time zone 'UTC');
    starting timestamptz := month at time zone 'UTC';
    ending   timestamptz := (month + interval '1 month') at time zone 'UTC';
    table_name text := 'usage_items_' || to_char(month, 'YYYY_MM');
begin
    perform pg_advisory_xact_lock(hashtext('make_usage_partition'));
    if exists (select from usage_partitions p where p.starts <= moment and p.ends > moment) then
        return false;
    end if;
    execute format('create table %I (like usage_items including constraints)', table_name);
    execute format('alter table usage_items attach partition %I for values from (%L) to (%L)', table_name, starting, ending);
    insert into usage_partitions values (table_name, starting, ending);
    return true;
end $$;

-- Items of this hour and later are all there: older months were dropped.
create table usage_horizon (
    only_row    boolean primary key default true check (only_row),
    items_from  timestamptz not null default '-infinity'
);
insert into usage_horizon default values;

-- A batch is added to the hours once, in the transaction that says so here.
alter table usage_batches add column rolled_up_at timestamptz;
-- The earliest minute of its items; null: it came before this was kept.
alter table usage_batches add column first_minute timestamptz;
create index usage_batches_to_roll_up on usage_batches (id) where rolled_up_at is null;

create table usage_hours (
    hour             timestamptz not null,
    application_id   uuid not null,
    version_id       uuid not null,
    operation_id     text not null,
    status           smallint not null,
    subscription_id  uuid not null,
    -- As the catalog knew them when the first unit was rolled up; null: it did not.
    organization_id  uuid,
    api_id           uuid,
    units            bigint not null check (units > 0),
    primary key (hour, application_id, version_id, operation_id, status, subscription_id)
);
create index usage_hours_organization on usage_hours (organization_id, hour);
create index usage_hours_application on usage_hours (application_id, hour);
create index usage_hours_subscription on usage_hours (subscription_id, hour);
create index usage_hours_api on usage_hours (api_id, hour);
create index usage_hours_version on usage_hours (version_id, hour);

-- Hours that changed since the last reconciliation.
create table usage_touched_hours (
    hour  timestamptz primary key
);

create table usage_reconciliations (
    id             uuid primary key,
    finished_at    timestamptz not null,
    -- Every hour there is, or those that changed.
    complete       boolean not null,
    hours          bigint not null,
    units_batches  bigint, -- only of all hours
    units_items    bigint not null,
    units_hours    bigint not null,
    differences    json not null,
    repaired       boolean not null
);
create index usage_reconciliations_finished on usage_reconciliations (finished_at);

create trigger usage_hours_of_the_holder before insert or update or delete or truncate on usage_hours for each statement execute function refuse_stale_job();
create trigger usage_touched_of_the_holder before insert or update or delete or truncate on usage_touched_hours for each statement execute function refuse_stale_job();
create trigger usage_horizon_of_the_holder before insert or update or delete or truncate on usage_horizon for each statement execute function refuse_stale_job();
create trigger usage_reconciliations_of_the_holder before insert or update or delete or truncate on usage_reconciliations
    for each statement execute function refuse_stale_job();
