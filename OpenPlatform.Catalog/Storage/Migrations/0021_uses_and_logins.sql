-- Whether a machine's token is still in use, to the day. A table of its own: a use is no change of the token.
create table access_token_uses (
    token_id      uuid primary key references access_tokens,
    last_used_on  date not null
);

-- A login is in the audit: who, and when; what its session is known by is a secret and in no hash.
create trigger sessions_audit after insert on sessions for each row execute function audit_change('login', 'account_id');
