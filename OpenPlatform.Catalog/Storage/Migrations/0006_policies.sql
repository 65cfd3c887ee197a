-- What gateways do beyond routing, in exactly the JSON form of the snapshot, whose validator runs inside the write. Absent: nothing special.

alter table backends
    add column protocol   text,
    add column balancing  jsonb check (jsonb_typeof(balancing) = 'object'),
    add column health     jsonb check (jsonb_typeof(health) = 'object'),
    add column dns        jsonb check (jsonb_typeof(dns) = 'object'),
    drop constraint backends_have_instances,
    add constraint backends_have_instances check (service is not null or cardinality(addresses) > 0 or dns is not null);

alter table api_revisions add column policies jsonb check (jsonb_typeof(policies) = 'object');
alter table api_operations add column policies jsonb check (jsonb_typeof(policies) = 'object');
