-- Which instances each gateway knows, as it said last: {"<backend id>": [SeenInstance, …]}. Not configuration, and forgotten as gateway_replicas is.
create table gateway_instances (
    gateway    text primary key check (length(gateway) between 1 and 128),
    instances  jsonb not null check (jsonb_typeof(instances) = 'object'),
    seen_at    timestamptz not null
);
