-- Backends and plans are in segments like applications: a change of one plan moves a few of them, not all. Replicas of the version before keep them
-- in the shard core, so that one is noted too, and the segments are noted beside it, where those replicas neither read nor delete them.

-- backends/<00…ff> and plans/<00…ff> as in config_dirty; gone: a backend or an application was deleted.
create table config_dirty_parts (shard text primary key);

-- note_part('plans', 'plan_id'): the column holds an id.
create function note_part() returns trigger language plpgsql as $$
declare
    row_  jsonb;
begin
    insert into config_dirty values ('core') on conflict do nothing;
    foreach row_ in array array[case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end] loop
        continue when row_ is null;
        insert into config_dirty_parts values (tg_argv[0] || '/' || segment_of((row_ ->> tg_argv[1])::uuid)) on conflict do nothing;
    end loop;
    return null;
end $$;

create function note_gone() returns trigger language plpgsql as $$
begin
    insert into config_dirty_parts values ('gone') on conflict do nothing;
    return null;
end $$;

drop trigger config on backends;
drop trigger config on plans;
drop trigger config on plan_revisions;
create trigger config after insert or update or delete on backends for each row execute function note_part('backends', 'id');
create trigger config after insert or update or delete on plans for each row execute function note_part('plans', 'id');
create trigger config after insert or update or delete on plan_revisions for each row execute function note_part('plans', 'plan_id');
create trigger config_gone after delete on backends for each statement execute function note_gone();
create trigger config_gone after delete on applications for each statement execute function note_gone();

create index backends_segment on backends (segment_of(id));
create index plans_segment on plans (segment_of(id));

insert into config_dirty values ('core') on conflict do nothing;
insert into config_dirty_parts
select 'backends/' || segment_of(id) from backends
union select 'plans/' || segment_of(id) from plans
union select 'gone';
