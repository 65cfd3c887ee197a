-- What each gateway replica said last about what it runs. A gateway that is gone is forgotten.
create table gateway_replicas (
    id        text primary key check (length(id) between 1 and 128),
    address   text check (length(address) <= 256),
    zone      text check (length(zone) <= 64),
    revision  bigint not null,
    lag_ms    bigint not null check (lag_ms >= 0),
    -- [{"shard": …, "reason": …}]: what it cannot run.
    refused   jsonb not null,
    seen_at   timestamptz not null
);
create index gateway_replicas_seen on gateway_replicas (seen_at);
