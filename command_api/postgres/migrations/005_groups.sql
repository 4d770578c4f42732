-- How a group of commands begins: take the locks, then read what is noted of the entities and of the idempotency keys.
-- One function, so that it is one message; each statement in it sees what was committed before it began, so those that
-- read see what those did who had the locks before. Commands of a group are told apart by their number `n`.
--
-- once: n, lock, account, key of those with an idempotency key. locks: n, lock of every entity. entities: topic, key.
-- running: the commands whose idempotency key is in use; nothing is waited for. busy: those whose locks somebody else
-- has, unless they are to be waited for. remembered: what was answered before, [n, fingerprint, status, body, headers,
-- positions, outbox], bytes in hexadecimal.

DROP FUNCTION begin_command;

CREATE FUNCTION begin_commands(
    state_lock bigint, waits boolean, once json, locks json, entities json, answered_after bigint,
    OUT running integer[], OUT busy integer[], OUT states jsonb, OUT remembered jsonb
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    wanted bigint;
BEGIN
    running := ARRAY(
        SELECT o.n FROM json_to_recordset(once) AS o (n integer, lock bigint) WHERE NOT pg_try_advisory_xact_lock(o.lock)
    );
    IF NOT waits THEN
        busy := ARRAY(
            SELECT DISTINCT l.n FROM json_to_recordset(locks) AS l (n integer, lock bigint)
            WHERE NOT pg_try_advisory_xact_lock(l.lock)
        );
    ELSIF cardinality(running) = 0 THEN
        FOR wanted IN  -- in sorted order, so that no two wait for each other
            SELECT DISTINCT l.lock FROM json_to_recordset(locks) AS l (n integer, lock bigint) ORDER BY 1
        LOOP
            PERFORM pg_advisory_xact_lock(wanted);
        END LOOP;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(state_lock);
    SELECT jsonb_agg(jsonb_build_array(e.topic, e.key, e.newest, e.number,
            CASE WHEN o.number IS NULL THEN coalesce(e.positions, '')
                WHEN o.published IS NOT NULL THEN o.positions END,
            o.owner))
        INTO states
        FROM json_to_recordset(entities) AS own (topic text, key text)
        JOIN entities AS e ON (e.topic, e.key) = (own.topic, own.key)
        LEFT JOIN outbox AS o ON o.number = e.number;
    SELECT jsonb_agg(jsonb_build_array(own.n, encode(i.fingerprint, 'hex'), i.status, encode(i.body, 'hex'),
            encode(i.headers, 'hex'), i.positions, i.outbox))
        INTO remembered
        FROM json_to_recordset(once) AS own (n integer, account text, key text)
        JOIN idempotency AS i ON (i.account, i.key) = (own.account, own.key)
        WHERE i.at > answered_after;
END $$;
