-- A credential that is given an earlier end, as its rotation does, ends the tokens that were got with it then: they may say a later one themselves.

-- Null: at once.
alter table token_revocations add column from_at timestamptz;

-- 3,600 s: no token lives longer. 600 s: gateways may allow that much for clocks that differ.
create or replace function revoke_tokens_of_credential() returns trigger language plpgsql as $$
begin
    if new.revoked_at is not null then
        insert into token_revocations (id, expires_at) values (new.id, new.revoked_at + interval '70 minutes')
        on conflict (id) do update set expires_at = greatest(token_revocations.expires_at, excluded.expires_at), from_at = null;
    elsif new.expires_at < coalesce(old.expires_at, 'infinity') then
        insert into token_revocations (id, expires_at, from_at) values (new.id, new.expires_at + interval '70 minutes', new.expires_at)
        on conflict (id) do update set expires_at = excluded.expires_at, from_at = excluded.from_at;
    else
        delete from token_revocations where id = new.id and from_at is not null;
    end if;
    return null;
end $$;
drop trigger credentials_revoke_tokens on credentials;
create trigger credentials_revoke_tokens after update of revoked_at, expires_at on credentials for each row
    when (new.type in ('client-secret', 'client-key') and (old.revoked_at, old.expires_at) is distinct from (new.revoked_at, new.expires_at))
    execute function revoke_tokens_of_credential();
