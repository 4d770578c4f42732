-- Events on their way into the log. Of one entity (topic and key) they are numbered in the order they were decided,
-- which is the order of their ids; between entities the numbers say nothing.

CREATE TABLE outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    version integer NOT NULL,
    value bytea NOT NULL,  -- emptied once it is published
    about bytea NOT NULL,
    owner text,  -- the process that publishes it, until `expires`; NULL: the relay does
    expires timestamptz,
    published timestamptz,
    positions text  -- just past it, once it is published
);
CREATE INDEX outbox_waiting ON outbox (topic, key, number) WHERE published IS NULL;

-- Of each entity the newest event: ids go on from there, and the row says whether the way is free.
CREATE TABLE entities (
    topic text COLLATE "C",
    key text COLLATE "C",
    newest text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    positions text,  -- those of row `number`, once it is pruned from the outbox
    PRIMARY KEY (topic, key)
) WITH (fillfactor = 80);  -- room for updates beside the row: no index entry for each command

-- Whatever stands in the log before these positions is in the decision state.
CREATE TABLE noted_positions (one boolean PRIMARY KEY DEFAULT true CHECK (one), positions text NOT NULL);
INSERT INTO noted_positions (positions) VALUES ('');

-- How every command begins: wait for the locks, then read what is noted of its entities and of its idempotency key.
-- One function, so that it is one message; each statement in it sees what was committed before it began, so the
-- second sees what those did who had the locks before. `running` says that the key is in use, and then nothing was
-- waited for.
CREATE FUNCTION begin_command(
    state_lock bigint, once_lock bigint, locks bigint[], topics text[], keys text[],
    once_account text, once_key text, answered_after bigint,
    OUT running boolean, OUT states jsonb, OUT fingerprint bytea, OUT status integer, OUT body bytea,
    OUT headers bytea, OUT positions text, OUT outbox bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    lock bigint;
BEGIN
    running := once_lock IS NOT NULL AND NOT pg_try_advisory_xact_lock(once_lock);
    IF running THEN
        RETURN;
    END IF;
    FOREACH lock IN ARRAY locks LOOP
        PERFORM pg_advisory_xact_lock(lock);
    END LOOP;
    PERFORM pg_advisory_xact_lock_shared(state_lock);
    SELECT jsonb_agg(jsonb_build_array(e.topic, e.key, e.newest, e.number,
            CASE WHEN o.number IS NULL THEN coalesce(e.positions, '')
                WHEN o.published IS NOT NULL THEN o.positions END,
            o.owner))
        INTO states
        FROM unnest(topics, keys) AS own (topic, key) JOIN entities AS e USING (topic, key)
        LEFT JOIN outbox AS o ON o.number = e.number;
    IF once_lock IS NOT NULL THEN
        SELECT i.fingerprint, i.status, i.body, i.headers, i.positions, i.outbox
            INTO fingerprint, status, body, headers, positions, outbox
            FROM idempotency AS i
            WHERE i.account = once_account AND i.key = once_key AND i.at > answered_after;
    END IF;
END $$;
