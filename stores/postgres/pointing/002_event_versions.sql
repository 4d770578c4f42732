-- Which versions of events each process that reads the log can read, told again and again while it runs; and which
-- versions may stand in the log: never lowered.
CREATE TABLE readers (
    process uuid PRIMARY KEY, role text NOT NULL, reads jsonb NOT NULL, seen timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE written (type text PRIMARY KEY, version integer NOT NULL);
