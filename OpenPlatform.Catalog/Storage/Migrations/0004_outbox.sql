-- What happened, for others to hear of: written in the transaction of its cause, so there is no event without its change and no change
-- without its event. Who wants which event is decided by those who deliver.

create table outbox (
    -- The CloudEvents id: the same however often the event is delivered.
    id               uuid primary key,
    -- Order of events. Events of one subject come from transactions that stand in a row, so for them it is the order of commits.
    position         bigint generated always as identity unique,
    type             text not null check (type ~ '^openplatform(\.[a-z][a-z0-9_-]*){2,}$' and length(type) <= 128),
    subject          text not null check (length(subject) between 1 and 256),
    -- The organization it is about; null: about nobody's in particular.
    organization_id  uuid,
    data             json not null,
    created_at       timestamptz not null
);
create index outbox_created_at on outbox (created_at);
