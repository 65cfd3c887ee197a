-- What gateways run, by revision number. Numbers have no gaps: config_head is the one row that every writer locks first, so the
-- next number belongs to a transaction that nobody overtakes, and a rolled back one gives its number back.

create table config_revisions (
    revision        bigint primary key check (revision > 0),
    created_at      timestamptz not null,
    -- SHA-256 of the snapshot without number and time: a write that changes nothing for gateways makes no revision.
    content_sha256  bytea not null check (octet_length(content_sha256) = 32),
    -- The bytes that are served, as they are (json keeps them; jsonb would not). Emptied when it is old.
    snapshot        json
);

create table config_head (
    only_row  boolean primary key default true check (only_row),
    revision  bigint references config_revisions
);
insert into config_head (revision) values (null);
