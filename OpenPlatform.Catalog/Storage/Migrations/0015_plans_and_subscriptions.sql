-- Plans have revisions. A revision is immutable; the plan says which one is in force, for all of its subscriptions at once.

create table plan_revisions (
    plan_id     uuid not null references plans,
    revision    integer not null check (revision > 0),
    -- A PlanModel of the snapshot, without its id and name.
    terms       jsonb not null
        check (jsonb_typeof(terms) = 'object' and jsonb_typeof(terms -> 'rateLimits') = 'array' and not terms ?| array['planId', 'name'])
        check (coalesce((terms ->> 'priority')::int, 5) between 0 and 9)
        check (jsonb_typeof(coalesce(terms -> 'quotas', '[]')) = 'array' and jsonb_typeof(coalesce(terms -> 'schemes', '[]')) = 'array'
            and jsonb_typeof(coalesce(terms -> 'scopes', '[]')) = 'array'),
    created_at  timestamptz not null,
    primary key (plan_id, revision)
);
create trigger plan_revisions_are_immutable before update on plan_revisions for each row execute function refuse_change();

insert into plan_revisions (plan_id, revision, terms, created_at)
select p.id, 1, jsonb_build_object('rateLimits', coalesce(
    (select jsonb_agg(jsonb_build_object('requests', requests, 'windowSeconds', window_seconds) order by ordinal) from plan_rate_limits where plan_id = p.id), '[]')), p.created_at
from plans p;

alter table plans
    add column state             text not null default 'published' check (state in ('draft', 'published', 'retired')),
    add column current_revision  integer not null default 1,
    add constraint plans_current_revision foreign key (id, current_revision) references plan_revisions deferrable initially deferred;

-- The APIs that a plan is offered for; a plan without any is offered for all.
create table plan_offers (
    plan_id  uuid not null references plans on delete cascade,
    api_id   uuid not null references apis,
    primary key (plan_id, api_id)
);
create index plan_offers_api on plan_offers (api_id);

-- Nobody goes back: what was on offer is never a draft again, and what is retired stays so.
create function refuse_plan_move() returns trigger language plpgsql as $$
begin
    raise exception 'a plan that is % cannot become %', old.state, new.state using errcode = 'check_violation', table = 'plans', constraint = 'plans_moves';
end $$;
create trigger plans_moves before update of state on plans for each row
    when (old.state <> new.state and (old.state, new.state) not in (('draft', 'published'), ('draft', 'retired'), ('published', 'retired')))
    execute function refuse_plan_move();

-- Replicas of the version before this one read the limits here. A revision is in force as soon as it is there.
create function keep_plan_rate_limits() returns trigger language plpgsql as $$
begin
    delete from plan_rate_limits where plan_id = new.plan_id;
    insert into plan_rate_limits (plan_id, ordinal, requests, window_seconds)
    select new.plan_id, ordinality - 1, (l ->> 'requests')::bigint, least((l ->> 'windowSeconds')::int, 86400)
    from jsonb_array_elements(new.terms -> 'rateLimits') with ordinality as t (l, ordinality)
    on conflict do nothing;
    return null;
end $$;
create trigger plan_revisions_rate_limits after insert on plan_revisions for each row execute function keep_plan_rate_limits();

create trigger config after insert or update or delete on plan_revisions for each row execute function note_shard('core');
create trigger plan_revisions_audit after insert or update or delete on plan_revisions for each row execute function audit_change('plan-revision', 'plan_id', 'revision');
create trigger plan_offers_audit after insert or update or delete on plan_offers for each row execute function audit_change('plan-offer', 'plan_id', 'api_id');
drop trigger plan_rate_limits_audit_new on plan_rate_limits;
drop trigger plan_rate_limits_audit_old on plan_rate_limits;

-- Subscriptions: pending -> active -> paused -> cancelled | rejected.

alter table subscriptions
    drop constraint subscriptions_state_check,
    add constraint subscriptions_state_check check (state in ('pending', 'active', 'paused', 'cancelled', 'rejected')),
    -- A change of plan that waits for approval; until then the old plan counts.
    add column pending_plan_id uuid references plans,
    add constraint subscriptions_pending_plan check (pending_plan_id is null or (pending_plan_id <> plan_id and state in ('active', 'paused')));
create unique index subscriptions_one_live on subscriptions (application_id, version_id) where state in ('pending', 'active', 'paused');
drop index subscriptions_one_live_per_version;
create index subscriptions_version on subscriptions (version_id, id);
create index subscriptions_plan on subscriptions (plan_id, id);

create function check_subscription() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state not in ('pending', 'active') then
            raise exception 'a subscription does not begin %', new.state using errcode = 'check_violation', table = 'subscriptions', constraint = 'subscriptions_moves';
        end if;
    else
        if (old.id, old.application_id, old.version_id) is distinct from (new.id, new.application_id, new.version_id) then
            raise exception 'a subscription is of one application to one version' using errcode = 'check_violation', table = 'subscriptions', constraint = 'subscriptions_moves';
        end if;
        if (old.state <> new.state and (old.state, new.state) not in (
               ('pending', 'active'), ('pending', 'rejected'), ('pending', 'cancelled'),
               ('active', 'paused'), ('active', 'cancelled'), ('paused', 'active'), ('paused', 'cancelled')))
            or (old.state in ('cancelled', 'rejected') and (old.plan_id, old.pending_plan_id) is distinct from (new.plan_id, new.pending_plan_id))
        then
            raise exception 'a subscription that is % cannot become %', old.state, new.state using errcode = 'check_violation', table = 'subscriptions', constraint = 'subscriptions_moves';
        end if;
    end if;

    -- A plan is checked when it is chosen: one that is retired later goes on for those who have it.
    if (tg_op = 'INSERT' or (old.plan_id, old.pending_plan_id) is distinct from (new.plan_id, new.pending_plan_id))
        and new.state not in ('cancelled', 'rejected')
        and exists (
            select from unnest(array[case when tg_op = 'INSERT' or (old.plan_id <> new.plan_id and old.pending_plan_id is distinct from new.plan_id) then new.plan_id end, new.pending_plan_id]) as chosen (id)
            where id is not null and not exists (
                select from plans p where p.id = chosen.id and p.state = 'published'
                and (not exists (select from plan_offers o where o.plan_id = p.id)
                     or exists (select from plan_offers o join api_versions v on v.api_id = o.api_id where o.plan_id = p.id and v.id = new.version_id))))
    then
        raise exception 'the plan is not on offer for this version' using errcode = 'check_violation', table = 'subscriptions', constraint = 'subscriptions_plan_on_offer';
    end if;
    return new;
end $$;
create trigger subscriptions_moves before insert or update on subscriptions for each row execute function check_subscription();

-- Where applications may call from: an AddressPolicy of the snapshot.
alter table applications add column addresses jsonb check (jsonb_typeof(addresses) = 'object');
create index applications_organization on applications (organization_id, id);
