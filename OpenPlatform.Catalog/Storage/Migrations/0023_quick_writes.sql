-- Shards are written whole, and the default compression took longer than everything else about storing them. Postgres may have been built without
-- the other one. What is there stays as it is.
do $$
begin
    alter table config_shards alter column content set compression lz4;
exception when feature_not_supported or invalid_parameter_value then
    null;
end $$;

-- The same hash: a function in SQL that is not inlined is parsed and planned anew for every row that is audited, which was most of what a large
-- changeset took.
create or replace function audit_sha256(p_row jsonb) returns bytea language plpgsql immutable as $$
begin
    if p_row is null then
        return null;
    end if;
    return sha256(convert_to((select coalesce(jsonb_object_agg(key, value), '{}')::text from jsonb_each(p_row) where not audit_is_secret(key)), 'UTF8'));
end $$;
