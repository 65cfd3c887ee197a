-- What was applied as one changeset: its answer. What was put may hold secrets and is not kept; row by row it is in the audit.

create table changesets (
    id          uuid primary key,
    created_at  timestamptz not null,
    actor       text not null check (length(actor) between 1 and 200),
    created     integer not null check (created >= 0),
    changed     integer not null check (changed >= 0),
    deleted     integer not null check (deleted >= 0),
    content     json not null
);
create trigger changesets_are_immutable before update or delete on changesets for each row execute function refuse_change();
create trigger changesets_audit after insert on changesets for each row execute function audit_change('changeset');
