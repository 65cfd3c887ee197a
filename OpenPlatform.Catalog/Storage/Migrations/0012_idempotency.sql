-- Answers of POSTs that carry an Idempotency-Key, kept for a day so that a repeated one is answered and not done again. The answer is
-- written in the transaction of its effect. Answers may hold a key that is shown once: they are sealed (AES-256-GCM).

create table idempotency (
    actor           text not null check (length(actor) between 1 and 200),
    key             text not null check (length(key) between 1 and 255),
    -- Of method, target and body: the same key with another request is a mistake of the caller.
    request_sha256  bytea not null check (octet_length(request_sha256) = 32),
    -- Who is at it. A run that took too long loses its right, and with it its transaction.
    run             uuid not null,
    running_until   timestamptz,
    created_at      timestamptz not null,
    answer          bytea,
    primary key (actor, key),
    check ((running_until is null) = (answer is not null))
);
create index idempotency_created_at on idempotency (created_at);
