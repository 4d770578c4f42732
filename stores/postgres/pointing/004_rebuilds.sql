-- How far a command that rebuilds what a store keeps is: told again and again while it runs, and deleted when it ends.
CREATE TABLE rebuilds (
    store text PRIMARY KEY, done bigint NOT NULL, total bigint NOT NULL, told timestamptz NOT NULL DEFAULT now()
);
