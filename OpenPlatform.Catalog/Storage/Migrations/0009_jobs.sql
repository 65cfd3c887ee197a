-- Work that one catalog does for all. The lease ends by itself; a holder that was frozen meanwhile and wakes up carries a token that is not
-- valid any more, and the database refuses what it writes.

create table job_leader (
    only_row    boolean primary key default true check (only_row),
    -- Counts the holders: each has its own.
    token       bigint not null default 0 check (token >= 0),
    holder      text,
    expires_at  timestamptz not null default '-infinity'
);
insert into job_leader default values;

-- The last run of each job. Every transaction of a job writes its row here, so none gets by the check at commit.
create table jobs (
    name         text primary key check (length(name) between 1 and 64),
    token        bigint not null,
    holder       text not null,
    started_at   timestamptz not null,
    finished_at  timestamptz not null,
    succeeded    boolean not null,
    changes      bigint not null,
    detail       text
);

-- Jobs that somebody wants to run now.
create table job_requests (
    name          text primary key check (length(name) between 1 and 64),
    requested_at  timestamptz not null
);

create function refuse_stale_job() returns trigger language plpgsql as $$
begin
    if coalesce(nullif(current_setting('openplatform.job_token', true), '')::bigint, -1) <> (select token from job_leader) then
        raise exception 'a job that does not hold the lease any more wrote to %', tg_table_name using errcode = 'OP001';
    end if;
    return null;
end $$;

-- Once more at commit, where the row is locked: whoever takes the lease comes before this commit, which then fails, or after it.
create function refuse_stale_commit() returns trigger language plpgsql as $$
begin
    if coalesce(nullif(current_setting('openplatform.job_token', true), '')::bigint, -1) <> (select token from job_leader for share) then
        raise exception 'a job that does not hold the lease any more wrote to %', tg_table_name using errcode = 'OP001';
    end if;
    return null;
end $$;

create trigger jobs_of_the_holder before insert or update or delete or truncate on jobs for each statement execute function refuse_stale_job();
create constraint trigger jobs_of_the_holder_at_commit after insert or update or delete on jobs
    deferrable initially deferred for each row execute function refuse_stale_commit();

-- Which credentials were told about already.
create table credential_notices (
    credential_id  uuid not null,
    kind           text not null check (kind in ('expiring', 'expired')),
    expires_at     timestamptz not null,
    primary key (credential_id, kind, expires_at)
);
create trigger credential_notices_of_the_holder before insert or update or delete or truncate on credential_notices
    for each statement execute function refuse_stale_job();
