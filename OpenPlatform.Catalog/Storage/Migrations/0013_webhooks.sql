-- Who wants to hear of which events, and what has become of each delivery.

create table webhooks (
    id                     uuid primary key,
    url                    text not null check (url ~ '^https?://' and length(url) <= 2048),
    -- Whole types, or openplatform.<resource>.*, or *.
    event_types            text[] not null check (cardinality(event_types) between 1 and 100),
    -- Hears of nothing but this organization; null: of everything.
    organization_id        uuid references organizations,
    active                 boolean not null,
    -- Enveloped: signing needs it in clear.
    secret                 bytea not null,
    -- Signs too, until then: a rotation that nobody notices.
    previous_secret        bytea,
    previous_secret_until  timestamptz,
    created_at             timestamptz not null,
    etag                   bigint not null default 1 check (etag > 0),
    check ((previous_secret is null) = (previous_secret_until is null))
);
create trigger webhooks_audit after insert or update or delete on webhooks for each row execute function audit_change('webhook');

create table webhook_deliveries (
    webhook_id       uuid not null references webhooks on delete cascade,
    event_id         uuid not null references outbox on delete cascade,
    position         bigint not null,
    subject          text not null,
    state            text not null check (state in ('pending', 'delivered', 'dead')),
    attempts         integer not null default 0 check (attempts >= 0),
    -- While it is pending: the next try, or the end of the claim of who is at it.
    next_attempt_at  timestamptz not null,
    claim            uuid,
    last_attempt_at  timestamptz,
    last_status      smallint,
    last_error       text check (length(last_error) <= 500),
    primary key (webhook_id, event_id)
);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_attempt_at) where state = 'pending';
create index webhook_deliveries_in_order on webhook_deliveries (webhook_id, subject, position) where state = 'pending';
create index webhook_deliveries_dead on webhook_deliveries (webhook_id, event_id) where state = 'dead';
create index webhook_deliveries_event on webhook_deliveries (event_id);

-- In the transaction of the event: who hears of it is who wanted to when it happened.
create function outbox_to_webhooks() returns trigger language plpgsql as $$
begin
    insert into webhook_deliveries (webhook_id, event_id, position, subject, state, next_attempt_at)
    select w.id, e.id, e.position, e.subject, 'pending', e.created_at
    from events e join webhooks w on w.active
        and w.event_types && array['*', 'openplatform.' || split_part(e.type, '.', 2) || '.*', e.type]
        and (w.organization_id is null or w.organization_id = e.organization_id);
    if found then
        perform pg_notify('openplatform_webhooks', '');
    end if;
    return null;
end $$;
create trigger outbox_to_webhooks after insert on outbox referencing new table as events for each statement execute function outbox_to_webhooks();
