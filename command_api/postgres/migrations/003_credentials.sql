-- Credentials (command_api/credentials.py) and what was answered to whom. Not a function of the log: backed up.

CREATE TABLE passwords (account bigint PRIMARY KEY, id text NOT NULL, hash bytea NOT NULL);
CREATE TABLE refresh_tokens (
    session text COLLATE "C" PRIMARY KEY,
    account text NOT NULL,
    family bytea NOT NULL UNIQUE,
    secret bytea NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
CREATE TABLE revoked_sessions (session text COLLATE "C" PRIMARY KEY, at bigint NOT NULL);
CREATE INDEX revoked_sessions_by_time ON revoked_sessions (at);

CREATE TABLE idempotency (
    account text COLLATE "C",
    key text COLLATE "C",
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    body bytea NOT NULL,
    headers bytea NOT NULL,
    positions text NOT NULL,  -- known when it was decided: those of a command that changed nothing
    outbox bigint[] NOT NULL,  -- the rows of one that changed something
    at bigint NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_by_age ON idempotency (at);
